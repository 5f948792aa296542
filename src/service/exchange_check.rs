//! The check whether the servers respond, connection by connection. A response within the last minutes is proof; otherwise one room of
//! the connection is read. It judges nothing: `readiness.rs` decides what a silent connection means.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::TimeDelta;
use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::Service;
use crate::calendar::{RoomAddress, Window};
use crate::engine::ErrorKind;

/// How long a response counts as proof. Tracked rooms cause responses more often than this.
const ANSWER_RECENT: Duration = Duration::from_secs(5 * 60);
/// Time limit of a read; a server that hangs does not respond.
const READ_TIMEOUT: Duration = Duration::from_secs(4);

/// When each connection's server last responded. As many as the configuration has connections with rooms.
#[derive(Debug, Default)]
pub(super) struct ExchangeAnswers(BTreeMap<String, ConnectionAnswers>);

/// When a connection's server last responded. Pure.
#[derive(Debug, Default)]
struct ConnectionAnswers {
    /// Responses counted so far.
    count: u64,
    last: Option<Instant>,
    /// The time of the first run.
    since: Option<Instant>,
    /// Whether the last check failed.
    is_failing: bool,
}

/// A connection and whether its server responds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ConnectionState {
    /// The name in the configuration.
    pub(super) name: String,
    /// Since when it has not responded, in words; `None` if it responds.
    pub(super) silence: Option<String>,
}

impl ConnectionAnswers {
    /// Records the present count of responses.
    fn note(&mut self, count: u64, now: Instant) {
        self.since.get_or_insert(now);
        if count != self.count {
            (self.count, self.last) = (count, Some(now));
        }
    }

    fn is_recent(&self, now: Instant) -> bool {
        self.last.is_some_and(|last| now.duration_since(last) < ANSWER_RECENT)
    }

    /// Records a failed check. Returns whether the check before it passed.
    fn begins_to_fail(&mut self) -> bool {
        !std::mem::replace(&mut self.is_failing, true)
    }

    /// Since when the server has not responded; `None` if it did lately.
    fn silence(&self, now: Instant) -> Option<String> {
        let minutes = |since: Instant| now.duration_since(since).as_secs() / 60;
        match (self.last, self.since) {
            _ if self.is_recent(now) => None,
            (Some(last), _) => Some(format!("has not responded for {} min", minutes(last))),
            (None, Some(since)) if minutes(since) > 0 => {
                Some(format!("has not responded since the service started {} min ago", minutes(since)))
            }
            (None, _) => Some("has not responded since the service started".to_owned()),
        }
    }
}

impl Service {
    /// The state of each connection that has a known room.
    pub(super) async fn check_connections(&self, answers: &mut ExchangeAnswers) -> Vec<ConnectionState> {
        let rooms = self.probe_rooms();
        answers.0.retain(|name, _| rooms.contains_key(name));
        let checks = rooms.into_iter().map(|(name, room)| {
            let mut answers = answers.0.remove(&name).unwrap_or_default();
            async move {
                self.check_connection(&name, &room, &mut answers).await;
                (name, answers)
            }
        });
        // Collected first: the futures take the answers out of the map.
        let checks: Vec<_> = checks.collect();
        answers.0 = join_all(checks).await.into_iter().collect();
        let now = Instant::now();
        let states = answers.0.iter();
        states
            .map(|(name, answers)| ConnectionState { name: name.clone(), silence: answers.silence(now) })
            .collect()
    }

    async fn check_connection(&self, name: &str, room: &RoomAddress, answers: &mut ConnectionAnswers) {
        answers.note(self.response_count(name), Instant::now());
        if answers.is_recent(Instant::now()) {
            answers.is_failing = false;
            return;
        }
        let now = self.now();
        let Some(window) = Window::clamped(now, now + TimeDelta::minutes(1)) else { return };
        let read = timeout(READ_TIMEOUT, self.engine.calendar().events(room, window)).await;
        answers.note(self.response_count(name), Instant::now());
        let error = match read {
            Ok(Err(error)) if !concerns_the_room_alone(error.kind) => error.to_string(),
            Ok(_) => {
                (answers.last, answers.is_failing) = (Some(Instant::now()), false);
                return;
            }
            Err(_) => format!("no response within {} s", READ_TIMEOUT.as_secs()),
        };
        // The checks run every few seconds while the server is away.
        if answers.begins_to_fail() {
            tracing::warn!(connection = name, %room, error, "readiness check: reading a room's calendar failed");
        } else {
            tracing::debug!(connection = name, %room, error, "readiness check: reading a room's calendar failed");
        }
    }

    /// One known room of each connection.
    fn probe_rooms(&self) -> BTreeMap<String, RoomAddress> {
        let mut rooms = BTreeMap::new();
        for room in self.followed_rooms() {
            let connection = self.connections.connection_of(&room).unwrap_or_default();
            rooms.entry(connection).or_insert(room);
        }
        rooms
    }

    /// The number of decoded responses on a connection. A rejection counts as well: the server responds.
    fn response_count(&self, connection: &str) -> u64 {
        let numbers = self.connections.metrics();
        let decoded =
            numbers.iter().filter(|number| number.kind == "decoded" && number.connection == connection);
        decoded.map(|number| number.count).sum()
    }
}

/// Whether the server accepts the account, and refuses this room or its content: it responds.
fn concerns_the_room_alone(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::BackEnd
            | ErrorKind::ImpersonationDenied
            | ErrorKind::Denied
            | ErrorKind::NoMailbox
            | ErrorKind::WrongServer
            | ErrorKind::Corrupt
            | ErrorKind::UnreadableItem
            | ErrorKind::LimitExceeded
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_that_is_refused_is_an_answer_and_an_account_that_is_refused_is_none() {
        assert!(concerns_the_room_alone(ErrorKind::NoMailbox));
        for kind in [ErrorKind::Credentials, ErrorKind::Token, ErrorKind::Unreachable, ErrorKind::Busy] {
            assert!(!concerns_the_room_alone(kind), "{kind:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_proof_for_five_minutes() {
        let mut answers = ConnectionAnswers::default();
        answers.note(0, Instant::now());
        assert!(!answers.is_recent(Instant::now()));
        let silence = |answers: &ConnectionAnswers| answers.silence(Instant::now());
        assert_eq!(silence(&answers).as_deref(), Some("has not responded since the service started"));
        answers.note(3, Instant::now());
        for (minutes, recent) in [(4, true), (1, false), (60, false)] {
            tokio::time::advance(Duration::from_secs(60 * minutes)).await;
            // The same count: no new response.
            answers.note(3, Instant::now());
            assert_eq!(answers.is_recent(Instant::now()), recent, "{minutes}");
        }
        assert_eq!(silence(&answers).as_deref(), Some("has not responded for 65 min"));
        answers.note(4, Instant::now());
        assert_eq!(silence(&answers), None);
    }

    #[test]
    fn a_failure_is_new_until_a_check_passes() {
        let mut answers = ConnectionAnswers::default();
        assert!(answers.begins_to_fail());
        assert!(!answers.begins_to_fail());
        answers.is_failing = false;
        assert!(answers.begins_to_fail());
    }
}
