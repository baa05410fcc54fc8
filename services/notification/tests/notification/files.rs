//! Mail as files.

use std::{fs, path::Path, sync::Arc, time::Duration};

use waybill::embedded::rusqlite::Connection;
use waybill_notification::adapters::mail::FileMailer;
use waybill_testkit::wait;

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

/// To sync a file system takes along whatever others have written or deleted there, which can be much.
const SYNC_PATIENCE: Duration = Duration::from_mins(10);

async fn emptied(spool: &Connection) {
    wait::within(SYNC_PATIENCE, "the spool is empty", async || {
        let left = spool.query_row("SELECT count(*) FROM mail", [], |row| row.get::<_, i64>(0));
        (left.unwrap() == 0).then_some(())
    })
    .await;
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
        contents[0].contains("To: \"Ada\" <ada@example.com>\r\n"),
        "{}",
        contents[0]
    );
}

#[tokio::test]
async fn a_folder_that_is_gone_is_a_transient_failure() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("mail");
    let service = service(&folder);
    let event = created(service.user("ada@example.com").await, id());
    fs::remove_dir(&folder).unwrap();
    assert_eq!(service.mail(&[event]).await, ["MAIL_UNAVAILABLE"]);
    assert_eq!(service.recorded(), []);
}

/// What a power failure may leave: mails that were promised, and whose files never got to the disk.
#[test]
fn what_is_left_in_the_spool_gets_its_file_and_leaves_it() {
    const MAILS: usize = 200;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("mail");
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    runtime().block_on(async { drop(service(&folder)) });
    let spool = Connection::open(home.path().join("mail.db")).unwrap();
    let left = (0..MAILS).map(|n| format!("{n}.eml"));
    for name in left.clone() {
        let keep = "INSERT INTO mail (name, bytes) VALUES (?1, CAST(?1 || x'0a' AS BLOB))";
        spool.execute(keep, [name]).unwrap();
    }

    runtime().block_on(async {
        let _service = service(&folder);
        emptied(&spool).await;
    });
    for name in left {
        let file = fs::read_to_string(folder.join(&name)).unwrap();
        assert_eq!(file, format!("{name}\n"));
    }
    assert_eq!(names(&folder).len(), MAILS);
}

#[tokio::test]
async fn a_mail_leaves_the_spool_when_its_file_is_on_disk() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("mail");
    let service = service(&folder);
    let event = created(service.user("ada@example.com").await, id());
    assert_eq!(service.mail(&[event]).await, [""]);
    let spool = Connection::open(home.path().join("mail.db")).unwrap();
    emptied(&spool).await;
    assert_eq!(names(&folder).len(), 1);
}
