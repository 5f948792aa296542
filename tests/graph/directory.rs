//! People, addresses and room lists: what each right buys, and what an absence proves.

use adjourn::engine::{AddressLookup, Directory as _, ErrorKind, MailboxAddresses, PersonLookup};
use adjourn::graph::GraphRights;
use adjourn_test::{aurora, numbered_room};
use serde_json::json;

use crate::conversation::{error, graph, graph_with, ok, page};
use crate::script::{Reaction, ScriptedServer};

async fn person(reactions: Vec<Reaction>) -> (PersonLookup, usize) {
    let script = ScriptedServer::start(reactions).await;
    let found = graph(&script).find_person(&aurora(), "ada@example.com").await.unwrap();
    (found, script.requests().len())
}

/// getSchedule of one recipient.
fn recipient(schedule: serde_json::Value) -> Reaction {
    page(&[schedule])
}

#[tokio::test]
async fn a_person_is_gone_after_two_independent_look_ups_and_not_before() {
    let gone = |code: &str| {
        let error = json!({"message": "Unable to resolve e-mail address.", "responseCode": code});
        recipient(json!({"scheduleId": "ada@example.com", "error": error}))
    };
    let user = json!({"id": "u", "mail": "ada@example.com"});
    assert_eq!(person(vec![page(&[user])]).await, (PersonLookup::Found, 1));
    assert_eq!(person(vec![page(&[]), gone("5009")]).await, (PersonLookup::NotFound, 2));
    for unclear in [
        gone("5016"),
        recipient(json!({"scheduleId": "ada@example.com", "availabilityView": "0", "scheduleItems": []})),
        recipient(json!({"availabilityView": "0", "error": {"responseCode": "5009"}})),
        page(&[]),
        page(&[json!({"error": {"responseCode": "5009"}}), json!({"error": {"responseCode": "5009"}})]),
        error(403, "ErrorAccessDenied"),
        ok(&json!({})),
    ] {
        assert_eq!(person(vec![page(&[]), unclear]).await, (PersonLookup::Unknown, 2));
    }
    let denied = error(403, "Authorization_RequestDenied");
    assert_eq!(person(vec![denied]).await, (PersonLookup::Unknown, 1));
}

#[tokio::test]
async fn the_mailbox_of_an_address_has_its_proxies_where_the_right_shows_them() {
    let lookup = |users: Vec<serde_json::Value>| async move {
        let script = ScriptedServer::start(vec![page(&users)]).await;
        graph(&script).resolve_address(&aurora(), "old@example.com").await.unwrap()
    };
    let found = |proxies: &[&str]| {
        AddressLookup::Found(MailboxAddresses {
            primary: "ada@example.com".to_owned(),
            proxies: proxies.iter().map(|&proxy| proxy.to_owned()).collect(),
        })
    };
    let basic = json!({"id": "u", "mail": "ada@example.com"});
    assert_eq!(lookup(vec![basic.clone()]).await, found(&["old@example.com"]));
    let full = json!({"id": "u", "mail": "ada@example.com", "proxyAddresses": ["SMTP:ada@example.com", "smtp:old@example.com", "X500:/o=x"]});
    assert_eq!(lookup(vec![full]).await, found(&["ada@example.com", "old@example.com"]));
    assert_eq!(lookup(vec![]).await, AddressLookup::NotFound);
    assert_eq!(lookup(vec![basic.clone(), basic]).await, AddressLookup::Unknown);
    assert_eq!(lookup(vec![json!({"id": "u", "mail": null})]).await, AddressLookup::Unknown);
}

#[tokio::test]
async fn a_place_is_read_only_with_its_right_and_is_that_of_the_room() {
    let body = json!({"emailAddress": "room1@example.com", "displayName": "Aurora", "capacity": 8, "tags": ["phone"]});
    let script =
        ScriptedServer::start(vec![ok(&body), ok(&body), error(403, "Authorization_RequestDenied")]).await;
    let graph = graph(&script);
    let place = graph.place(&numbered_room(1)).await.unwrap().unwrap();
    assert_eq!((place.name.as_deref(), place.capacity), (Some("Aurora"), Some(8)));
    assert_eq!(place.equipment, ["phone"]);
    assert!(script.requests()[0].starts_with("GET /v1.0/places/room1%40example.com"));
    assert_eq!(graph.place(&numbered_room(2)).await, Ok(None), "a place of another room");
    // The right is configured and missing: an earlier answer stays.
    assert!(graph.place(&numbered_room(1)).await.is_err());
    let without = graph_with(&script, GraphRights::default());
    assert_eq!(without.place(&numbered_room(1)).await, Ok(None));
    assert_eq!(script.requests().len(), 3);
}

#[tokio::test]
async fn a_room_list_needs_its_own_right_and_the_error_names_it() {
    let script = ScriptedServer::start(vec![page(&[])]).await;
    let graph_without = graph_with(&script, GraphRights::default());
    let error_of = graph_without.room_list_members("list@example.com", &aurora()).await.unwrap_err();
    assert!(
        error_of.advice.contains("Place.Read.All") && error_of.kind == ErrorKind::Permission,
        "{error_of}"
    );
    assert_eq!(script.requests().len(), 0);
    assert_eq!(graph_without.find_person(&aurora(), "a@example.com").await, Ok(PersonLookup::Unknown));
    let script = ScriptedServer::start(vec![error(403, "Authorization_RequestDenied")]).await;
    let error_of = graph(&script).room_list_members("list@example.com", &aurora()).await.unwrap_err();
    assert!(error_of.advice.contains("Place.Read.All"), "{error_of}");
}

#[tokio::test]
async fn the_members_of_a_room_list_are_its_rooms_with_an_address() {
    let rooms = [
        json!({"id": "1", "emailAddress": "room1@example.com"}),
        json!({"id": "2", "emailAddress": null}),
        json!({"id": "3", "emailAddress": "Room3@Example.com", "capacity": 40}),
    ];
    let script = ScriptedServer::start(vec![page(&rooms)]).await;
    let members = graph(&script).room_list_members("list@example.com", &aurora()).await.unwrap();
    assert_eq!(members, [numbered_room(1), numbered_room(3)]);
    assert!(
        script.requests()[0]
            .starts_with("GET /v1.0/places/list%40example.com/microsoft.graph.roomlist/rooms?")
    );
}
