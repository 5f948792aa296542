//! Meeting messages in Inboxes: requests, cancellations and responses. Rooms with automatic processing keep none.
//! Changes no calendar.

use super::details::{InvitationResponse, Person};
use super::event::{ItemContent, MailMessage, MeetingReference};
use super::folder::MailboxFolder;
use super::ids::ItemLocator;
use super::mailbox::{Mailbox, MailboxKind};
use super::outbox::{Mail, MailKind};
use super::world::World;

/// Limit of messages in an Inbox, more than a busy person gets in a day; the oldest are dropped.
const INBOX_MAX: usize = 1_000;

impl World {
    /// Delivers a mail about a meeting to the Inbox of a recipient.
    pub(super) fn deliver_to_inbox(&mut self, address: &str, mail: &Mail, about: MeetingReference) {
        let Some(mailbox) = self.mailbox(address).filter(|mailbox| reads_mail(mailbox)) else { return };
        let number = mailbox.number;
        let inbox = mailbox.folder(MailboxFolder::Inbox);
        let oldest = mailbox.folder(MailboxFolder::Inbox).next().map(|item| item.number);
        if let Some(item) = oldest.filter(|_| inbox.count() >= INBOX_MAX) {
            self.remove_item(ItemLocator { mailbox: number, item, occurrence: None });
        }
        let message = MailMessage {
            class: mail.kind.class(),
            subject: mail.subject.clone(),
            body: mail.text.clone(),
            from: self.person(&mail.from),
            to: mail.to.iter().map(|address| self.person(address)).collect::<Vec<Person>>(),
            meeting: Some(Box::new(about)),
        };
        self.insert_item(number, MailboxFolder::Inbox, ItemContent::Message(message));
    }

    /// Marks a meeting message as processed and moves it to Deleted Items.
    pub(crate) fn complete_message(&mut self, at: Option<ItemLocator>) {
        if let Some(at) = at {
            self.mark_processed(at);
            self.move_item(at, MailboxFolder::Deleted);
        }
    }
}

/// The response that a mail of this kind carries.
pub(super) fn response_of(kind: MailKind) -> InvitationResponse {
    match kind {
        MailKind::Accept => InvitationResponse::Accept,
        MailKind::Tentative => InvitationResponse::Tentative,
        MailKind::Decline => InvitationResponse::Decline,
        _ => InvitationResponse::Unknown,
    }
}

fn reads_mail(mailbox: &Mailbox) -> bool {
    mailbox.kind == MailboxKind::User || !mailbox.booking.automatic
}
