//! The folders that every mailbox has. The set is fixed: the simulator never creates, renames or deletes a folder.

/// The folders of every mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it")]
pub enum MailboxFolder {
    Root,
    TopOfStore,
    Inbox,
    Drafts,
    Outbox,
    Sent,
    Deleted,
    Calendar,
    Contacts,
    Tasks,
    Notes,
    Journal,
    Junk,
}

impl MailboxFolder {
    pub(crate) const ALL: [Self; 13] = [
        Self::Root,
        Self::TopOfStore,
        Self::Inbox,
        Self::Drafts,
        Self::Outbox,
        Self::Sent,
        Self::Deleted,
        Self::Calendar,
        Self::Contacts,
        Self::Tasks,
        Self::Notes,
        Self::Journal,
        Self::Junk,
    ];

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn parent(self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::TopOfStore => Some(Self::Root),
            _ => Some(Self::TopOfStore),
        }
    }
}
