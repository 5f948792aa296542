//! The fixture of the API tests: a simulated Exchange, a served API, and a client that speaks plain HTTP/1.1 over a socket.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use adjourn::access::{Right, Rights, StoredKey};
use adjourn::api::{self, Api, KeyRing, ListenerLimits};
use adjourn::calendar::Scope;
use adjourn::cleanup::{CleanupMode, NoCheckIn, Rules};
use adjourn::clock::{Clock, SystemClock};
use adjourn::engine::{self, Engine};
use adjourn::exchange::{Exchange, Secret, Settings};
use adjourn::journal::MemoryJournal;
use adjourn::presence::{Contact, Interval, SourceContact, SourceScope};
use adjourn::service::{self, Service};
use adjourn::sim::{MeetingSpec, Person, PlainSpec, RoomSpec, Simulator, SimulatorOptions, World};
use adjourn::store::ServiceStore;
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
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
    pub at: std::net::SocketAddr,
    pub token: String,
    pub stop: CancellationToken,
    /// The clock of the service.
    pub began: DateTime<Utc>,
}

/// An HTTP response.
#[derive(Debug)]
pub struct HttpReply {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl HttpReply {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The problem type, without its URN prefix.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        self.json()["type"].as_str().unwrap().rsplit(':').next().unwrap().to_owned()
    }
}

pub fn now() -> DateTime<Utc> {
    SystemClock.now().trunc_subsecs(0)
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
    desk.rule_since([BUSY, FREE, OTHER].map(|room| room.parse().unwrap()).to_vec(), since).await.unwrap();
}

/// In `busy` a meeting started twenty minutes ago and lasts forty more; `free` is empty for an hour.
fn world(now: DateTime<Utc>) -> World {
    let mut world = World::new();
    world.set_now(now);
    let ada = Person::new("Ada Albers", "ada@example.com");
    world.add_user(&ada);
    for room in [BUSY, FREE, OTHER] {
        world.add_room(RoomSpec::new(room, room));
    }
    for room in [BUSY, OTHER] {
        let mut meeting =
            MeetingSpec::new(ada.clone(), now - TimeDelta::minutes(20), now + TimeDelta::minutes(40));
        meeting.rooms = vec![room.to_owned()];
        meeting.subject = "Secret plans".to_owned();
        world.add_meeting(meeting);
    }
    world.add_plain(PlainSpec::new(FREE, now + TimeDelta::minutes(60), now + TimeDelta::minutes(90)));
    world
}

impl ApiFixture {
    pub async fn open() -> Self {
        Self::with(Rules::default()).await
    }

    pub async fn with(rules: Rules) -> Self {
        let began = now();
        let sim = Simulator::start(world(began), SimulatorOptions::default()).await.unwrap();
        let clock = MovableClock::default();
        let options = SimulatorOptions::default();
        let settings = Settings::new(sim.url(), options.username, Secret::new(options.password));
        let exchange = Arc::new(Exchange::new(&settings).unwrap());
        let engine = Engine::new(
            exchange.clone(),
            Arc::new(MemoryJournal::default()),
            Arc::new(clock.clone()),
            Scope::new([BUSY, FREE, OTHER].map(|room| room.parse().unwrap()), []),
            engine::EngineOptions {
                settle_delay: Duration::from_millis(20),
                ..engine::EngineOptions::default()
            },
        );
        let desk = ServiceStore::in_memory().unwrap();
        let options = service::ServiceOptions {
            rules,
            max_state_age: TimeDelta::seconds(15),
            release_warning: TimeDelta::minutes(3),
            horizon: TimeDelta::hours(24),
            max_concurrent_rooms: 4,
            schedules: vec![service::Schedule::new("hourly", "0 * * * *", "UTC").unwrap()],
        };
        record_coverage(&desk, now()).await;
        let service = Service::open(Arc::new(engine), exchange, desk.clone(), options).await.unwrap();
        let keys = Arc::new(KeyRing::open(desk.clone()).await.unwrap());
        let shown = api::ApiOptions { deadline: Duration::from_secs(10), subjects: false };
        let router = api::router(Api::new(service.clone(), keys.clone(), shown));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(api::serve(listener, None, router, ListenerLimits::default(), stop.clone()));
        let mut lobby = Self { sim, clock, service, desk, keys, at, token: String::new(), stop, began };
        lobby.token = lobby.key("display", "*@example.com", &Right::ALL, 100_000).await;
        lobby
    }

    /// Serves the same API over TLS on another port.
    pub async fn serve_tls(&self, tls: Arc<api::ServerTls>) -> std::net::SocketAddr {
        let shown = api::ApiOptions { deadline: Duration::from_secs(10), subjects: false };
        let router = api::router(Api::new(self.service.clone(), self.keys.clone(), shown));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        tokio::spawn(api::serve(listener, Some(tls), router, ListenerLimits::default(), self.stop.clone()));
        at
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
        let mut stream = TcpStream::connect(self.at).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        HttpReply { status, head: head.to_owned(), body: body.to_owned() }
    }

    /// The event's end in the simulated calendar.
    pub fn event_end(&self, room: &str) -> Option<DateTime<Utc>> {
        let (from, to) = (now() - TimeDelta::hours(2), now() + TimeDelta::hours(2));
        self.sim.world(|world| world.events(room, from, to)).first().map(|event| event.end)
    }

    pub fn ews_requests(&self, operation: &str) -> usize {
        self.sim.requests().iter().filter(|asked| asked.operation == operation).count()
    }
}
