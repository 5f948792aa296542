//! The task that keeps this process known as alive, and seals the chains of processes that are not. On a connection of its own, so that a
//! long statement elsewhere delays no renewal.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::connection::Connection;
use super::database::{PostgresDatabase, Purpose};
use super::ending::{Comparison, compare, find_loss};
use super::error::PostgresError;
use super::state::WriterState;
use super::ticks::Ticks;
use super::writers::{self, LiveWriter, VALID_FOR, WriterId};

/// Time between two renewals: five of them are valid at once.
const RENEW_EVERY: Duration = Duration::from_secs(2);
/// Time between two looks at the other writers.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How long another process's advisory lock must be gone before its chain is sealed: time to connect again.
const LOCK_GONE_FOR: Duration = Duration::from_secs(1);
/// The server's time limit of a statement. It does not hold for the commit, which a slow disk may delay.
const STATEMENT_LIMIT: Duration = Duration::from_secs(2);
/// Time limit of a statement with its commit. Then the connection is given up, and the advisory lock with it.
const LIMIT: Duration = Duration::from_secs(8);

/// The unbroken row of renewals up to now. Without one as long as a renewal is valid, nobody may judge others: after the database was away,
/// everybody looks dead.
#[derive(Debug, Clone, Copy, Default)]
struct RenewalStreak {
    since: Option<Instant>,
    last: Option<(Instant, f64)>,
}

impl RenewalStreak {
    /// A renewal succeeded at `now`, at this time of the database.
    fn renewed(&mut self, now: Instant, database_time: f64) {
        let gap_max = 2 * RENEW_EVERY;
        let is_unbroken = self.last.is_some_and(|(last, at)| {
            now - last <= gap_max && (0.0..=gap_max.as_secs_f64()).contains(&(database_time - at))
        });
        if !is_unbroken {
            self.since = Some(now);
        }
        self.last = Some((now, database_time));
    }

    /// Renewals went through for as long as one is valid.
    fn may_seal(&self, now: Instant) -> bool {
        let is_recent = self.last.is_some_and(|(last, _)| now - last <= 2 * RENEW_EVERY);
        is_recent && self.since.is_some_and(|since| now - since >= VALID_FOR)
    }
}

/// Everything that the task owns.
pub(super) struct Renewer {
    database: PostgresDatabase,
    state: Arc<WriterState>,
    me: WriterId,
    connection: Option<Connection>,
    is_locked: bool,
    streak: RenewalStreak,
    renewed_at: Option<Instant>,
    /// Since when each other writer's advisory lock has been gone.
    lock_gone: HashMap<i32, Instant>,
}

impl Renewer {
    pub(super) fn new(database: PostgresDatabase, state: Arc<WriterState>, me: WriterId) -> Self {
        let (streak, lock_gone) = (RenewalStreak::default(), HashMap::new());
        let (connection, is_locked, renewed_at) = (None, false, None);
        Self { database, state, me, connection, is_locked, streak, renewed_at, lock_gone }
    }

    /// Works until this process is sealed, or `stop` is dropped.
    pub(super) async fn run(mut self, stop: oneshot::Receiver<()>) {
        let mut ticks = Ticks::new(LOOK_EVERY, self.state.clone(), stop);
        while ticks.next().await {
            if let Err(error) = self.tick().await {
                tracing::warn!(%error, "could not renew this process in the journal's database");
                self.streak = RenewalStreak::default();
                self.lock_gone.clear();
            }
        }
    }

    async fn tick(&mut self) -> Result<(), PostgresError> {
        let connection = match self.connection.take() {
            Some(open) if open.is_usable() => open,
            _ => {
                // Others may have lost their connections too, and need time to connect again.
                (self.is_locked, self.streak) = (false, RenewalStreak::default());
                self.lock_gone.clear();
                let purpose = Purpose::Other { name: "renew", statement_limit: STATEMENT_LIMIT };
                let connection = self.database.connect(purpose).await?;
                self.look_for_loss(&connection).await?;
                connection
            }
        };
        let done = self.renew_and_look(&connection).await;
        self.connection = Some(connection);
        done
    }

    /// A server that became the primary may lack what the former one acknowledged. The appender finds this only with its next batch.
    async fn look_for_loss(&self, connection: &Connection) -> Result<(), PostgresError> {
        // Before the read: the chain may grow meanwhile.
        let acknowledged = self.state.chain();
        let stored = writers::stored_chain(connection, self.me, LIMIT).await?;
        if let Some(why) = find_loss(stored, acknowledged) {
            let _ = self.state.end(why);
        }
        Ok(())
    }

    async fn renew_and_look(&mut self, connection: &Connection) -> Result<(), PostgresError> {
        let had_lock = self.is_locked;
        if !had_lock {
            self.is_locked = writers::lock_incarnation(connection, self.me.incarnation, LIMIT).await?;
        }
        let now = Instant::now();
        if self.is_locked != had_lock || self.renewed_at.is_none_or(|at| now - at >= RENEW_EVERY) {
            let Some(at) = writers::renew(connection, self.me, self.is_locked, LIMIT).await? else {
                return self.end(connection).await;
            };
            self.streak.renewed(Instant::now(), at);
            self.renewed_at = Some(now);
        }
        if self.streak.may_seal(Instant::now()) {
            self.seal_others(connection).await?;
        }
        Ok(())
    }

    /// The row of this process took no renewal: it is sealed, or the database lost it.
    async fn end(&self, connection: &Connection) -> Result<(), PostgresError> {
        let stored = writers::stored_chain(connection, self.me, LIMIT).await?;
        // The chain itself is compared by the task that appends: an entry may be on its way.
        if stored.is_none_or(|stored| stored.is_sealed)
            && let Comparison::Ended(why) = compare(stored, self.state.chain(), None)
        {
            let _ = self.state.end(why);
        }
        Ok(())
    }

    async fn seal_others(&mut self, connection: &Connection) -> Result<(), PostgresError> {
        let others = writers::others(connection, self.me.number, LIMIT).await?;
        self.lock_gone
            .retain(|writer, _| others.iter().any(|other| other.writer == *writer && other.has_lost_lock));
        for other in others {
            let at_once = self.has_been_gone(&other, Instant::now());
            if !at_once && !other.is_expired {
                continue;
            }
            if let Some(last) =
                writers::seal(connection, (other.writer, self.me.number), at_once, LIMIT).await?
            {
                let LiveWriter { writer, name, .. } = other;
                tracing::warn!(writer, %name, last, "took over from a process that has ended: sealed its chain");
            }
        }
        Ok(())
    }

    /// Whether the writer's advisory lock has been gone for long enough.
    fn has_been_gone(&mut self, other: &LiveWriter, now: Instant) -> bool {
        other.has_lost_lock && now - *self.lock_gone.entry(other.writer).or_insert(now) >= LOCK_GONE_FOR
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn streak(begun: Instant, seconds: impl IntoIterator<Item = (u64, f64)>) -> RenewalStreak {
        let mut streak = RenewalStreak::default();
        for (at, database_time) in seconds {
            streak.renewed(begun + Duration::from_secs(at), database_time);
        }
        streak
    }

    #[tokio::test]
    async fn only_who_was_renewed_for_as_long_as_a_renewal_is_valid_may_seal() {
        let begun = Instant::now();
        let at = |second| begun + Duration::from_secs(second);
        let even = |last: u64| (0..=last).step_by(2).map(|second| (second, second as f64));
        assert!(!RenewalStreak::default().may_seal(at(60)));
        assert!(!streak(begun, even(8)).may_seal(at(9)));
        assert!(streak(begun, even(10)).may_seal(at(10)));
        assert!(!streak(begun, even(10)).may_seal(at(15)), "the last renewal was long ago");
        // The database was away, or this process was stopped, for seven seconds.
        let gap = even(10).chain((17..=25).step_by(2).map(|second| (second, second as f64)));
        assert!(!streak(begun, gap).may_seal(at(26)));
        // This machine was suspended: its own clock did not notice.
        let suspended = even(10).chain([(12, 4_000.0), (14, 4_002.0)]);
        assert!(!streak(begun, suspended).may_seal(at(14)));
        let set_back = even(10).chain([(12, 3.0)]);
        assert!(!streak(begun, set_back).may_seal(at(12)));
    }
}
