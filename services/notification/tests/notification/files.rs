//! Mail as files.

use std::{fs, path::Path, sync::Arc};

use waybill_notification::adapters::mail::FileMailer;

use crate::support::{
    events::{created, id, registered},
    service::TestService,
};

fn service(folder: &Path) -> TestService {
    let from = "Waybill <orders@shop.example>".parse().unwrap();
    TestService::new(Arc::new(FileMailer::new(folder.to_owned(), from).unwrap()))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    entries
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect()
}

#[tokio::test]
async fn a_mail_is_one_file_and_a_repeat_writes_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path().join("made/if/need/be");
    let user = id();
    let event = created(user, id());
    let mut contents = Vec::new();
    for service in [service(&folder), service(&folder)] {
        service
            .contacts(&[registered(user, "ada@example.com", "Ada")])
            .await;
        assert_eq!(service.mail(std::slice::from_ref(&event)).await, [""]);
        assert_eq!(names(&folder), [format!("{}.eml", event.id)]);
        contents.push(fs::read_to_string(folder.join(&names(&folder)[0])).unwrap());
    }
    assert_eq!(contents[0], contents[1]);
    assert!(
        contents[0].contains("To: Ada <ada@example.com>\r\n"),
        "{}",
        contents[0]
    );
}

#[tokio::test]
async fn a_folder_that_is_gone_is_a_transient_failure() {
    let folder = tempfile::tempdir().unwrap();
    let service = service(folder.path());
    let event = created(service.user("ada@example.com").await, id());
    folder.close().unwrap();
    assert_eq!(service.mail(&[event]).await, ["MAIL_UNAVAILABLE"]);
    assert_eq!(service.recorded(), []);
}
