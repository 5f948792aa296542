//! One room whose back end rejects the account, or one rejection in ten requests: the other rooms go on, and the
//! account is not locked. A wrong password stops all rooms.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use adjourn::engine::ErrorKind;
use adjourn::exchange::{Exchange, RequestError, SignInMethod};
use adjourn::login::ExternalToken;
use adjourn_test::{exchange, numbered_room, room_name};

use crate::conversation::{envelope, message, settings};
use crate::script::{Reaction, ScriptedServer};

const ROOMS: usize = 12;
const ROUNDS: usize = 10;

fn accepted() -> Reaction {
    let folder = "<m:Folders><t:CalendarFolder><t:FolderId Id=\"F\"/><t:TotalCount>3</t:TotalCount></t:CalendarFolder></m:Folders>";
    let body = message("GetFolder", "Success", "NoError", folder);
    Reaction::Answer(200, "Content-Type: text/xml; charset=utf-8\r\n", body)
}

fn refused() -> Reaction {
    Reaction::Answer(401, "WWW-Authenticate: Basic realm=\"x\"\r\n", Vec::new())
}

fn refused_token() -> Reaction {
    Reaction::Answer(401, "WWW-Authenticate: Bearer\r\n", Vec::new())
}

fn is_for(request: &str, number: usize) -> bool {
    request.to_lowercase().contains(&format!("x-anchormailbox: {}\r\n", room_name(number)))
}

/// The results of all requests, room after room, round after round.
async fn all_answers(exchange: &Exchange) -> Vec<(usize, Result<Option<u32>, RequestError>)> {
    let mut answers = Vec::new();
    for _ in 0..ROUNDS {
        for number in 0..ROOMS {
            answers.push((number, exchange.check_calendar(&numbered_room(number)).await));
        }
    }
    answers
}

#[tokio::test]
async fn one_bad_back_end_stops_its_own_room_and_no_other() {
    let script = ScriptedServer::answering(|_, request| match is_for(request, 7) {
        true => refused(),
        false => accepted(),
    })
    .await;
    let answers = all_answers(&exchange(&settings(&script))).await;
    for (number, answer) in answers {
        match answer {
            Ok(_) => assert_ne!(number, 7),
            Err(RequestError::Refused(kind, code)) => {
                assert_eq!((number, kind), (7, ErrorKind::BackEnd));
                assert!(code.starts_with("HTTP 401"), "{code}");
            }
            other => panic!("{number}: {other:?}"),
        }
    }
    let seen = script.requests();
    let bad = seen.iter().filter(|request| is_for(request, 7)).count();
    assert_eq!(bad, 2, "once, and once more to make sure; then the room rests");
    assert_eq!(seen.len(), 11 * ROUNDS + bad + 1, "one probe");
}

/// The failing room is the first one after a start: no room has worked yet, so a probe cannot distinguish the room from
/// the account.
#[tokio::test]
async fn before_any_room_has_worked_a_refusal_counts_against_the_account() {
    let script = ScriptedServer::start(vec![refused()]).await;
    let exchange = exchange(&settings(&script));
    for number in 0..ROOMS {
        let answer = exchange.check_calendar(&numbered_room(number)).await;
        assert!(matches!(answer, Err(RequestError::Refused(ErrorKind::Credentials, _))), "{answer:?}");
    }
    assert_eq!(script.requests().len(), 2);
}

#[tokio::test]
async fn one_refusal_in_ten_requests_stops_no_room() {
    let script =
        ScriptedServer::answering(|number, _| if number % 10 == 9 { refused() } else { accepted() }).await;
    let answers = all_answers(&exchange(&settings(&script))).await;
    assert!(answers.iter().all(|(_, answer)| answer.is_ok()), "{answers:?}");
    assert_eq!(answers.len(), ROOMS * ROUNDS);
}

#[tokio::test]
async fn a_password_that_was_changed_stops_all_rooms_after_four_refusals() {
    let changed = Arc::new(AtomicBool::new(false));
    let is_wrong = changed.clone();
    let script = ScriptedServer::answering(move |_, _| match is_wrong.load(Ordering::Relaxed) {
        true => refused(),
        false => accepted(),
    })
    .await;
    let exchange = exchange(&settings(&script));
    all_answers(&exchange).await;
    changed.store(true, Ordering::Relaxed);
    let before = script.requests().len();
    for (_, answer) in all_answers(&exchange).await {
        assert!(matches!(answer, Err(RequestError::Refused(ErrorKind::Credentials, _))), "{answer:?}");
    }
    assert_eq!(script.requests().len() - before, 4, "twice, and by two rooms that worked before");
}

#[tokio::test]
async fn a_refused_token_concerns_its_request_alone() {
    let mut token = tempfile::NamedTempFile::new().unwrap();
    token.write_all(b"token").unwrap();
    let script = ScriptedServer::answering(|_, request| match is_for(request, 7) {
        true => refused_token(),
        false => accepted(),
    })
    .await;
    let mut settings = settings(&script);
    settings.sign_in = SignInMethod::Token(ExternalToken::File(token.path().to_owned()));
    for (number, answer) in all_answers(&exchange(&settings)).await {
        match answer {
            Ok(_) => assert_ne!(number, 7),
            Err(RequestError::Refused(kind, _)) => assert_eq!((number, kind), (7, ErrorKind::Token)),
            other => panic!("{number}: {other:?}"),
        }
    }
    assert_eq!(script.requests().len(), 11 * ROUNDS + 2, "no other room waits for a probe");
}

/// A database with three rooms, among requests that are under way at once.
#[tokio::test]
async fn a_bad_database_stops_its_rooms_and_no_other() {
    let script =
        ScriptedServer::answering(|_, request| match (7..=9).any(|number| is_for(request, number)) {
            true => refused(),
            false => accepted(),
        })
        .await;
    let exchange = exchange(&settings(&script));
    exchange.check_calendar(&numbered_room(0)).await.unwrap();
    for round in 0..ROUNDS {
        let rooms: Vec<_> = (0..ROOMS).map(numbered_room).collect();
        let answers =
            futures_util::future::join_all(rooms.iter().map(|room| exchange.check_calendar(room))).await;
        for (number, answer) in answers.into_iter().enumerate() {
            assert_eq!(answer.is_ok(), !(7..=9).contains(&number), "{round}, {number}: {answer:?}");
        }
    }
    let seen = script.requests();
    let bad = seen.iter().filter(|request| (7..=9).any(|number| is_for(request, number))).count();
    assert!(bad <= 6, "twice for each room: {bad}");
}

/// The codes of a disabled account may be meant for the mailbox of one room.
#[tokio::test]
async fn one_room_whose_account_is_disabled_stops_no_other() {
    let fault = envelope(
        r#"<s:Fault><faultcode>t:ErrorAccountDisabled</faultcode><faultstring>x</faultstring><detail><e:ResponseCode
        xmlns:e="http://schemas.microsoft.com/exchange/services/2006/errors">ErrorAccountDisabled</e:ResponseCode></detail>
        </s:Fault>"#,
    );
    let in_a_message = message("GetFolder", "Error", "ErrorAccountDisabled", "");
    for (status, body) in [(500, fault), (200, in_a_message), (456, Vec::new())] {
        let script = ScriptedServer::answering(move |_, request| match is_for(request, 7) {
            true => Reaction::Answer(status, "Content-Type: text/xml\r\n", body.clone()),
            false => accepted(),
        })
        .await;
        for (number, answer) in all_answers(&exchange(&settings(&script))).await {
            match answer {
                Ok(_) => assert_ne!(number, 7),
                Err(RequestError::Refused(kind, _)) => {
                    assert_eq!((number, kind), (7, ErrorKind::BackEnd), "{status}")
                }
                other => panic!("{status}, {number}: {other:?}"),
            }
        }
    }
}
