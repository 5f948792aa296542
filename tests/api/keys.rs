//! API keys over HTTP: expiry, and the audit's records of them.

use adjourn::access::{KeyId, Right};
use adjourn::journal::{AdminEvent, AdminQuery};
use adjourn_test::now;
use chrono::TimeDelta;

use crate::fixture::{ApiFixture, FREE};

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_key_is_401_and_names_the_remedy_to_the_holder_of_its_secret() {
    let lobby = ApiFixture::open().await;
    let token = lobby.key("visitor", "*", &[Right::Read], 600).await;
    let id = KeyId(token.split('_').nth(1).unwrap().to_owned());
    let mut key = lobby.desk.keys().await.unwrap().into_iter().find(|key| key.holder.id == id).unwrap();
    key.expires = Some(now() + TimeDelta::hours(1));
    lobby.desk.change_key(key, adjourn::journal::AdminActor::Service, now()).await.unwrap();
    lobby.keys.refresh().await.unwrap();
    assert_eq!(lobby.send_as(&token, "GET", "/v1/rooms", &[], "").await.status, 200);
    lobby.clock.advance(3_700);
    let expired = lobby.send_as(&token, "GET", "/v1/rooms", &[], "").await;
    assert_eq!((expired.status, expired.problem()), (401, "key-expired".to_owned()), "{expired:?}");
    let guessed = lobby.send_as(&format!("{token}x"), "GET", "/v1/rooms", &[], "").await;
    let nobody = lobby.send_as("adj_0123456789_x", "GET", "/v1/rooms", &[], "").await;
    assert_eq!((guessed.status, &guessed.body), (401, &nobody.body), "a guess learns nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_sign_ins_are_counted_by_address_in_the_journal() {
    let lobby = ApiFixture::open().await;
    for _ in 0..50 {
        assert_eq!(lobby.send_as("adj_0123456789_x", "GET", "/v1/rooms", &[], "").await.status, 401);
    }
    lobby.service.write_admin_events().await.unwrap();
    lobby.send_as("adj_0123456789_x", "GET", "/v1/rooms", &[], "").await;
    lobby.service.write_admin_events().await.unwrap();
    let journal = lobby.service.engine.journal();
    let page = journal.admin_events(&AdminQuery::default()).await.unwrap();
    let events: Vec<_> = page.events.iter().map(|(_, entry)| &entry.event).collect();
    let address = Some("127.0.0.1".to_owned());
    let expected = AdminEvent::SignInRefused { address, reason: "unauthenticated".to_owned(), count: 50 };
    assert_eq!(events, [&expected], "the next one is told ten minutes later");
    lobby.clock.advance(601);
    lobby.service.write_admin_events().await.unwrap();
    assert_eq!(journal.admin_events(&AdminQuery::default()).await.unwrap().events.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn actions_belong_to_a_key_by_its_id_when_its_name_goes_to_another() {
    let lobby = ApiFixture::open().await;
    let first = lobby.key("door", "*", &Right::DISPLAY, 600).await;
    let booked =
        lobby.send_as(&first, "POST", &format!("/v1/rooms/{FREE}/book"), &[], r#"{"minutes":15}"#).await;
    let path = format!("/v1/actions/{}", booked.json()["id"].as_str().unwrap());
    let id = KeyId(first.split('_').nth(1).unwrap().to_owned());
    assert!(lobby.desk.revoke_key(id, now()).await.unwrap());
    let second = lobby.key("door", "*", &Right::DISPLAY, 600).await;
    assert_eq!(lobby.send_as(&second, "GET", &path, &[], "").await.status, 404);
    let listed = lobby.send_as(&second, "GET", "/v1/actions", &[], "").await.json();
    assert_eq!(listed["actions"], serde_json::json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_the_record_is_bounded_and_its_cursor_leads_on() {
    use adjourn::action::{Action, ActionId, ActionKind, Actor, Notify, Outcome, Refusal};
    use adjourn::journal::{ActionEntry, Fact};
    let lobby = ApiFixture::open().await;
    let sweeper = lobby.key("sweeper", "*", &[Right::Read, Right::Cleanup], 6_000).await;
    let journal = lobby.service.engine.journal();
    // One action of a sweep, then more actions of other callers than one request examines.
    for number in 0..5_100_u32 {
        let actor = match number {
            0 => Actor::Sweep { rule: "no-check-in".to_owned(), proof: None },
            _ => Actor::program("somebody else"),
        };
        let action =
            Action::new(ActionId::random(), FREE.parse().unwrap(), ActionKind::End(Notify::Nobody), actor);
        let (id, at) = (action.id, now() + TimeDelta::milliseconds(i64::from(number)));
        let outcome = Box::new(Outcome::Refused { refusal: Refusal::NoCurrentEvent });
        journal
            .record(ActionEntry { action: id, at, fact: Fact::Accepted { action: Box::new(action) } })
            .await
            .unwrap();
        journal
            .record(ActionEntry { action: id, at, fact: Fact::Closed { outcome, requests: vec![] } })
            .await
            .unwrap();
    }
    let first = lobby.send_as(&sweeper, "GET", "/v1/actions", &[], "").await.json();
    let cursor = first["next_cursor"].as_str().unwrap_or_else(|| panic!("{first}"));
    assert_eq!(first["actions"], serde_json::json!([]), "5000 were looked at");
    let path = format!("/v1/actions?cursor={cursor}");
    let second = lobby.send_as(&sweeper, "GET", &path, &[], "").await.json();
    assert_eq!((&second["actions"][0]["actor_kind"], &second["next_cursor"]), (&"sweep".into(), &().into()));
}
