//! Webhooks over HTTP: signature, order, filters, failures, restarts, and what is sent again.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use adjourn::access::Right;
use adjourn::clock::SystemClock;
use adjourn::exchange::Secret;
use adjourn::service::{Notice, NoticeBus, NoticeFilter, Webhook, WebhookError, WebhookKind, Webhooks};
use adjourn::store::{QueueState, ServiceStore};
use adjourn_test::{ReceivedPost, WebhookReceiver, now, wait_until, wait_until_async};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::task::JoinHandle;

use crate::fixture::{ApiFixture, BUSY, FREE, MovableClock, OTHER};

const HOOK: &str = "facility";
const SECRET: &str = "shared";

fn hook(name: &str, url: &str, filter: NoticeFilter) -> Result<Webhook, WebhookError> {
    Webhook::new(name, url, Secret::new(SECRET.to_owned()), filter, Arc::new(SystemClock))
}

/// A webhook that wants everything.
fn every(name: &str, receiver: &WebhookReceiver) -> Webhook {
    hook(name, &receiver.url(), NoticeFilter::default()).unwrap()
}

/// Webhooks with a bus of their own, as between a start of the service and its stop.
struct Running {
    store: ServiceStore,
    clock: MovableClock,
    bus: NoticeBus,
    webhooks: Arc<Webhooks>,
    task: JoinHandle<()>,
}

impl Running {
    fn start(store: &ServiceStore, clock: &MovableClock, webhooks: Vec<Webhook>) -> Self {
        let (store, clock, bus) = (store.clone(), clock.clone(), NoticeBus::new(Arc::new(clock.clone())));
        let set = Arc::new(Webhooks::new(store.clone(), Arc::new(clock.clone())));
        set.replace(webhooks);
        let task = tokio::spawn(set.clone().run(bus.subscribe().unwrap()));
        Self { store, clock, bus, webhooks: set, task }
    }

    fn new(webhooks: Vec<Webhook>) -> Self {
        Self::start(&ServiceStore::in_memory().unwrap(), &MovableClock::default(), webhooks)
    }

    fn check_in(&self, room: &str) {
        let (room, source) = (room.parse().unwrap(), "panel".to_owned());
        self.bus.publish(Notice::CheckedIn { room, at: now(), source });
    }

    /// Counters: accepted, dropped, waiting.
    fn counts(&self, name: &str) -> [u64; 3] {
        let all = self.webhooks.counts();
        let (_, counts) = all.iter().find(|(one, _)| one == name).unwrap();
        [counts.accepted(), counts.dropped(), counts.waiting()]
    }

    async fn queue(&self) -> QueueState {
        self.store.queue_state(HOOK.to_owned()).await.unwrap()
    }

    /// Waits until an attempt had this result.
    async fn wait_for_result(&self, part: &str) {
        let has_part = async || self.queue().await.result.is_some_and(|result| result.contains(part));
        wait_until_async(part, has_part).await;
    }

    async fn stop(self) {
        self.bus.close();
        tokio::time::timeout(Duration::from_secs(20), self.task).await.unwrap().unwrap();
    }
}

fn of_room(post: &ReceivedPost) -> String {
    post.json()["room"].as_str().unwrap_or_default().to_owned()
}

fn sorted(mut numbers: Vec<u64>) -> Vec<u64> {
    numbers.sort_unstable();
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_told_signed_and_told_again_when_it_did_not_listen() {
    let lobby = ApiFixture::open().await;
    let receiver = WebhookReceiver::start().await;
    receiver.answer(|_| "503 Later".to_owned());
    let webhooks = lobby.service.webhooks.clone();
    webhooks.replace(vec![every(HOOK, &receiver)]);
    let running = tokio::spawn(webhooks.run(lobby.service.notices.subscribe().unwrap()));
    let ended = lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await.json();
    wait_until("the first attempt", || receiver.posts().len() == 1).await;
    receiver.answer(|_| "204 Taken".to_owned());
    wait_until("the second attempt", || receiver.posts().len() == 2).await;
    let [refused, post] = &receiver.posts()[..] else { panic!("{:?}", receiver.posts()) };
    assert_eq!(refused.body, post.body, "the same notice, by the same id");
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{}.{}", post.header("adjourn-timestamp"), post.body).as_bytes());
    let expected: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(post.header("adjourn-signature"), format!("v1={expected}"));
    let told = post.json();
    assert_eq!((&told["room"], &told["action_id"]), (&BUSY.into(), &ended["id"]));
    assert_eq!((&told["event"], &told["number"]), (&"action".into(), &1.into()));
    lobby.service.notices.close();
    tokio::time::timeout(Duration::from_secs(5), running).await.unwrap().unwrap();
    for url in ["http://elsewhere.example/hook", "ftp://127.0.0.1/", "nonsense"] {
        assert!(hook(HOOK, url, NoticeFilter::default()).is_err(), "{url}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_deployed_anew_misses_nothing() {
    let receiver = WebhookReceiver::start().await;
    let at = receiver.at;
    let running = Running::new(vec![every(HOOK, &receiver)]);
    running.check_in(BUSY);
    wait_until("the first notice", || receiver.numbers() == [1]).await;
    drop(receiver);
    for room in [FREE, OTHER, BUSY, FREE] {
        running.check_in(room);
    }
    wait_until("all wait", || running.counts(HOOK) == [1, 0, 4]).await;
    running.wait_for_result("cannot connect").await;
    let receiver = WebhookReceiver::at(at).await;
    wait_until("all arrive", || running.counts(HOOK)[0] == 5).await;
    assert_eq!(sorted(receiver.numbers()), [2, 3, 4, 5], "each once");
    wait_until("none waits", || running.counts(HOOK) == [5, 0, 0]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_receives_the_kinds_and_rooms_that_it_names() {
    let [all, kinds, rooms] =
        [WebhookReceiver::start().await, WebhookReceiver::start().await, WebhookReceiver::start().await];
    let of_kind = NoticeFilter { kinds: vec![WebhookKind::JournalHead], ..NoticeFilter::default() };
    let of_room =
        NoticeFilter { rooms: vec!["*@elsewhere.example".parse().unwrap()], ..NoticeFilter::default() };
    let running = Running::new(vec![
        every("all", &all),
        hook("kinds", &kinds.url(), of_kind).unwrap(),
        hook("rooms", &rooms.url(), of_room).unwrap(),
    ]);
    running.check_in(BUSY);
    running.bus.publish(Notice::RoomChanged { room: OTHER.parse().unwrap() });
    running.bus.publish(Notice::JournalHead { number: 7, hash: "00".to_owned() });
    running.check_in(OTHER);
    wait_until("all notices", || all.posts().len() == 3).await;
    wait_until("the others", || kinds.posts().len() == 1 && rooms.posts().len() == 1).await;
    let received = |receiver: &WebhookReceiver| {
        let events = receiver.posts().iter().map(|post| post.json()["event"].clone()).collect::<Vec<_>>();
        (sorted(receiver.numbers()), events)
    };
    assert_eq!(sorted(all.numbers()), [1, 2, 3]);
    assert_eq!(received(&kinds), (vec![1], vec!["journal-head".into()]), "numbers of its own");
    assert_eq!(received(&rooms), (vec![1], vec!["check-in".into()]));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_down_does_not_hold_up_another() {
    let (up, down) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
    down.answer(|_| "500 Broken".to_owned());
    let running = Running::new(vec![every("down", &down), every("up", &up)]);
    for _ in 0..20 {
        running.check_in(BUSY);
    }
    wait_until("the one that works has all", || running.counts("up") == [20, 0, 0]).await;
    assert_eq!(sorted(up.numbers()), (1..=20).collect::<Vec<_>>());
    wait_until("the other's wait", || running.counts("down") == [0, 0, 20]).await;
    let attempts = down.posts().len();
    assert!(attempts < 12, "{attempts} attempts: it is not tried with every notice");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_notice_that_is_refused_again_and_again_blocks_no_other() {
    let receiver = WebhookReceiver::start().await;
    receiver.answer(|body| {
        let is_refused = body["room"] == OTHER;
        if is_refused { "410 Gone".to_owned() } else { "200 OK".to_owned() }
    });
    let running = Running::new(vec![every(HOOK, &receiver)]);
    running.check_in(OTHER);
    wait_until("it is refused", || receiver.numbers() == [1]).await;
    for _ in 0..10 {
        running.check_in(BUSY);
    }
    wait_until("all others are accepted", || running.counts(HOOK) == [10, 0, 1]).await;
    let refused = || receiver.numbers().iter().filter(|number| **number == 1).count();
    wait_until("it is tried again, although it is gone", || refused() >= 2).await;
    receiver.answer(|_| "200 OK".to_owned());
    wait_until("it is accepted", || running.counts(HOOK) == [11, 0, 0]).await;
    let accepted = receiver.posts().iter().filter(|post| of_room(post) == BUSY).count();
    assert_eq!(accepted, 10, "each once");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_at_the_stop_is_told_after_the_start_under_its_number_and_id() {
    let receiver = WebhookReceiver::start().await;
    receiver.answer(|_| "503 Later".to_owned());
    let first = Running::new(vec![every(HOOK, &receiver)]);
    first.check_in(BUSY);
    wait_until("it is refused", || receiver.posts().len() == 1).await;
    let (store, clock) = (first.store.clone(), first.clock.clone());
    first.stop().await;
    assert_eq!(store.queue_state(HOOK.to_owned()).await.unwrap().waiting, 1, "it waits");
    receiver.answer(|_| "200 OK".to_owned());
    let before = receiver.posts().len();
    let second = Running::start(&store, &clock, vec![every(HOOK, &receiver)]);
    second.check_in(FREE);
    wait_until("both are accepted", || second.counts(HOOK) == [2, 0, 0]).await;
    let posts = receiver.posts();
    let by_number = |number| posts[before..].iter().find(|post| post.number() == number).unwrap();
    assert_eq!(by_number(1).body, posts[0].body, "the same body");
    assert_eq!(of_room(by_number(2)), FREE, "numbers go on");
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notice_that_nobody_took_for_a_day_is_dropped_counted_and_can_be_sent_again() {
    let receiver = WebhookReceiver::start().await;
    receiver.answer(|_| "500 Broken".to_owned());
    let first = Running::new(vec![every(HOOK, &receiver)]);
    first.check_in(BUSY);
    wait_until("it is refused", || !receiver.posts().is_empty()).await;
    let (store, clock) = (first.store.clone(), first.clock.clone());
    first.stop().await;

    clock.advance(86_400);
    let second = Running::start(&store, &clock, vec![every(HOOK, &receiver)]);
    wait_until("it is dropped", || second.counts(HOOK) == [0, 1, 0]).await;
    receiver.answer(|_| "200 OK".to_owned());
    second.check_in(FREE);
    wait_until("the next one is accepted", || second.counts(HOOK) == [1, 1, 0]).await;
    assert_eq!(receiver.numbers().last(), Some(&2), "the gap shows the loss");
    // As `adjourn webhook redeliver` does, in another process.
    let expires = now() + TimeDelta::days(2);
    assert_eq!(store.requeue_notices(HOOK.to_owned(), None, expires).await.unwrap(), 1);
    wait_until("it is accepted now", || second.counts(HOOK) == [2, 1, 0]).await;
    assert!(receiver.numbers().ends_with(&[2, 1]), "{:?}", receiver.numbers());
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_obeyed_within_limits() {
    let receiver = WebhookReceiver::start().await;
    receiver.answer(|_| "429 Slow down\r\nRetry-After: 120".to_owned());
    let running = Running::new(vec![every(HOOK, &receiver)]);
    running.check_in(BUSY);
    wait_until("it is refused", || receiver.posts().len() == 1).await;
    running.wait_for_result("HTTP 429").await;
    let state = running.queue().await;
    let pause = state.paused_until.unwrap() - state.attempted.unwrap();
    assert!((TimeDelta::seconds(120)..=TimeDelta::seconds(150)).contains(&pause), "{pause}");
    // The time passes.
    receiver.answer(|_| "200 OK".to_owned());
    running.clock.advance(151);
    wait_until("it is accepted", || running.counts(HOOK) == [1, 0, 0]).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_is_a_refusal_and_is_not_followed() {
    let (receiver, elsewhere) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
    let to = elsewhere.url();
    receiver.answer(move |_| format!("307 Moved\r\nLocation: {to}"));
    let running = Running::new(vec![every(HOOK, &receiver)]);
    running.check_in(BUSY);
    wait_until("it is tried again at the same URL", || receiver.posts().len() >= 2).await;
    running.wait_for_result("HTTP 307").await;
    assert!(elsewhere.posts().is_empty());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_receiver_goes_on_with_the_queue_and_a_removed_one_is_not_called() {
    let (old, new) = (WebhookReceiver::start().await, WebhookReceiver::start().await);
    old.answer(|_| "503 Later\r\nRetry-After: 600".to_owned());
    let running = Running::new(vec![every(HOOK, &old)]);
    running.check_in(BUSY);
    wait_until("the old one refuses it", || old.posts().len() == 1).await;
    running.webhooks.replace(vec![every(HOOK, &new)]);
    wait_until("the new one has it at once", || new.numbers() == [1]).await;
    running.webhooks.replace(vec![every("another", &old)]);
    running.check_in(FREE);
    wait_until("the other one is called", || old.posts().len() == 2).await;
    assert_eq!((new.numbers(), old.numbers()), (vec![1], vec![1, 1]), "numbers belong to the name");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_webhook_is_measured() {
    let lobby = ApiFixture::open().await;
    let receiver = WebhookReceiver::start().await;
    receiver.answer(|body| if body["room"] == OTHER { "500 No" } else { "200 OK" }.to_owned());
    let webhooks = lobby.service.webhooks.clone();
    webhooks.replace(vec![every(HOOK, &receiver)]);
    let running = tokio::spawn(webhooks.run(lobby.service.notices.subscribe().unwrap()));
    for room in [BUSY, OTHER] {
        let (room, source) = (room.parse().unwrap(), "panel".to_owned());
        lobby.service.notices.publish(Notice::CheckedIn { room, at: now(), source });
    }
    wait_until("one is refused", || receiver.posts().len() >= 2).await;
    lobby.clock.advance(60);
    let prometheus = lobby.key("prometheus", "*", &[Right::Metrics], 600).await;
    let measure = async |name: &str| -> f64 {
        let text = lobby.send_as(&prometheus, "GET", "/metrics", &[], "").await.body;
        let line = format!("adjourn_{name}{{webhook=\"{HOOK}\"}} ");
        let value = text.lines().find_map(|one| one.strip_prefix(&line));
        value.unwrap_or_else(|| panic!("no {line} in {text}")).parse().unwrap()
    };
    let both = async || {
        let sent = measure("webhook_notices_sent_total").await;
        (sent, measure("webhook_notices_waiting").await) == (1.0, 1.0)
    };
    wait_until_async("one is sent and one waits", both).await;
    assert_eq!(measure("webhook_notices_dropped_total").await, 0.0);
    let age = measure("webhook_oldest_notice_age_seconds").await;
    assert!((60.0..120.0).contains(&age), "{age}");
    lobby.service.notices.close();
    running.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notice_is_signed_and_takes_no_number() {
    let receiver = WebhookReceiver::start().await;
    let answer = every(HOOK, &receiver).send_test().await;
    assert!(answer.result.is_accepted(), "{answer:?}");
    let body = receiver.posts()[0].json();
    assert_eq!(
        (&body["event"], &body["number"], &body["webhook"]),
        (&"test".into(), &0.into(), &HOOK.into())
    );
    assert!(receiver.posts()[0].header("adjourn-signature").starts_with("v1="));
}

/// Runs a published example on a request; returns whether it was verified, and what it printed.
fn verified(
    program: &str,
    script: &str,
    secret: &Path,
    post: &ReceivedPost,
    body: &str,
    age: i64,
) -> (bool, String) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients").join(script);
    let (timestamp, signature) = (post.header("adjourn-timestamp"), post.header("adjourn-signature"));
    let at: i64 = timestamp.parse().unwrap();
    let mut child = Command::new(program)
        .arg(script)
        .arg(secret)
        .args([timestamp, signature, &(at + age).to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

/// CI sets ADJOURN_WEBHOOK_VERIFIERS; it has python3 and node.
#[tokio::test(flavor = "multi_thread")]
async fn python_and_node_verify_a_delivered_notice() {
    if std::env::var_os("ADJOURN_WEBHOOK_VERIFIERS").is_none() {
        return println!(
            "ADJOURN_WEBHOOK_VERIFIERS is not set: the examples of Python and Node were not run"
        );
    }
    let receiver = WebhookReceiver::start().await;
    let running = Running::new(vec![every(HOOK, &receiver)]);
    running.check_in(BUSY);
    wait_until("the notice", || receiver.posts().len() == 1).await;
    running.stop().await;
    let (post, secret) = (receiver.posts().remove(0), tempfile::NamedTempFile::new().unwrap());
    std::fs::write(secret.path(), format!("{SECRET}\n")).unwrap();
    for (program, script) in [("python3", "webhook_verify.py"), ("node", "webhook_verify.mjs")] {
        let run = |body: &str, age| verified(program, script, secret.path(), &post, body, age);
        assert_eq!(run(&post.body, 0), (true, "check-in".to_owned()), "{program}");
        assert_eq!(run(&post.body, 299), (true, "check-in".to_owned()), "{program}");
        assert!(!run(&post.body, 301).0, "{program}: old");
        assert!(!run(&post.body.replace(BUSY, FREE), 0).0, "{program}: changed");
        std::fs::write(secret.path(), "another\n").unwrap();
        assert!(!run(&post.body, 0).0, "{program}: another secret");
        std::fs::write(secret.path(), format!("{SECRET}\n")).unwrap();
    }
}
