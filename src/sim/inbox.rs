//! Meeting messages in the Inboxes of people: invitations, cancellations and answers. Rooms whose booking attendant works by
//! itself keep none.

use super::event::{About, Answer, Content, Message, Person};
use super::ids::ItemRef;
use super::outbox::{Mail, MailKind};
use super::world::{Folder, Mailbox, MailboxKind, World};

/// Messages that an Inbox keeps; the oldest go first. More than a day's of a busy person.
const INBOX_MAX: usize = 1_000;

impl World {
    /// Puts a mail about a meeting into the Inbox of one of its receivers.
    pub(super) fn arrive(&mut self, address: &str, mail: &Mail, about: About) {
        let Some(mailbox) = self.mailbox(address).filter(|mailbox| reads_mail(mailbox)) else { return };
        let number = mailbox.number;
        let inbox = mailbox.folder(Folder::Inbox);
        let oldest = mailbox.folder(Folder::Inbox).next().map(|item| item.number);
        if let Some(item) = oldest.filter(|_| inbox.count() >= INBOX_MAX) {
            self.take(ItemRef { mailbox: number, item, occurrence: None });
        }
        let message = Message {
            class: mail.kind.class(),
            subject: mail.subject.clone(),
            body: mail.text.clone(),
            from: self.person(&mail.from),
            to: mail.to.iter().map(|address| self.person(address)).collect::<Vec<Person>>(),
            about: Some(Box::new(about)),
        };
        self.put(number, Folder::Inbox, Content::Message(message));
    }

    /// A message that was answered has done its work.
    pub(crate) fn finish_message(&mut self, at: Option<ItemRef>) {
        if let Some(at) = at {
            self.mark_processed(at);
            self.shift(at, Folder::Deleted);
        }
    }
}

/// What a mail of this kind answers.
pub(super) fn answer_of(kind: MailKind) -> Answer {
    match kind {
        MailKind::Accept => Answer::Accept,
        MailKind::Tentative => Answer::Tentative,
        MailKind::Decline => Answer::Decline,
        _ => Answer::Unknown,
    }
}

fn reads_mail(mailbox: &Mailbox) -> bool {
    mailbox.kind == MailboxKind::User || !mailbox.booking.automatic
}
