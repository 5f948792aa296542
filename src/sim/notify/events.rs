//! Turns logged changes into the events of a notification: which changes a subscription matches, and the XML of each
//! event. Pure.

use std::collections::BTreeSet;

use super::super::change_log::{ChangeKind, ItemRevision, LoggedChange};
use super::super::folder::MailboxFolder;
use super::super::ids::{self, ItemLocator};
use super::super::opaque_tokens::Watermark;
use super::super::soap_response::{element, instant};

/// The event types of a subscription. `Copied`, `NewMail` and `FreeBusyChanged` never occur: the simulator receives no
/// mail, copies nothing and publishes no free/busy times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EventType {
    Copied,
    Created,
    Deleted,
    Modified,
    Moved,
    NewMail,
    FreeBusyChanged,
}

impl EventType {
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "CopiedEvent" => Self::Copied,
            "CreatedEvent" => Self::Created,
            "DeletedEvent" => Self::Deleted,
            "ModifiedEvent" => Self::Modified,
            "MovedEvent" => Self::Moved,
            "NewMailEvent" => Self::NewMail,
            "FreeBusyChangedEvent" => Self::FreeBusyChanged,
            _ => return None,
        })
    }

    fn of(change: &LoggedChange) -> Self {
        match change.kind {
            ChangeKind::Created => Self::Created,
            ChangeKind::Modified => Self::Modified,
            ChangeKind::Deleted => Self::Deleted,
            ChangeKind::Moved { .. } => Self::Moved,
        }
    }
}

/// The folders and event types of a subscription, in one mailbox.
#[derive(Debug, Clone)]
pub(crate) struct SubscriptionFilter {
    pub(crate) mailbox: u32,
    /// `None` for all folders.
    pub(crate) folders: Option<Vec<MailboxFolder>>,
    pub(crate) types: Vec<EventType>,
}

/// Parts of an event that depend on the subscription.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventFormat {
    /// Pull notifications carry watermarks, streaming notifications do not.
    pub(crate) watermarks: bool,
    pub(crate) folder_events: bool,
}

impl SubscriptionFilter {
    /// Whether a change produces an event.
    pub(crate) fn matches(&self, change: &LoggedChange) -> bool {
        self.types.contains(&EventType::of(change))
            && change.folders().any(|folder| self.includes_folder(folder))
    }

    fn includes_folder(&self, folder: MailboxFolder) -> bool {
        self.folders.as_ref().is_none_or(|folders| folders.contains(&folder))
    }

    /// The events of some changes, in order, followed by those of the folders.
    pub(crate) fn events<'c>(
        &self,
        changes: impl IntoIterator<Item = &'c LoggedChange>,
        style: EventFormat,
    ) -> Vec<String> {
        let (mut events, mut touched, mut newest) = (Vec::new(), BTreeSet::new(), None);
        for change in changes {
            touched.extend(change.folders().filter(|folder| self.includes_folder(*folder)));
            newest = Some(change);
            if self.matches(change) {
                events.push(self.item_event(change, style));
            }
        }
        if let Some(newest) =
            newest.filter(|_| style.folder_events && self.types.contains(&EventType::Modified))
        {
            events.extend(touched.into_iter().map(|folder| self.folder_event(folder, newest, style)));
        }
        events
    }

    fn item_event(&self, change: &LoggedChange, style: EventFormat) -> String {
        let (name, old) = match change.kind {
            ChangeKind::Created => ("CreatedEvent", None),
            ChangeKind::Modified => ("ModifiedEvent", None),
            ChangeKind::Deleted => ("DeletedEvent", None),
            ChangeKind::Moved { from } => ("MovedEvent", Some(from)),
        };
        let old = old.map(|from| self.place(from, "OldItemId", "OldParentFolderId")).unwrap_or_default();
        let place = self.place(change.revision, "ItemId", "ParentFolderId");
        format!("<t:{name}>{}{place}{old}</t:{name}>", self.head(change, style))
    }

    fn folder_event(&self, folder: MailboxFolder, change: &LoggedChange, style: EventFormat) -> String {
        let parent = folder.parent().unwrap_or(folder);
        format!(
            "<t:ModifiedEvent>{}{}{}</t:ModifiedEvent>",
            self.head(change, style),
            self.folder(folder, "FolderId"),
            self.folder(parent, "ParentFolderId")
        )
    }

    fn head(&self, change: &LoggedChange, style: EventFormat) -> String {
        let mark = Watermark { mailbox: self.mailbox, change: change.number };
        let mark = if style.watermarks { element("Watermark", &mark.encode()) } else { String::new() };
        format!("{mark}{}", element("TimeStamp", &instant(change.at)))
    }

    fn place(&self, place: ItemRevision, item: &str, folder: &str) -> String {
        let at = ItemLocator { mailbox: self.mailbox, item: place.item, occurrence: None };
        format!(
            r#"<t:{item} Id="{}" ChangeKey="{}"/>{}"#,
            ids::item_id(at),
            ids::change_key(place.version),
            self.folder(place.folder, folder)
        )
    }

    fn folder(&self, folder: MailboxFolder, name: &str) -> String {
        let id = ids::folder_id(self.mailbox, folder.number());
        format!(r#"<t:{name} Id="{id}" ChangeKey="{}"/>"#, ids::FOLDER_CHANGE_KEY)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn a_move_is_heard_of_in_both_folders_and_a_folders_own_event_comes_last() {
        let place = |item, folder| ItemRevision { item, version: item, folder };
        let moved = LoggedChange {
            number: 1,
            at: DateTime::UNIX_EPOCH,
            revision: place(2, MailboxFolder::Deleted),
            kind: ChangeKind::Moved { from: place(1, MailboxFolder::Calendar) },
        };
        let interest = |folder, types| SubscriptionFilter { mailbox: 1, folders: Some(vec![folder]), types };
        let style = EventFormat { watermarks: false, folder_events: true };
        for folder in [MailboxFolder::Calendar, MailboxFolder::Deleted] {
            let events =
                interest(folder, vec![EventType::Moved, EventType::Modified]).events([&moved], style);
            assert_eq!(events.len(), 2, "{events:?}");
            assert!(events[0].starts_with("<t:MovedEvent>") && events[0].contains("<t:OldItemId "));
            assert!(events[1].contains("<t:FolderId "), "{events:?}");
        }
        assert!(interest(MailboxFolder::Inbox, vec![EventType::Moved]).events([&moved], style).is_empty());
        assert!(
            interest(MailboxFolder::Calendar, vec![EventType::Created]).events([&moved], style).is_empty()
        );
    }
}
