//! The change log of one mailbox, from which notifications and synchronization read. A series is one row, so a change to
//! one of its dates is a change of the series. Pure: it notifies no subscriber.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::folder::MailboxFolder;

/// Limit of changes kept for each mailbox: several days of a busy room. A client that missed more starts over.
pub(crate) const CHANGES_MAX: usize = 4_096;

/// A row's folder and version at the time of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ItemRevision {
    pub(crate) item: u64,
    pub(crate) version: u64,
    pub(crate) folder: MailboxFolder,
}

/// The kind of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangeKind {
    Created,
    Modified,
    Deleted,
    /// To another folder, where the row has another id.
    Moved {
        from: ItemRevision,
    },
}

/// One logged change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LoggedChange {
    /// Counts from 1 in each mailbox, without gaps.
    pub(crate) number: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) revision: ItemRevision,
    pub(crate) kind: ChangeKind,
}

impl LoggedChange {
    /// The folders whose contents differ afterwards.
    pub(crate) fn folders(&self) -> impl Iterator<Item = MailboxFolder> + use<> {
        let from = match self.kind {
            ChangeKind::Moved { from } if from.folder != self.revision.folder => Some(from.folder),
            _ => None,
        };
        std::iter::once(self.revision.folder).chain(from)
    }
}

/// The newest changes of one mailbox.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChangeLog {
    entries: VecDeque<LoggedChange>,
    last: u64,
}

impl ChangeLog {
    pub(super) fn add(&mut self, at: DateTime<Utc>, place: ItemRevision, what: ChangeKind) {
        if self.entries.len() == CHANGES_MAX {
            self.entries.pop_front();
        }
        self.last += 1;
        self.entries.push_back(LoggedChange { number: self.last, at, revision: place, kind: what });
    }

    /// The number of the newest change; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// The last logged change of a folder.
    pub(crate) fn last_in(&self, folder: MailboxFolder) -> Option<DateTime<Utc>> {
        let mut newest = self.entries.iter().rev();
        newest.find(|change| change.folders().any(|changed| changed == folder)).map(|change| change.at)
    }

    /// The changes after this number; `None` if some of them were dropped, or the number was never given.
    pub(crate) fn since(&self, number: u64) -> Option<impl Iterator<Item = &LoggedChange>> {
        let newer = usize::try_from(self.last.checked_sub(number)?).ok()?;
        let known = self.entries.len().checked_sub(newer)?;
        Some(self.entries.range(known..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gives_what_is_new_and_says_when_it_has_forgotten() {
        let mut log = ChangeLog::default();
        let place = ItemRevision { item: 1, version: 1, folder: MailboxFolder::Calendar };
        let numbers = |log: &ChangeLog, number| {
            log.since(number).map(|new| new.map(|change| change.number).collect::<Vec<_>>())
        };
        assert_eq!(numbers(&log, 0), Some(vec![]));
        assert_eq!(numbers(&log, 1), None, "from the future");
        for _ in 0..CHANGES_MAX + 2 {
            log.add(DateTime::UNIX_EPOCH, place, ChangeKind::Modified);
        }
        let last = log.last();
        assert_eq!(numbers(&log, last - 2), Some(vec![last - 1, last]));
        assert_eq!(numbers(&log, 2).map(|new| new.len()), Some(CHANGES_MAX));
        assert_eq!(numbers(&log, 1), None, "forgotten");
    }
}
