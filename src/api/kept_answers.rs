//! Answers by `Idempotency-Key` of requests that leave no action and no check-in behind: evidence, and new API keys. A request that is
//! repeated, because its answer was lost, finds the first answer. Kept in memory only: after a restart repeated evidence is merged into
//! the stored signs, like any repeated sign, and a repeated creation of a key is refused, since its name is taken.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::OwnedMutexGuard;

use crate::access::KeyId;
use crate::action::IdempotencyKey;
use crate::keyed_mutex::KeyedMutex;

/// Bytes of answers that are kept. Most answers have a hundred bytes; one that names every sign has up to a megabyte.
pub(super) const ANSWER_BYTES_MAX: usize = 8 << 20;
/// The same of one API key, whose own oldest answer is dropped first, never another key's.
pub(super) const ANSWER_BYTES_PER_KEY_MAX: usize = 2 << 20;

/// Memory of an answer besides its body: the idempotency key, the caller, and the map's entry.
const ENTRY_BYTES: usize = 300;

/// The answers that are kept.
#[derive(Default)]
pub(super) struct KeptAnswers {
    /// One request under one key at a time.
    key_locks: KeyedMutex,
    answers: Mutex<Answers>,
}

type Answers = HashMap<IdempotencyKey, KeptAnswer>;

/// An answer, and the request that it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeptAnswer {
    pub(super) caller: KeyId,
    /// Hash of the request.
    pub(super) request: u64,
    /// Body of the answer.
    pub(super) body: Bytes,
    /// When the key may be used for another request.
    pub(super) until: DateTime<Utc>,
}

impl KeptAnswers {
    /// Waits until no other request with this key is in progress.
    pub(super) async fn lock(&self, key: &IdempotencyKey) -> OwnedMutexGuard<()> {
        self.key_locks.lock(key.as_str()).await
    }

    /// The answer under this key.
    pub(super) fn get(&self, key: &IdempotencyKey, now: DateTime<Utc>) -> Option<KeptAnswer> {
        self.answers().get(key).filter(|kept| now < kept.until).cloned()
    }

    /// Keeps an answer within the limits.
    pub(super) fn keep(&self, key: IdempotencyKey, answer: KeptAnswer, now: DateTime<Utc>) {
        let mut answers = self.answers();
        answers.retain(|_, kept| now < kept.until);
        let caller = answer.caller.clone();
        answers.insert(key, answer);
        while bytes_of(&answers, |kept| kept.caller == caller) > ANSWER_BYTES_PER_KEY_MAX {
            drop_oldest(&mut answers, |kept| kept.caller == caller);
        }
        while bytes_of(&answers, |_| true) > ANSWER_BYTES_MAX {
            drop_oldest(&mut answers, |_| true);
        }
    }

    fn answers(&self) -> MutexGuard<'_, Answers> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_of(answers: &Answers, among: impl Fn(&KeptAnswer) -> bool) -> usize {
    answers.values().filter(|kept| among(kept)).map(|kept| kept.body.len() + ENTRY_BYTES).sum()
}

fn drop_oldest(answers: &mut Answers, among: impl Fn(&KeptAnswer) -> bool) {
    let oldest = answers.iter().filter(|(_, kept)| among(kept)).min_by_key(|(_, kept)| kept.until);
    if let Some(key) = oldest.map(|(key, _)| key.clone()) {
        answers.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn a_key_with_long_answers_forgets_its_own_oldest_and_no_other_keys() {
        let (answers, now) = (KeptAnswers::default(), DateTime::UNIX_EPOCH);
        let keep = |caller: &str, number: i64| {
            let body = vec![b' '; ANSWER_BYTES_PER_KEY_MAX / 4].into();
            let until = now + TimeDelta::hours(1) + TimeDelta::seconds(number);
            let answer = KeptAnswer { caller: KeyId(caller.to_owned()), request: 0, body, until };
            answers.keep(format!("{caller}:{number}").parse().unwrap(), answer, now);
        };
        let has = |key: &str| answers.get(&key.parse().unwrap(), now).is_some();
        keep("good", 0);
        (0..5).for_each(|number| keep("bad", number));
        assert_eq!(["good:0", "bad:1", "bad:2", "bad:4"].map(has), [true, false, true, true]);
        (0..20).for_each(|number| keep(&format!("other{number}"), number));
        assert!(bytes_of(&answers.answers(), |_| true) <= ANSWER_BYTES_MAX);
    }
}
