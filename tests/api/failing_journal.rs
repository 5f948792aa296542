//! What callers learn when the journal fails in the middle of an action: "nothing was changed" only where nothing can have been sent.

use std::sync::atomic::{AtomicUsize, Ordering};

use adjourn::action::ActionId;
use adjourn::cleanup::Rules;
use adjourn::journal::{
    ActionEntry, ActionRecord, AdminEntry, AdminPage, AdminQuery, Journal, JournalError, MemoryJournal,
    Position, Query, RecordPage, SealedEntry,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::fixture::{ApiFixture, BUSY};

/// A journal on a disk that becomes full: it can be read, and every write after the first ones fails.
pub struct FailingJournal {
    kept: MemoryJournal,
    writes_left: AtomicUsize,
}

impl FailingJournal {
    pub fn after(writes: usize) -> Self {
        Self { kept: MemoryJournal::default(), writes_left: AtomicUsize::new(writes) }
    }

    fn write(&self) -> Result<(), JournalError> {
        let one_less = |left: usize| left.checked_sub(1);
        self.writes_left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .map(drop)
            .or_else(|_| full())
    }
}

fn full<T>() -> Result<T, JournalError> {
    Err(JournalError::Unusable("database or disk is full: /var/lib/adjourn/journal.sqlite".to_owned()))
}

#[async_trait]
impl Journal for FailingJournal {
    async fn record(&self, entry: ActionEntry) -> Result<(), JournalError> {
        self.write()?;
        self.kept.record(entry).await
    }

    async fn record_admin(&self, entry: AdminEntry) -> Result<(), JournalError> {
        self.write()?;
        self.kept.record_admin(entry).await
    }

    async fn try_commit(&self) -> Result<(), JournalError> {
        full()
    }

    async fn admin_events(&self, query: &AdminQuery) -> Result<AdminPage, JournalError> {
        self.kept.admin_events(query).await
    }

    async fn action_record(&self, action: ActionId) -> Result<Option<ActionRecord>, JournalError> {
        self.kept.action_record(action).await
    }

    async fn find(&self, query: &Query) -> Result<Vec<ActionRecord>, JournalError> {
        self.kept.find(query).await
    }

    async fn page(
        &self,
        query: &Query,
        after: Option<Position>,
        examine: usize,
    ) -> Result<RecordPage, JournalError> {
        self.kept.page(query, after, examine).await
    }

    async fn actions_since(&self, since: DateTime<Utc>) -> Result<Vec<ActionId>, JournalError> {
        self.kept.actions_since(since).await
    }

    async fn entries(&self, first: u64, max: usize) -> Result<Vec<SealedEntry>, JournalError> {
        self.kept.entries(first, max).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_was_changed_is_said_only_where_nothing_can_have_been_sent() {
    // The request is recorded, then the intent, then the outcome.
    for writes in 0..3 {
        let lobby = ApiFixture::with_journal(Rules::default(), FailingJournal::after(writes)).await;
        let end = lobby.event_end(BUSY);
        let reply = lobby.post(&format!("/v1/rooms/{BUSY}/end"), "").await;
        let was_changed = lobby.event_end(BUSY) != end;
        assert_eq!(was_changed, writes == 2, "{writes}");
        // An accepted request is still carried out, if the journal can be used again in time.
        let expected = [(503, "so nothing was changed"), (202, "In progress"), (202, "In doubt")][writes];
        assert_eq!(reply.status, expected.0, "{writes}: {}", reply.body);
        assert!(reply.body.contains(expected.1), "{writes}: {}", reply.body);
    }
}
