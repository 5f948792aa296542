//! The event stream with several listeners: each receives what its key and the options allow, also when others receive more.

use std::net::SocketAddr;
use std::time::Duration;

use adjourn::access::Right;
use adjourn::api::{self, Api, ApiOptions, ListenerLimits};
use adjourn::calendar::RoomAddress;
use adjourn::service::Notice;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::fixture::{ApiFixture, BUSY, FREE};

/// The subject in the room's copy: a room mailbox replaces it with the organizer's name.
const SUBJECT: &str = "Ada Albers";

/// A listener's connection, and what it received.
pub struct Listener {
    stream: TcpStream,
    received: String,
}

impl Listener {
    pub async fn open(at: SocketAddr, token: &str, last: Option<&str>) -> Self {
        let resume = last.map_or_else(String::new, |last| format!("Last-Event-ID: {last}\r\n"));
        let ask =
            format!("GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n{resume}\r\n");
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(ask.as_bytes()).await.unwrap();
        let mut listener = Self { stream, received: String::new() };
        listener.read_until("\nid: ").await;
        listener
    }

    async fn read_until(&mut self, text: &str) {
        let mut buffer = [0; 4096];
        while !self.received.contains(text) || !self.received.ends_with("\n\n\r\n") {
            let read = tokio::time::timeout(Duration::from_secs(20), self.stream.read(&mut buffer));
            let len = read.await.unwrap_or_else(|_| panic!("no {text}: {}", self.received)).unwrap();
            assert!(len > 0, "ended before {text}: {}", self.received);
            self.received += std::str::from_utf8(&buffer[..len]).unwrap();
        }
    }

    /// The last event of this kind, waiting for the first: its id and data.
    pub async fn event(&mut self, kind: &str) -> (String, Value) {
        self.read_until(&format!("event: {kind}\n")).await;
        let event = self.received.rsplit("\r\n").find(|event| event.contains(&format!("event: {kind}\n")));
        let field = |name: &str| event.unwrap().lines().find_map(|line| line.strip_prefix(name)).unwrap();
        (field("id: ").to_owned(), serde_json::from_str(field("data: ")).unwrap())
    }

    /// Everything that was received so far.
    pub fn received(&self) -> &str {
        &self.received
    }

    /// The last id that was received.
    fn last_id(&self) -> String {
        self.received.rsplit("id: ").next().unwrap().lines().next().unwrap().to_owned()
    }
}

async fn serve(lobby: &ApiFixture, subjects: bool) -> (Api, SocketAddr) {
    let api = Api::new(lobby.service.clone(), lobby.keys.clone(), options(subjects));
    let at = lobby.serve(api::router(api.clone()), None, ListenerLimits::default()).await;
    (api, at)
}

fn options(subjects: bool) -> ApiOptions {
    ApiOptions { subjects, ..ApiOptions::default() }
}

/// Publishes a change in the busy room, whose calendar was read.
async fn change(lobby: &ApiFixture) {
    assert_eq!(lobby.get(&format!("/v1/rooms/{BUSY}")).await.status, 200);
    let room: RoomAddress = BUSY.parse().unwrap();
    lobby.service.notices.publish(Notice::RoomChanged { room });
}

#[tokio::test(flavor = "multi_thread")]
async fn subjects_that_one_listener_received_reach_no_listener_after_they_are_hidden() {
    let lobby = ApiFixture::open().await;
    let (api, at) = serve(&lobby, true).await;
    let mut first = Listener::open(at, &lobby.token, None).await;
    let begin = first.last_id();
    change(&lobby).await;
    let (id, shown) = first.event("room").await;
    assert_eq!(shown["current"]["subject"], SUBJECT);
    // The same event for others, within the moment in which it is rendered once for all.
    for (subjects, expected) in [(false, Value::Null), (true, SUBJECT.into()), (false, Value::Null)] {
        api.set_options(options(subjects));
        let mut later = Listener::open(at, &lobby.token, Some(&begin)).await;
        let (same, shown) = later.event("room").await;
        assert_eq!((&same, &shown["id"], &shown["current"]["subject"]), (&id, &BUSY.into(), &expected));
        assert_eq!(later.received.contains("Ada"), subjects, "{}", later.received);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_without_subjects_never_receives_one_beside_a_listener_with_them() {
    let lobby = ApiFixture::open().await;
    let (_api, at) = serve(&lobby, true).await;
    let mut with = Vec::new();
    let mut without = Vec::new();
    for _ in 0..10 {
        with.push(Listener::open(at, &lobby.token, None).await);
        without.push(Listener::open(lobby.at, &lobby.token, None).await);
    }
    for _ in 0..20 {
        change(&lobby).await;
    }
    let last = lobby.service.notices.event_id(20);
    for listener in with.iter_mut().chain(&mut without) {
        listener.read_until(&format!("id: {last}\nevent: room\n")).await;
        assert_eq!(listener.received.matches("event: room\n").count(), 20, "{}", listener.received);
    }
    for listener in &with {
        assert_eq!(
            listener.received.matches("\"subject\":").count(),
            60,
            "as current, in the list and in the agenda"
        );
    }
    for listener in &without {
        assert!(!listener.received.contains("Ada"), "{}", listener.received);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_is_shown_to_each_listener_as_far_as_its_key_may_read_it() {
    let lobby = ApiFixture::open().await;
    let owner = lobby.key("owner", "*", &[Right::Read, Right::End], 6_000).await;
    let stranger = lobby.key("stranger", "*", &[Right::Read, Right::End, Right::Cleanup], 6_000).await;
    let elsewhere = lobby.key("elsewhere", "*@elsewhere.example", &Right::ALL, 6_000).await;
    let mut listeners = Vec::new();
    for token in [&lobby.token, &stranger, &owner, &stranger, &lobby.token] {
        listeners.push(Listener::open(lobby.at, token, None).await);
    }
    let mut other = Listener::open(lobby.at, &elsewhere, None).await;
    let begin = other.last_id();
    let ended = lobby.send_as(&owner, "POST", &format!("/v1/rooms/{BUSY}/end"), &[], "").await.json();
    let mut ids = Vec::new();
    let mut seen = Vec::new();
    for listener in &mut listeners {
        let (id, data) = listener.event("action").await;
        assert_eq!(data["room"], BUSY);
        ids.push(id);
        seen.push((data["action_id"].clone(), data["message"].clone()));
    }
    let (shown, hidden) = ((ended["id"].clone(), ended["message"].clone()), (Value::Null, Value::Null));
    assert_eq!(seen, [shown.clone(), hidden.clone(), shown.clone(), hidden.clone(), shown]);
    ids.dedup();
    assert_eq!(ids.len(), 1, "one event with one id");
    // A listener that resumes receives what it may read too, and no rendering that another received.
    let (_, data) = Listener::open(lobby.at, &stranger, Some(&begin)).await.event("action").await;
    assert_eq!((data["action_id"].clone(), data["message"].clone()), hidden);
    lobby.stop.cancel();
    lobby.service.notices.close();
    other.stream.read_to_string(&mut other.received).await.unwrap();
    assert!(
        !other.received.contains(BUSY) && !other.received.contains("event: action"),
        "{}",
        other.received
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn all_listeners_of_one_key_receive_the_same_bytes() {
    let lobby = ApiFixture::open().await;
    let mut listeners = Vec::new();
    for _ in 0..20 {
        listeners.push(Listener::open(lobby.at, &lobby.token, None).await);
    }
    change(&lobby).await;
    let mut events = Vec::new();
    for listener in &mut listeners {
        let (id, _) = listener.event("room").await;
        let text = listener.received.split_once("event: room\n").map(|(_, rest)| rest).unwrap();
        events.push((id, text.split("\n\n").next().unwrap().to_owned()));
    }
    events.dedup();
    assert_eq!(events.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_the_state_of_each_room_and_a_resumed_one_does_not() {
    let lobby = ApiFixture::open().await;
    let read = lobby.get(&format!("/v1/rooms/{BUSY}")).await.json();
    let first = Listener::open(lobby.at, &lobby.token, None).await;
    let begin = first.last_id();
    let states: Vec<_> = first.received.lines().filter_map(|line| line.strip_prefix("data: ")).collect();
    assert_eq!(states.len(), 1, "the other room was not read yet: {}", first.received);
    let state: Value = serde_json::from_str(states[0]).unwrap();
    assert_eq!((&state["id"], &state["current"]), (&read["id"], &read["current"]));
    let (before_id, _) = first.received.rsplit_once("id: ").unwrap();
    assert!(before_id.contains("event: room\n"), "a listener that lost the states receives them again");
    let resumed = Listener::open(lobby.at, &lobby.token, Some(&begin)).await;
    assert!(!resumed.received.contains("event: "), "{}", resumed.received);
    let elsewhere = lobby.key("elsewhere", "*@elsewhere.example", &[Right::Read], 600).await;
    let other = Listener::open(lobby.at, &elsewhere, None).await;
    assert!(!other.received.contains(BUSY), "{}", other.received);
    lobby.get(&format!("/v1/rooms/{FREE}")).await;
    let both = Listener::open(lobby.at, &lobby.token, None).await;
    assert_eq!(both.received.matches("event: room\n").count(), 2);
}
