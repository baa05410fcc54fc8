//! What happens to mails, and over which connections they go.

use std::{
    collections::HashSet,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::join_all;
use lettre::address::Envelope;

use super::{
    super::{
        connections::Unused,
        peer::{Does, Peer},
    },
    *,
};

const LONG: Unused = Unused {
    without_asking: Duration::from_hours(1),
    at_most: Duration::from_hours(1),
};

fn line(peer: &Peer, unused: Unused) -> Line {
    Line::over(Connections::new(peer.server(), unused))
}

async fn send(line: &Line) -> Result<(), Trouble> {
    line.send(mail("ada@x")).await
}

fn mail(to: &str) -> Composed {
    let address = |text: &str| text.parse().unwrap();
    let envelope = Envelope::new(Some(address("orders@x")), vec![address(to)]).unwrap();
    let message = "Subject: s\r\n\r\nhello\r\n".to_owned();
    Composed { envelope, message }
}

/// Sends to three a connection at once, those to `odd` among them.
async fn send_many(line: &Line, odd: &str) -> Vec<Result<(), Trouble>> {
    let to = |n| if n % 3 == 1 { odd } else { "ada@x" };
    join_all((0..3 * MAX_CONNECTIONS).map(|n| line.send(mail(to(n))))).await
}

/// Over which connections whole mails came.
fn mails(peer: &Peer) -> Vec<String> {
    let heard = peer.heard().into_iter();
    heard
        .filter_map(|heard| Some(heard.strip_suffix(" .")?.to_owned()))
        .collect()
}

#[tokio::test]
async fn a_fresh_connection_is_used_at_once() {
    let peer = Peer::start(|_, _| Does::Take).await;
    let line = line(&peer, LONG);
    send(&line).await.unwrap();
    send(&line).await.unwrap();
    let mail = ["1 MAIL", "1 RCPT", "1 DATA", "1 ."];
    assert_eq!(peer.heard(), [&["1 EHLO", "1 EHLO"][..], &mail, &mail].concat());
}

#[tokio::test]
async fn a_connection_that_may_have_been_closed_is_asked_whether_it_stands() {
    static ASKED: AtomicUsize = AtomicUsize::new(0);
    let peer = Peer::start(|_, line| match line {
        "NOOP" if ASKED.fetch_add(1, Ordering::Relaxed) == 1 => Does::HangUp,
        _ => Does::Take,
    });
    let peer = peer.await;
    let unused = Unused {
        without_asking: Duration::ZERO,
        ..LONG
    };
    let line = line(&peer, unused);
    for _ in 0..3 {
        send(&line).await.unwrap();
    }
    assert_eq!(mails(&peer), ["1", "1", "2"]);
    let asked = peer.heard().into_iter().filter(|heard| heard.ends_with("NOOP"));
    assert_eq!(asked.collect::<Vec<_>>(), ["1 NOOP", "1 NOOP"]);
}

#[tokio::test]
async fn a_used_connection_is_replaced_while_the_server_has_nothing_of_the_mail() {
    static ANNOUNCED: AtomicUsize = AtomicUsize::new(0);
    let hangs_up = |_, line: &str| match line.get(..4) {
        Some("MAIL") => match ANNOUNCED.fetch_add(1, Ordering::Relaxed) {
            1 => Does::HangUp,
            3 => Does::Reply("421 later"),
            _ => Does::Take,
        },
        _ => Does::Take,
    };
    let peer = Peer::start(hangs_up).await;
    let line = line(&peer, LONG);
    for _ in 0..3 {
        send(&line).await.unwrap();
    }
    assert_eq!(mails(&peer), ["1", "2", "3"]);
}

#[tokio::test]
async fn a_new_connection_is_not_replaced() {
    let peer = Peer::start(|_, line| match line.get(..4) {
        Some("MAIL") => Does::HangUp,
        _ => Does::Take,
    });
    let peer = peer.await;
    let line = line(&peer, LONG);
    assert!(send(&line).await.unwrap_err().is_hang_up());
    assert!(!peer.heard().contains(&"2 EHLO".to_owned()));
}

#[tokio::test]
async fn a_mail_that_the_server_may_have_is_not_sent_again() {
    static MAILS: AtomicUsize = AtomicUsize::new(0);
    let hangs_up = |_, line: &str| match line {
        "." if MAILS.fetch_add(1, Ordering::Relaxed) == 1 => Does::HangUp,
        _ => Does::Take,
    };
    let peer = Peer::start(hangs_up).await;
    let line = line(&peer, LONG);
    send(&line).await.unwrap();
    assert!(send(&line).await.unwrap_err().is_hang_up());
    assert_eq!(mails(&peer), ["1", "1"]);
    send(&line).await.unwrap();
    assert_eq!(mails(&peer), ["1", "1", "2"]);
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_usable() {
    static MAILS: AtomicUsize = AtomicUsize::new(0);
    let refuses_one = |_, line: &str| match line.get(..4) {
        Some("RCPT") if MAILS.fetch_add(1, Ordering::Relaxed) == 0 => Does::Reply("550 nobody"),
        _ => Does::Take,
    };
    let peer = Peer::start(refuses_one).await;
    let line = line(&peer, LONG);
    assert!(send(&line).await.unwrap_err().is_refusal());
    send(&line).await.unwrap();
    assert_eq!(peer.heard()[2..6], ["1 MAIL", "1 RCPT", "1 RSET", "1 MAIL"]);
    assert_eq!(mails(&peer), ["1"]);
}

#[tokio::test]
async fn a_connection_that_owes_a_reply_is_never_used_again() {
    let peer = Peer::start(|number, line| match (number, line) {
        (1, "DATA") => Does::Nothing,
        _ => Does::Take,
    });
    let peer = peer.await;
    let line = line(&peer, LONG);
    let late = async {
        peer.hears("1 DATA").await;
        // From here on, time flies while nothing happens.
        tokio::time::pause();
    };
    let (sent, ()) = tokio::join!(send(&line), late);
    assert!(matches!(sent, Err(Trouble::TimedOut)), "{sent:?}");
    tokio::time::resume();
    send(&line).await.unwrap();
    assert_eq!(mails(&peer), ["2"]);
}

#[tokio::test]
async fn a_mail_on_its_way_goes_on_when_its_sender_is_gone() {
    let peer = Peer::start(|_, _| Does::Take).await;
    let line = line(&peer, LONG);
    tokio::select! {
        _ = send(&line) => panic!("the server has not replied yet"),
        () = tokio::task::yield_now() => {}
    }
    peer.hears("1 .").await;
}

#[test]
fn whoever_stops_waiting_leaves_the_line() {
    let mut waiting = Waiting::default();
    let mut enters = |to| {
        let (answer, answered) = oneshot::channel();
        waiting.mails.push_back(Entry {
            mail: mail(to),
            answer,
        });
        answered
    };
    drop(enters("ada@x"));
    let _waits = enters("bob@x");
    let next = waiting.next().unwrap();
    assert_eq!(next.mail.envelope.to(), ["bob@x".parse().unwrap()]);
    assert!(waiting.next().is_none());
}

/// A server that takes commands ahead, and one that does not. Neither knows bob.
const SERVERS: [fn(usize, &str) -> Does; 2] = [
    |_, line| match line.get(..4) {
        Some("EHLO") => Does::Reply("250-here\r\n250 PIPELINING"),
        _ => knows_no_bob(line),
    },
    |_, line| knows_no_bob(line),
];

fn knows_no_bob(line: &str) -> Does {
    match line {
        "RCPT TO:<bob@x>" => Does::Reply("550 nobody"),
        _ => Does::Take,
    }
}

#[tokio::test]
async fn mails_that_come_together_arrive_once_each_over_a_few_connections() {
    for server in SERVERS {
        let peer = Peer::start(server).await;
        let sent = send_many(&line(&peer, LONG), "eve@x").await;
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        let mails = mails(&peer);
        assert_eq!(mails.len(), sent.len());
        let connections: HashSet<_> = mails.iter().collect();
        assert!(connections.len() <= MAX_CONNECTIONS, "{connections:?}");
    }
}

#[tokio::test]
async fn a_refused_mail_leaves_those_beside_it_alone() {
    for server in SERVERS {
        let peer = Peer::start(server).await;
        let sent = send_many(&line(&peer, LONG), "bob@x").await;
        for (n, result) in sent.iter().enumerate() {
            assert_eq!(result.is_ok(), n % 3 != 1, "{n}: {result:?}");
        }
        assert_eq!(mails(&peer).len(), sent.len() / 3 * 2);
    }
}

/// Such limits are common: "421 too many messages in this session".
#[tokio::test]
async fn a_server_that_takes_one_mail_a_connection_gets_all() {
    static MAILS: [AtomicUsize; 100] = [const { AtomicUsize::new(0) }; 100];
    fn takes_one(number: usize, line: &str) -> Does {
        match line.get(..4) {
            Some("MAIL") if MAILS[number].fetch_add(1, Ordering::Relaxed) > 0 => Does::Reply("421 enough"),
            _ => Does::Take,
        }
    }
    for server in [
        |number, line: &str| match line.get(..4) {
            Some("EHLO") => Does::Reply("250-here\r\n250 PIPELINING"),
            _ => takes_one(number, line),
        },
        |number, line: &str| takes_one(number, line),
    ] as [fn(usize, &str) -> Does; 2]
    {
        for mails in &MAILS {
            mails.store(0, Ordering::Relaxed);
        }
        let peer = Peer::start(server).await;
        let sent = send_many(&line(&peer, LONG), "eve@x").await;
        assert!(sent.iter().all(Result::is_ok), "{sent:?}");
        let mails = mails(&peer);
        let connections: HashSet<_> = mails.iter().collect();
        assert_eq!((mails.len(), connections.len()), (sent.len(), sent.len()));
    }
}

#[tokio::test]
async fn those_in_the_line_are_not_tried_when_the_server_is_gone() {
    let peer = Peer::start(|_, line| match line {
        "." => Does::HangUp,
        _ => Does::Take,
    });
    let peer = peer.await;
    let line = line(&peer, LONG);
    let sent = send_many(&line, "bob@x").await;
    assert!(
        sent.iter()
            .all(|sent| sent.as_ref().is_err_and(|trouble| !trouble.is_refusal()))
    );
    // What has been on its way may have arrived, and nothing else was sent.
    assert!(mails(&peer).len() <= 2 * MAX_CONNECTIONS, "{:?}", peer.heard());
    assert!(sent.iter().any(|sent| matches!(sent, Err(Trouble::NotTried))));
}

#[tokio::test]
async fn a_connection_that_nobody_uses_is_ended() {
    let peer = Peer::start(|_, _| Does::Take).await;
    let unused = Unused {
        at_most: Duration::from_millis(200),
        ..LONG
    };
    let line = line(&peer, unused);
    send(&line).await.unwrap();
    peer.hears("1 (closed)").await;
    assert_eq!(peer.heard()[5..], ["1 .", "1 QUIT", "1 (closed)"]);
    send(&line).await.unwrap();
    assert_eq!(mails(&peer), ["1", "2"]);
}
