//! Sends the step of a stored intent, once, and only while the intent is fresh. Stores the intent anew where the way to the server
//! took longer, if the precondition still holds. Decides nothing about events.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::WriteReport;
use super::action_context::ActionContext;
use super::intent_age::{INTENT_FRESH_FOR, IntentAge, StoredIntent};
use super::sends::Sends;
use crate::before_send::BeforeSend;
use crate::journal::JournalError;

/// How often an intent is stored anew before one send. A journal that takes longer than an intent is fresh cannot be used.
const RENEWALS_MAX: u32 = 3;

/// Sends the step. It is counted in `sends` if it was withheld: decided too long ago, or its precondition holds no longer. An error of
/// the journal means that it was not sent.
pub(super) async fn send_intended(
    context: &ActionContext<'_>,
    intent: &StoredIntent,
    sends: &mut Sends,
) -> Result<WriteReport, JournalError> {
    let renewals = Renewals { last_stored_at: intent.stored_at, was_withheld: false, error: None };
    let permission = SendPermission { context, intent, renewals: Mutex::new(renewals) };
    let report = context.calendar().write(context.room(), &intent.intent.step, &permission).await;
    let renewals = permission.renewals.into_inner().unwrap_or_else(PoisonError::into_inner);
    if renewals.was_withheld {
        sends.add_withheld();
    }
    renewals.error.map_or(Ok(report), Err)
}

/// The permission to send one step.
struct SendPermission<'a> {
    context: &'a ActionContext<'a>,
    intent: &'a StoredIntent,
    renewals: Mutex<Renewals>,
}

/// What became of the intent since it was stored.
struct Renewals {
    last_stored_at: Duration,
    was_withheld: bool,
    error: Option<JournalError>,
}

impl SendPermission<'_> {
    fn age(&self) -> IntentAge {
        let last = self.update(|renewals| renewals.last_stored_at);
        IntentAge::of(self.intent.stored_at, last, self.context.since_boot())
    }

    /// Whether the action may still be performed: a person may have checked in since it was planned.
    async fn is_permitted(&self) -> bool {
        self.context.precondition.check(&self.intent.intent.before, self.context.now()).await.is_ok()
    }

    /// Stores the intent anew.
    async fn renew(&self) -> Result<(), JournalError> {
        let stored = self.context.record_intent(self.intent.intent.clone()).await?;
        self.update(|renewals| renewals.last_stored_at = stored.stored_at);
        Ok(())
    }

    fn withhold(&self) -> bool {
        self.update(|renewals| renewals.was_withheld = true);
        false
    }

    fn fail(&self, error: JournalError) -> bool {
        self.update(|renewals| renewals.error = Some(error));
        false
    }

    fn update<T>(&self, change: impl FnOnce(&mut Renewals) -> T) -> T {
        change(&mut self.renewals.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[async_trait]
impl BeforeSend for SendPermission<'_> {
    async fn may_send(&self) -> bool {
        for renewals in 0.. {
            match self.age() {
                IntentAge::Fresh => return true,
                IntentAge::Expired => return self.withhold(),
                IntentAge::Stale if renewals == RENEWALS_MAX => break,
                IntentAge::Stale if !self.is_permitted().await => return self.withhold(),
                IntentAge::Stale => {
                    if let Err(error) = self.renew().await {
                        return self.fail(error);
                    }
                }
            }
        }
        let slow = format!("it takes longer than {INTENT_FRESH_FOR:?} to store an entry");
        self.fail(JournalError::Unusable(slow))
    }
}
