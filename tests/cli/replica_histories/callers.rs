//! Callers at the doors: in each room a booking, two extensions and a deletion, again and again. A caller that gets no final answer sends
//! the same request again, with the same key, to the next service.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use adjourn_test::{HttpReply, SeededRandom, room_name};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::replicas::{REPLICAS, ROOMS, Replicas};

pub(super) const BOOKED_MINUTES: i64 = 10;
pub(super) const EXTENDED_MINUTES: i64 = 5;

/// A request without a final answer is given up so long after its first sending: longer than any fault lasts.
const PATIENCE: Duration = Duration::from_secs(90);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Press {
    Book,
    Extend,
    Delete,
}

const CYCLE: [Press; 4] = [Press::Book, Press::Extend, Press::Extend, Press::Delete];

impl Press {
    /// The press of a request with this key, `ROOM-NUMBER`: the numbers go through the cycle.
    pub(super) fn of_key(key: &str) -> Self {
        let number: usize = key.rsplit('-').next().unwrap_or_default().parse().unwrap_or_default();
        CYCLE[number % CYCLE.len()]
    }
}

/// A request and everything that was answered to it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) key: String,
    pub(super) press: Press,
    /// The action and its state, as each answer named them.
    pub(super) answers: Vec<(String, String)>,
    /// Whether one of the answers was final.
    pub(super) is_answered: bool,
}

/// What the callers did so far.
#[derive(Default)]
pub(super) struct Record {
    requests: Mutex<Vec<Request>>,
    /// Requests with a final answer.
    answered: AtomicUsize,
    is_over: std::sync::atomic::AtomicBool,
}

impl Record {
    pub(super) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }

    /// Tells the callers to send nothing new.
    pub(super) fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    pub(super) fn into_requests(self) -> Vec<Request> {
        self.requests.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Starts the callers, one in each room.
pub(super) fn start(replicas: &Arc<Replicas>, record: &Arc<Record>, dice: &mut SeededRandom) -> JoinSet<()> {
    (0..ROOMS)
        .map(|room| call_in(room, replicas.clone(), record.clone(), SeededRandom::new(dice.next_u64())))
        .collect()
}

async fn call_in(room: usize, replicas: Arc<Replicas>, record: Arc<Record>, mut dice: SeededRandom) {
    let mut next = room;
    for (number, press) in (0_usize..).zip(CYCLE.into_iter().cycle()) {
        if record.is_over.load(Ordering::Relaxed) {
            return;
        }
        let request = call(&replicas, room, &format!("{room}-{number}"), press, &mut next).await;
        if request.is_answered {
            record.answered.fetch_add(1, Ordering::Relaxed);
        }
        record.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        sleep(Duration::from_millis(50 + dice.below(300))).await;
    }
}

/// Sends one request until it is answered. `next` is the service that is asked first, and at the end the one that answered.
async fn call(replicas: &Replicas, room: usize, key: &str, press: Press, next: &mut usize) -> Request {
    let (path, body) = match press {
        Press::Book => ("book", json!({ "minutes": BOOKED_MINUTES, "subject": key })),
        Press::Extend => ("extend", json!({ "minutes": EXTENDED_MINUTES })),
        Press::Delete => ("delete", json!({})),
    };
    let (path, body) = (format!("/v1/rooms/{}/{path}", room_name(room)), body.to_string());
    let mut request = Request { key: key.to_owned(), press, answers: Vec::new(), is_answered: false };
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE && !request.is_answered {
        let Some(reply) = replicas.send(*next % REPLICAS, &path, key, &body).await else {
            *next += 1;
            sleep(Duration::from_millis(100)).await;
            continue;
        };
        request.hear(&reply);
        if !request.is_answered {
            *next += usize::from(reply.status == 503);
            sleep(Duration::from_millis(100)).await;
        }
    }
    request
}

impl Request {
    fn hear(&mut self, reply: &HttpReply) {
        let body: Value = serde_json::from_str(&reply.body).unwrap_or_default();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        match reply.status {
            200 | 202 => {
                let state = text("state").unwrap();
                self.is_answered = state != "open";
                assert!(reply.status == 202 || self.is_answered, "{}", reply.body);
                // A request that still waits for its room is not in the journal yet, and that is what its answer says.
                if text("accepted_at").is_some() {
                    self.answers.push((text("id").unwrap(), state));
                }
            }
            // The service accepted nothing, or its journal has the action: the caller sends the request again.
            408 | 425 | 429 | 500 | 503 | 504 => {}
            400..500 | 502 => {
                self.is_answered = true;
                if let Some(action) = text("action_id") {
                    let is_unknown = text("type").unwrap().ends_with(":needs-attention");
                    let state = if is_unknown { "needs-attention" } else { "refused" };
                    self.answers.push((action, state.to_owned()));
                }
            }
            status => panic!("{status}: {}", reply.body),
        }
    }
}
