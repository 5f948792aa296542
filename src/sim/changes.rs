//! What happened in a mailbox, one change after the other: what notifications tell and synchronization starts from. Pure; a
//! series is one row, so a change of one of its dates is a change of the series. Never asks who wants to know.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};

use super::world::Folder;

/// Changes a mailbox remembers; a client that was away for longer starts anew. Several days of a busy room.
pub(crate) const CHANGES_MAX: usize = 4_096;

/// A row as it was when something happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) item: u64,
    pub(crate) version: u64,
    pub(crate) folder: Folder,
}

/// What happened to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Created,
    Modified,
    Deleted,
    /// To another folder, where it has another id.
    Moved {
        from: Place,
    },
}

/// One change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    /// Counted from 1 in each mailbox, without gaps.
    pub(crate) number: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) place: Place,
    pub(crate) what: What,
}

impl Change {
    /// The folders that look different afterwards.
    pub(crate) fn folders(&self) -> impl Iterator<Item = Folder> + use<> {
        let from = match self.what {
            What::Moved { from } if from.folder != self.place.folder => Some(from.folder),
            _ => None,
        };
        std::iter::once(self.place.folder).chain(from)
    }
}

/// The newest changes of one mailbox.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log {
    kept: VecDeque<Change>,
    last: u64,
}

impl Log {
    pub(super) fn add(&mut self, at: DateTime<Utc>, place: Place, what: What) {
        if self.kept.len() == CHANGES_MAX {
            self.kept.pop_front();
        }
        self.last += 1;
        self.kept.push_back(Change { number: self.last, at, place, what });
    }

    /// The number of the newest change; 0 before the first.
    pub(crate) fn last(&self) -> u64 {
        self.last
    }

    /// When a folder changed for the last time, as far as that is remembered.
    pub(crate) fn last_in(&self, folder: Folder) -> Option<DateTime<Utc>> {
        let mut newest = self.kept.iter().rev();
        newest.find(|change| change.folders().any(|changed| changed == folder)).map(|change| change.at)
    }

    /// What came after this change; `None` when some of that is forgotten, or the number is none of ours.
    pub(crate) fn since(&self, number: u64) -> Option<impl Iterator<Item = &Change>> {
        let news = usize::try_from(self.last.checked_sub(number)?).ok()?;
        let known = self.kept.len().checked_sub(news)?;
        Some(self.kept.range(known..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_gives_what_is_new_and_says_when_it_has_forgotten() {
        let mut log = Log::default();
        let place = Place { item: 1, version: 1, folder: Folder::Calendar };
        let numbers = |log: &Log, number| {
            log.since(number).map(|new| new.map(|change| change.number).collect::<Vec<_>>())
        };
        assert_eq!(numbers(&log, 0), Some(vec![]));
        assert_eq!(numbers(&log, 1), None, "from the future");
        for _ in 0..CHANGES_MAX + 2 {
            log.add(DateTime::UNIX_EPOCH, place, What::Modified);
        }
        let last = log.last();
        assert_eq!(numbers(&log, last - 2), Some(vec![last - 1, last]));
        assert_eq!(numbers(&log, 2).map(|new| new.len()), Some(CHANGES_MAX));
        assert_eq!(numbers(&log, 1), None, "forgotten");
    }
}
