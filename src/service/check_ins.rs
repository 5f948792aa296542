//! Check-ins for callers: a check-in during another action in its room is answered after that action, with its effect on the
//! event; a check-in that is repeated under its idempotency key is stored once. Answers are kept in memory only: after a
//! restart, a repetition stores another sign for the same event, which changes nothing.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::{Instant, timeout_at};

use super::{CheckInError, Service};
use crate::action::{ActionId, IdempotencyKey};
use crate::calendar::{Event, RoomAddress, Window};
use crate::engine::CalendarError;
use crate::journal::{ActionStatus, Query};
use crate::keyed_mutex::KeyedMutex;

/// Answers kept: more than the displays of five thousand rooms receive in an hour.
pub const CHECK_IN_ANSWERS_MAX: usize = 10_000;
/// Answers kept per API key, which may serve many displays. The key's own oldest answer is dropped first, never another key's.
pub const CHECK_IN_ANSWERS_PER_KEY_MAX: usize = 2_500;

/// A check-in request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckInRequest {
    /// The room.
    pub room: RoomAddress,
    /// The event's id; without it, the current event or the one about to start.
    pub event: Option<String>,
    /// The source of the check-in, such as a display.
    pub source: String,
    /// The id of the API key that sent it.
    pub reporter: String,
}

/// A stored check-in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckInReceipt {
    /// The room.
    pub room: RoomAddress,
    /// The event.
    pub event: Event,
    /// The time.
    pub at: DateTime<Utc>,
}

/// Answered check-ins, by idempotency key.
#[derive(Debug, Default)]
pub struct CheckIns {
    /// One request under one key at a time.
    key_locks: KeyedMutex,
    answers: Mutex<CheckInAnswers>,
}

#[derive(Debug, Clone)]
struct RememberedAnswer {
    request: CheckInRequest,
    /// The receipt, or the action that removed the event.
    answer: Result<CheckInReceipt, Option<ActionId>>,
    until: DateTime<Utc>,
}

type CheckInAnswers = HashMap<IdempotencyKey, RememberedAnswer>;

fn forget_oldest(answers: &mut CheckInAnswers, among: impl Fn(&RememberedAnswer) -> bool) {
    let oldest = answers.iter().filter(|(_, kept)| among(kept)).min_by_key(|(_, kept)| kept.until);
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        answers.remove(&key);
    }
}

impl CheckIns {
    /// Whether a check-in was answered under this key.
    pub fn has(&self, key: &IdempotencyKey, now: DateTime<Utc>) -> bool {
        self.get(key, now).is_some()
    }

    fn get(&self, key: &IdempotencyKey, now: DateTime<Utc>) -> Option<RememberedAnswer> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.get(key).filter(|kept| now < kept.until).cloned()
    }

    fn keep(&self, key: IdempotencyKey, answer: RememberedAnswer, now: DateTime<Utc>) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let is_own = |kept: &RememberedAnswer| kept.request.reporter == answer.request.reporter;
        let own = |answers: &CheckInAnswers| answers.values().filter(|kept| is_own(kept)).count();
        if answers.len() >= CHECK_IN_ANSWERS_MAX || own(&answers) >= CHECK_IN_ANSWERS_PER_KEY_MAX {
            answers.retain(|_, kept| now < kept.until);
        }
        if own(&answers) >= CHECK_IN_ANSWERS_PER_KEY_MAX {
            forget_oldest(&mut answers, is_own);
        }
        if answers.len() >= CHECK_IN_ANSWERS_MAX {
            forget_oldest(&mut answers, |_| true);
        }
        answers.insert(key, answer);
    }
}

impl Service {
    /// Stores the check-in, waits up to `patience` for actions in progress in the room, and confirms that the event still exists.
    ///
    /// # Errors
    /// When there is no event, an action removed it meanwhile, or the calendar or the store cannot be used.
    pub async fn check_in_and_confirm(
        &self,
        request: &CheckInRequest,
        patience: Duration,
    ) -> Result<CheckInReceipt, CheckInError> {
        let CheckInRequest { room, event, source, reporter } = request;
        let (at, until) = (self.now(), Instant::now() + patience);
        let event = self.check_in(room, event.as_deref(), (source.clone(), reporter), patience).await?;
        // The check-in is stored, so every later action sees it. Actions that started before are waited for.
        let idle = timeout_at(until, self.engine.wait_until_idle(room)).await;
        let idle = idle.map_err(|_| CheckInError::ActionPending)?;
        if idle.map_err(|error| CheckInError::Calendar(error.into()))? {
            self.rooms.invalidate(room);
            let stands = timeout_at(until, self.is_still_booked(room, &event)).await;
            if !stands.map_err(|_| CheckInError::ActionPending)?.map_err(CheckInError::Calendar)? {
                let action = self.removed_by(room, &event).await.map_err(CheckInError::Calendar)?;
                return Err(CheckInError::EventRemoved { action });
            }
        }
        Ok(CheckInReceipt { room: room.clone(), event, at })
    }

    /// Like [`check_in_and_confirm`](Self::check_in_and_confirm), but a repetition under the same key returns the first answer
    /// and stores nothing.
    ///
    /// # Errors
    /// The same, and when the key was used for another request.
    pub async fn check_in_once(
        &self,
        key: IdempotencyKey,
        request: &CheckInRequest,
        patience: Duration,
    ) -> Result<CheckInReceipt, CheckInError> {
        let _lock = self.check_ins.key_locks.lock(key.as_str()).await;
        match self.check_ins.get(&key, self.now()) {
            Some(kept) if kept.request != *request => return Err(CheckInError::KeyReused),
            Some(kept) => return kept.answer.map_err(|action| CheckInError::EventRemoved { action }),
            None => {}
        }
        let answer = match self.check_in_and_confirm(request, patience).await {
            Ok(receipt) => Ok(receipt),
            Err(CheckInError::EventRemoved { action }) => Err(action),
            // A failed check-in is not remembered: a retry is a new request.
            Err(other) => return Err(other),
        };
        let now = self.now();
        let kept = RememberedAnswer {
            request: request.clone(),
            answer: answer.clone(),
            until: now + self.engine.key_ttl(),
        };
        self.check_ins.keep(key, kept, now);
        answer.map_err(|action| CheckInError::EventRemoved { action })
    }

    /// Whether the event is in the room's calendar and takes place. An unreadable item may be the event.
    async fn is_still_booked(&self, room: &RoomAddress, event: &Event) -> Result<bool, CalendarError> {
        let Some(window) = Window::clamped(event.start, event.end) else { return Ok(true) };
        let view = self.engine.calendar().events(room, window).await?;
        let is_it = |other: &Event| {
            other.id == event.id || event.identity().is_some() && other.identity() == event.identity()
        };
        let takes_place = |other: &Event| is_it(other) && !other.is_cancelled && !other.is_declined;
        Ok(view.events.iter().any(takes_place) || !view.unreadable.is_empty())
    }

    /// The last action of Adjourn that removed this event from the calendar.
    async fn removed_by(&self, room: &RoomAddress, event: &Event) -> Result<Option<ActionId>, CalendarError> {
        let Some((uid, start)) = event.identity() else { return Ok(None) };
        let query = Query { identity: Some((uid.clone(), start)), limit: Some(1), ..Query::room(room) };
        let records = self.engine.journal().find(&query.with_status(ActionStatus::Done)).await?;
        Ok(records.first().map(|record| record.action.id))
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_key_with_many_answers_forgets_its_own_oldest_and_no_other_keys() {
        let (check_ins, now) = (CheckIns::default(), DateTime::UNIX_EPOCH);
        let keep = |reporter: &str, number: usize| {
            let room = "r@example.com".parse().unwrap();
            let request = CheckInRequest {
                room,
                event: None,
                source: "panel".to_owned(),
                reporter: reporter.to_owned(),
            };
            let until = now + TimeDelta::hours(1) + TimeDelta::seconds(number as i64);
            let answer = RememberedAnswer { request, answer: Err(None), until };
            check_ins.keep(format!("{reporter}:{number}").parse().unwrap(), answer, now);
        };
        keep("good", 0);
        (0..CHECK_IN_ANSWERS_PER_KEY_MAX + 10).for_each(|number| keep("bad", number));
        let has = |key: &str| check_ins.has(&key.parse().unwrap(), now);
        assert_eq!((has("good:0"), has("bad:9"), has("bad:10")), (true, false, true));
        let kept = check_ins.answers.lock().unwrap().len();
        assert_eq!(kept, CHECK_IN_ANSWERS_PER_KEY_MAX + 1);
    }
}
