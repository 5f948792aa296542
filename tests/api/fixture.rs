//! The fixture of the API tests: a simulated Exchange, a served API, and a client that speaks plain HTTP/1.1 over a socket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use adjourn::access::{Right, Rights, StoredKey};
use adjourn::api::{self, Api, KeyRing, ListenerLimits};
use adjourn::calendar::Scope;
use adjourn::cleanup::{CleanupMode, NoCheckIn, Rules};
use adjourn::clock::{Clock, SystemClock};
use adjourn::journal::{Journal, MemoryJournal};
use adjourn::presence::{Contact, Interval, SourceContact, SourceScope};
use adjourn::service::Service;
use adjourn::sim::{MeetingSpec, PlainSpec, RoomSpec, Simulator, World};
use adjourn::store::ServiceStore;
use adjourn_test::{
    HttpReply, address, engine, exchange, meeting_in, now, patient_settings, people, quick_options,
    request_count, send_and_read, service_options, simulator,
};
use chrono::{DateTime, TimeDelta, Utc};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub const BUSY: &str = "busy@example.com";
pub const FREE: &str = "free@example.com";
pub const OTHER: &str = "other@elsewhere.example";

/// The machine's clock plus the seconds that a test adds.
#[derive(Clone, Default)]
pub struct MovableClock(Arc<AtomicI64>);

impl MovableClock {
    pub fn advance(&self, seconds: i64) {
        self.0.fetch_add(seconds, Ordering::SeqCst);
    }
}

impl Clock for MovableClock {
    fn now(&self) -> DateTime<Utc> {
        SystemClock.now() + TimeDelta::seconds(self.0.load(Ordering::SeqCst))
    }
}

/// A served API with its simulated Exchange.
pub struct ApiFixture {
    pub sim: Simulator,
    pub clock: MovableClock,
    pub service: Arc<Service>,
    pub desk: ServiceStore,
    pub keys: Arc<KeyRing>,
    pub at: SocketAddr,
    pub token: String,
    pub stop: CancellationToken,
    /// The clock of the service.
    pub began: DateTime<Utc>,
}

pub fn rules(how: adjourn::cleanup::ReleaseMethod) -> Rules {
    let no_check_in = Some(NoCheckIn { release_by: how, ..NoCheckIn::default() });
    Rules { mode: Some(CleanupMode::Act), no_check_in, ..Rules::default() }
}

/// Records that the service was up for three hours with a sensor system reporting throughout, and that the rule is as old.
async fn record_coverage(desk: &ServiceStore, now: DateTime<Utc>) {
    let since = now - TimeDelta::hours(3);
    let feed = SourceContact {
        link: SourceScope::Group(None),
        source: "sensors".to_owned(),
        reporter: "key".to_owned(),
        contact: Contact { since, last: now },
    };
    // No gap until the test's service starts.
    let up = Interval::new(since, now + TimeDelta::seconds(5)).unwrap();
    desk.record_uptime(up, vec![feed]).await.unwrap();
    desk.rule_since([BUSY, FREE, OTHER].map(address).to_vec(), since).await.unwrap();
}

/// In `busy` and `other` is a meeting at this time; `free` is empty for an hour.
fn three_rooms(now: DateTime<Utc>) -> World {
    let mut world = people();
    world.set_now(now);
    for room in [BUSY, FREE, OTHER] {
        world.add_room(RoomSpec::new(room, room));
    }
    for room in [BUSY, OTHER] {
        let (start, end) = (now - TimeDelta::minutes(20), now + TimeDelta::minutes(40));
        world.add_meeting(MeetingSpec { start, end, subject: "Secret plans".to_owned(), ..meeting_in(room) });
    }
    world.add_plain(PlainSpec::new(FREE, now + TimeDelta::minutes(60), now + TimeDelta::minutes(90)));
    world
}

impl ApiFixture {
    pub async fn open() -> Self {
        Self::with(Rules::default()).await
    }

    pub async fn with(rules: Rules) -> Self {
        Self::with_journal(rules, MemoryJournal::default()).await
    }

    pub async fn with_journal(rules: Rules, journal: impl Journal + 'static) -> Self {
        let began = now();
        let sim = simulator(three_rooms(began)).await;
        let clock = MovableClock::default();
        let exchange = Arc::new(exchange(&patient_settings(&sim)));
        let engine = engine(
            exchange.clone(),
            Arc::new(journal),
            Arc::new(clock.clone()),
            Scope::new([BUSY, FREE, OTHER].map(address), []),
            quick_options(),
        );
        let desk = ServiceStore::in_memory().unwrap();
        record_coverage(&desk, now()).await;
        let service = Service::open(engine, exchange, desk.clone(), service_options(rules)).await.unwrap();
        let keys = Arc::new(KeyRing::open(desk.clone()).await.unwrap());
        let (at, token, stop) = (([127, 0, 0, 1], 0).into(), String::new(), CancellationToken::new());
        let mut lobby = Self { sim, clock, service, desk, keys, at, token, stop, began };
        lobby.at = lobby.serve(api::router(lobby.api()), None, ListenerLimits::default()).await;
        lobby.token = lobby.key("display", "*@example.com", &Right::ALL, 100_000).await;
        lobby
    }

    pub fn api(&self) -> Api {
        let options = api::ApiOptions::default();
        Api::new(self.service.clone(), self.keys.clone(), options)
    }

    /// Serves on a free port, whose address is returned.
    pub async fn serve(
        &self,
        router: axum::Router,
        tls: Option<Arc<api::ServerTls>>,
        limits: ListenerLimits,
    ) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(api::serve(Arc::new(listener), tls, router, limits, self.stop.clone()));
        at
    }

    /// Serves the same API over TLS on another port.
    pub async fn serve_tls(&self, tls: Arc<api::ServerTls>) -> SocketAddr {
        self.serve(api::router(self.api()), Some(tls), ListenerLimits::default()).await
    }

    /// Creates a key and returns its token.
    pub async fn key(&self, name: &str, rooms: &str, rights: &[Right], per_minute: u32) -> String {
        let rights = Rights::new([rooms.parse().unwrap()], rights.iter().copied());
        let new = StoredKey::generate(name, rights, per_minute);
        self.desk.add_key(new.stored.clone(), now()).await.unwrap();
        self.keys.refresh().await.unwrap();
        new.token
    }

    pub async fn get(&self, path: &str) -> HttpReply {
        self.send("GET", path, &[], "").await
    }

    pub async fn post(&self, path: &str, body: &str) -> HttpReply {
        self.send("POST", path, &[], body).await
    }

    pub async fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> HttpReply {
        self.send_as(&self.token, method, path, headers, body).await
    }

    pub async fn send_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> HttpReply {
        let more: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: adjourn\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n{more}\r\n{body}",
            body.len()
        );
        self.send_raw(&request).await
    }

    /// Sends raw bytes and reads until the server closes the connection.
    pub async fn send_raw(&self, request: &str) -> HttpReply {
        let text = send_and_read(self.at, request).await.unwrap();
        HttpReply::parse(&text).unwrap_or_else(|| panic!("no answer: {text}"))
    }

    /// The event's end in the simulated calendar.
    pub fn event_end(&self, room: &str) -> Option<DateTime<Utc>> {
        let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::hours(2));
        self.sim.world(|world| world.events(room, from, to)).first().map(|event| event.end)
    }

    pub fn ews_requests(&self, operation: &str) -> usize {
        request_count(&self.sim, operation)
    }
}
