//! Meetings between mailboxes: invitations, updates, cancellations and responses, and the booking attendant that
//! responds for rooms. Copies change only by mail, which is recorded in the outbox and delivered at once.
//!
//! ```text
//! organizer's copy ── deliver ──► attendees' copies ── booking attendant ──► accepts, or refuses and forgets
//!        ▲                               │
//!        └───────────── reply ───────────┘
//! ```

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::details::{Details, FreeBusyType, InvitationResponse, Person};
use super::event::{Copy, Event, ItemContent, MailMessage, MeetingReference};
use super::folder::MailboxFolder;
use super::ids::ItemLocator;
use super::inbox::response_of;
use super::mailbox::{Mailbox, MailboxKind, key};
use super::outbox::{Mail, MailKind};
use super::series::Series;
use super::views;
use super::world::World;

/// Limit of dates of a series that the booking attendant checks for conflicts.
const CONFLICT_DATES_MAX: usize = 100;
/// Prefix that Exchange puts before the subject of a cancelled meeting.
const CANCELLED_PREFIX: &str = "Canceled: ";

impl World {
    /// Sends an organizer's copy, or one occurrence, to all attendees.
    pub(crate) fn send_invitations(&mut self, at: ItemLocator, kind: MailKind) {
        self.change_event(at, |event, _| {
            event.sequence += u32::from(event.sent);
            event.sent = true;
        });
        let Some((event, details)) = self.as_sent(at) else { return };
        let to = if self.mail_refused { Vec::new() } else { invited(&event, &details) };
        self.send_mail(
            kind,
            &event.organizer,
            &to,
            &details.subject,
            &details.body,
            Some((&event.uid, at.occurrence)),
        );
        for person in &to {
            self.receive_invitation(&person.address, &event, at.occurrence);
            self.deliver_last_mail(
                &person.address,
                &event.uid,
                meeting_reference(&event, &details, at.occurrence, kind),
            );
        }
    }

    /// Sends an organizer's update after a change of the details from `old`. An appointment with new attendees becomes a
    /// meeting. Returns whether an update was sent.
    pub(crate) fn send_update(&mut self, at: ItemLocator, old: &Details) -> bool {
        let meets = |details: &Details| details.attendees().next().is_some();
        let Some((event, details)) = self.as_sent(at) else { return false };
        if event.copy == Copy::Attendee || !(meets(&details) || meets(old)) {
            return false;
        }
        let kind = if event.copy == Copy::Plain { MailKind::Request } else { MailKind::Update };
        self.change_event(at, |event, _| event.copy = Copy::Organizer);
        self.cancel_for_removed_attendees(at, old);
        self.send_invitations(at, kind);
        true
    }

    /// Cancels an organizer's copy, or one occurrence, and returns the recipients of the cancellation.
    pub(crate) fn cancel_meeting(&mut self, at: ItemLocator, text: &str) -> Vec<Person> {
        let Some((event, details)) = self.as_sent(at) else { return Vec::new() };
        let to = invited(&event, &details);
        self.send_cancellation(&event, &details, at.occurrence, &to, text);
        to
    }

    /// Sends a cancellation to attendees who were removed from the meeting.
    fn cancel_for_removed_attendees(&mut self, at: ItemLocator, before: &Details) {
        let Some((event, details)) = self.as_sent(at) else { return };
        let still: BTreeSet<String> =
            details.attendees().map(|attendee| key(&attendee.person.address)).collect();
        let gone: Vec<Person> = invited(&event, before)
            .into_iter()
            .filter(|person| !still.contains(&key(&person.address)))
            .collect();
        self.send_cancellation(&event, before, at.occurrence, &gone, "");
    }

    fn send_cancellation(
        &mut self,
        event: &Event,
        details: &Details,
        occurrence: Option<DateTime<Utc>>,
        to: &[Person],
        text: &str,
    ) {
        if to.is_empty() || self.mail_refused {
            return;
        }
        let subject = format!("{CANCELLED_PREFIX}{}", details.subject);
        self.send_mail(
            MailKind::Cancellation,
            &event.organizer,
            to,
            &subject,
            text,
            Some((&event.uid, occurrence)),
        );
        for person in to {
            self.receive_cancellation(&person.address, &event.uid, occurrence);
            let about = meeting_reference(event, details, occurrence, MailKind::Cancellation);
            self.deliver_last_mail(&person.address, &event.uid, about);
        }
    }

    /// Sends this mailbox's response to the organizer. Does not change its own calendar.
    pub(crate) fn send_response(&mut self, at: ItemLocator, answer: InvitationResponse, text: &str) {
        let Some((event, details)) = self.as_sent(at).filter(|_| !self.mail_refused) else { return };
        let Some(me) = self.mailboxes.get(&at.mailbox).map(Mailbox::person) else { return };
        let (kind, word) = match answer {
            InvitationResponse::Accept => (MailKind::Accept, "Accepted"),
            InvitationResponse::Tentative => (MailKind::Tentative, "Tentative"),
            _ => (MailKind::Decline, "Declined"),
        };
        let subject = format!("{word}: {}", details.subject);
        let to = [event.organizer.clone()];
        self.send_mail(kind, &me, &to, &subject, text, Some((&event.uid, at.occurrence)));
        self.record_response(&event, at.occurrence, &me, answer);
        let about = meeting_reference(&event, &details, at.occurrence, kind);
        self.deliver_last_mail(&event.organizer.address, &event.uid, about);
    }

    /// Delivers the mail that was just sent about a meeting.
    fn deliver_last_mail(&mut self, address: &str, uid: &str, about: MeetingReference) {
        let sent = self.outbox.last().filter(|mail| !self.mail_refused && mail.uid.as_deref() == Some(uid));
        if let Some(mail) = sent.cloned() {
            self.deliver_to_inbox(address, &mail, about);
        }
    }

    /// Records this mailbox's response in the organizer's tracking tab without a mail, as Exchange Online does when an
    /// attendee's copy is removed.
    pub(crate) fn track_response(&mut self, at: ItemLocator, answer: InvitationResponse) {
        let Some((event, _)) = self.as_sent(at) else { return };
        let Some(me) = self.mailboxes.get(&at.mailbox).map(Mailbox::person) else { return };
        self.record_response(&event, at.occurrence, &me, answer);
    }

    /// Records a response in the organizer's tracking tab.
    fn record_response(
        &mut self,
        event: &Event,
        occurrence: Option<DateTime<Utc>>,
        who: &Person,
        answer: InvitationResponse,
    ) {
        let Some(at) = self.find(&event.organizer.address, &event.uid, occurrence) else { return };
        if self.get(at).is_none_or(|event| event.copy != Copy::Organizer) {
            return;
        }
        let now = self.now;
        let own = self.addresses_of(&who.address);
        let note = |details: &mut Details| {
            for attendee in details.attendees_mut() {
                if own.contains(&key(&attendee.person.address)) {
                    attendee.response = answer;
                    attendee.responded_at = Some(now);
                }
            }
        };
        self.change(at, &[], note);
    }

    /// Processes an invitation or an update in the attendee's mailbox.
    fn receive_invitation(&mut self, address: &str, event: &Event, occurrence: Option<DateTime<Utc>>) {
        let Some(mailbox) = self.mailbox(address).map(Mailbox::head) else { return };
        let row = match (self.find(address, &event.uid, None), occurrence) {
            (None, None) => {
                let mine = attendee_copy(event, &mailbox);
                self.insert_item(mailbox.number, MailboxFolder::Calendar, ItemContent::Event(Box::new(mine)))
            }
            (None, Some(_)) => None,
            (Some(row), None) => {
                let mine = attendee_copy(event, &mailbox);
                self.change_event(row, |old, version| replace(old, mine, version)).map(|()| row)
            }
            (Some(row), Some(start)) => self.receive_exception(row, event, start, &mailbox),
        };
        if let Some(row) = row
            && mailbox.kind != MailboxKind::User
            && mailbox.booking.automatic
        {
            self.run_booking_attendant(ItemLocator { occurrence, ..row });
        }
    }

    fn receive_exception(
        &mut self,
        row: ItemLocator,
        event: &Event,
        start: DateTime<Utc>,
        mailbox: &Mailbox,
    ) -> Option<ItemLocator> {
        let sent = event.series.as_ref()?.exceptions.get(&start)?.details.clone();
        let mine = adapted(sent, &event.organizer, mailbox);
        self.change_event(row, |old, _| {
            if let Some(series) = &mut old.series {
                series.deleted.remove(&start);
            }
        })?;
        self.change(ItemLocator { occurrence: Some(start), ..row }, &ALL_PROPERTIES, |details| {
            *details = mine
        })?;
        Some(row)
    }

    /// The booking attendant: accepts what fits; declines and removes conflicts.
    fn run_booking_attendant(&mut self, at: ItemLocator) {
        let Some(booking) = self.mailboxes.get(&at.mailbox).map(|mailbox| mailbox.booking) else { return };
        let refusal = if self.is_over(at) {
            Some("The meeting is over.")
        } else if booking.refuse_conflicts && self.is_taken(at) {
            Some("The room is already booked at this time.")
        } else {
            None
        };
        match refusal {
            None => {
                self.set_own_response(at, InvitationResponse::Accept);
                self.send_response(at, InvitationResponse::Accept, "");
            }
            Some(text) => {
                self.send_response(at, InvitationResponse::Decline, text);
                self.delete_without_trace(at);
            }
        }
    }

    /// Sets this mailbox's own response on its own copy.
    pub(crate) fn set_own_response(&mut self, at: ItemLocator, answer: InvitationResponse) {
        let now = self.now;
        self.change(at, &["MyResponseType"], |details| {
            details.my_response = answer;
            details.responded_at = Some(now);
            if answer == InvitationResponse::Tentative {
                details.busy = FreeBusyType::Tentative;
            }
        });
    }

    /// Keeps a declined meeting in the calendar, shown as free.
    pub(crate) fn keep_declined(&mut self, at: ItemLocator) {
        self.set_own_response(at, InvitationResponse::Decline);
        self.change(at, &["LegacyFreeBusyStatus"], |details| details.busy = FreeBusyType::Free);
    }

    fn is_over(&self, at: ItemLocator) -> bool {
        let Some(mailbox) = self.mailboxes.get(&at.mailbox) else { return false };
        views::view(mailbox, at).is_ok_and(|view| {
            view.end <= self.now && (at.occurrence.is_some() || view.event.series.is_none())
        })
    }

    fn is_taken(&self, at: ItemLocator) -> bool {
        let Some(mailbox) = self.mailboxes.get(&at.mailbox) else { return false };
        let Ok(view) = views::view(mailbox, at) else { return false };
        let length = view.end - view.start;
        let dates: Vec<DateTime<Utc>> = match (at.occurrence, &view.event.series) {
            (None, Some(series)) => series.starts(view.start).take(CONFLICT_DATES_MAX).collect(),
            _ => vec![view.start],
        };
        dates.into_iter().any(|start| {
            views::window(mailbox, start, start + length).iter().any(|other| {
                let same = other.item.number == at.item
                    && (at.occurrence.is_none() || other.original_start == at.occurrence);
                !same && other.details.busy != FreeBusyType::Free && !other.details.is_cancelled()
            })
        })
    }

    /// Removes a row, or one date of it, without leaving it in Deleted Items.
    pub(crate) fn delete_without_trace(&mut self, at: ItemLocator) {
        match at.occurrence {
            Some(start) => {
                self.delete_occurrence(at, start);
            }
            None => {
                self.remove_item(at);
            }
        }
    }

    /// Removes a meeting from the calendar: a whole one to Deleted Items, an occurrence permanently.
    pub(crate) fn remove_from_calendar(&mut self, at: ItemLocator) -> Option<ItemLocator> {
        if at.occurrence.is_some() {
            self.delete_without_trace(at);
            return None;
        }
        self.move_item(at, MailboxFolder::Deleted)
    }

    fn receive_cancellation(&mut self, address: &str, uid: &str, occurrence: Option<DateTime<Utc>>) {
        let Some(mailbox) = self.mailbox(address).map(Mailbox::head) else { return };
        let Some(at) = self.find(address, uid, occurrence) else { return };
        if mailbox.kind != MailboxKind::User && mailbox.booking.automatic && mailbox.booking.remove_cancelled
        {
            self.delete_without_trace(at);
        } else {
            self.change(at, &ALL_PROPERTIES, mark_cancelled);
        }
    }

    /// Records a mail in the outbox.
    pub(crate) fn send_mail(
        &mut self,
        kind: MailKind,
        from: &Person,
        to: &[Person],
        subject: &str,
        text: &str,
        about: Option<(&str, Option<DateTime<Utc>>)>,
    ) {
        if to.is_empty() || self.mail_refused {
            return;
        }
        let mail = Mail {
            at: self.now,
            from: from.address.clone(),
            to: to.iter().map(|person| person.address.clone()).collect(),
            kind,
            subject: subject.to_owned(),
            text: text.to_owned(),
            uid: about.map(|(uid, _)| uid.to_owned()),
            occurrence: about.and_then(|(_, occurrence)| occurrence),
            undeliverable: to.iter().any(|person| self.is_undeliverable(&person.address)),
        };
        self.record_mail(mail);
    }

    /// Saves a copy of the last mail in Sent Items. It refers to the meeting if the sender still has it.
    pub(crate) fn save_to_sent_items(&mut self, mailbox: u32) -> Option<ItemLocator> {
        let mail = self.outbox.last().filter(|_| !self.mail_refused)?.clone();
        let from = self.mailboxes.get(&mailbox).map(Mailbox::person)?;
        let about = mail.uid.as_deref().and_then(|uid| {
            let (event, details) = self.as_sent(self.find(&mail.from, uid, mail.occurrence)?)?;
            Some(Box::new(meeting_reference(&event, &details, mail.occurrence, mail.kind)))
        });
        let to = mail.to.iter().map(|address| self.person(address)).collect();
        let message = MailMessage {
            class: mail.kind.class(),
            subject: mail.subject,
            body: mail.text,
            from,
            to,
            meeting: about,
        };
        self.insert_item(mailbox, MailboxFolder::Sent, ItemContent::Message(message))
    }

    /// The directory's name for an address.
    pub(crate) fn person(&self, address: &str) -> Person {
        self.mailbox(address).map_or_else(|| Person::new(address, address), Mailbox::person)
    }

    /// An organizer's copy as sent: the event, and the details of the occurrence.
    fn as_sent(&self, at: ItemLocator) -> Option<(Event, Details)> {
        let view = views::view(self.mailboxes.get(&at.mailbox)?, at).ok()?;
        let mut details = view.details.clone();
        (details.start, details.end) = (view.start, view.end);
        Some((view.event.clone(), details))
    }

    // Actions of people.

    /// The organizer changes a meeting, or one occurrence, and sends an update. Also works for organizers without a
    /// mailbox here: then only the copies change.
    pub fn organizer_changes(
        &mut self,
        uid: &str,
        occurrence: Option<DateTime<Utc>>,
        mut change: impl FnMut(&mut Details),
    ) {
        let Some(organizer) = self.organizer_of(uid) else { return };
        if let Some(at) = self.find(&organizer.address, uid, occurrence) {
            self.edit(at, &mut change);
            self.send_invitations(at, MailKind::Update);
            return;
        }
        for address in self.holders(uid) {
            if let Some(at) = self.find(&address, uid, occurrence) {
                self.edit(at, &mut change);
            }
        }
    }

    /// The organizer cancels a meeting, or one occurrence. Rooms that remove cancelled meetings delete their copy; other
    /// mailboxes keep it, marked cancelled.
    pub fn organizer_cancels(&mut self, uid: &str, occurrence: Option<DateTime<Utc>>) {
        let Some(organizer) = self.organizer_of(uid) else { return };
        match self.find(&organizer.address, uid, occurrence) {
            Some(at) => {
                self.cancel_meeting(at, "");
                self.delete_without_trace(at);
            }
            None => {
                for address in self.holders(uid) {
                    self.receive_cancellation(&address, uid, occurrence);
                }
            }
        }
    }

    /// Changes the copy in one mailbox without sending mail.
    pub fn changes(
        &mut self,
        address: &str,
        uid: &str,
        occurrence: Option<DateTime<Utc>>,
        mut change: impl FnMut(&mut Details),
    ) {
        if let Some(at) = self.find(address, uid, occurrence) {
            self.edit(at, &mut change);
        }
    }

    /// Deletes the copy in one mailbox without sending mail.
    pub fn deletes(&mut self, address: &str, uid: &str, occurrence: Option<DateTime<Utc>>) {
        let Some(at) = self.find(address, uid, occurrence) else { return };
        match occurrence {
            Some(_) => self.delete_without_trace(at),
            None => {
                self.move_item(at, MailboxFolder::Deleted);
            }
        }
    }

    fn edit(&mut self, at: ItemLocator, change: &mut impl FnMut(&mut Details)) {
        let Some((_, before)) = self.as_sent(at) else { return };
        let mut after = before.clone();
        change(&mut after);
        self.change(at, &differences(&before, &after), |details| *details = after);
    }

    fn organizer_of(&self, uid: &str) -> Option<Person> {
        self.mailboxes().find_map(|mailbox| Some(mailbox.by_uid(uid)?.event()?.organizer.clone()))
    }

    fn holders(&self, uid: &str) -> Vec<String> {
        self.mailboxes()
            .filter(|mailbox| mailbox.by_uid(uid).is_some())
            .map(|mailbox| mailbox.address.clone())
            .collect()
    }
}

/// The reference to the meeting in a mail.
fn meeting_reference(
    event: &Event,
    details: &Details,
    occurrence: Option<DateTime<Utc>>,
    kind: MailKind,
) -> MeetingReference {
    MeetingReference {
        uid: event.uid.clone(),
        start: details.start,
        end: details.end,
        location: details.location.clone(),
        occurrence,
        response: response_of(kind),
        is_processed: false,
    }
}

/// The properties that a delivered update may change.
const ALL_PROPERTIES: [&str; 9] = [
    "Start",
    "End",
    "Subject",
    "Body",
    "Location",
    "LegacyFreeBusyStatus",
    "Sensitivity",
    "Attendees",
    "IsAllDayEvent",
];

fn differences(before: &Details, after: &Details) -> Vec<&'static str> {
    let people = |details: &Details| details.attendees().cloned().collect::<Vec<_>>();
    [
        ("Start", before.start != after.start),
        ("End", before.end != after.end),
        ("Subject", before.subject != after.subject),
        ("Body", before.body != after.body),
        ("Location", before.location != after.location),
        ("LegacyFreeBusyStatus", before.busy != after.busy),
        ("Sensitivity", before.sensitivity != after.sensitivity),
        ("Attendees", people(before) != people(after)),
    ]
    .into_iter()
    .filter_map(|(property, differs)| differs.then_some(property))
    .collect()
}

/// All attendees except the organizer.
fn invited(event: &Event, details: &Details) -> Vec<Person> {
    let organizer = key(&event.organizer.address);
    details
        .attendees()
        .filter(|attendee| key(&attendee.person.address) != organizer)
        .map(|attendee| attendee.person.clone())
        .collect()
}

/// The copy that a mailbox gets of an organizer's event.
pub(crate) fn attendee_copy(event: &Event, mailbox: &Mailbox) -> Event {
    let adapt = |details: &Details| adapted(details.clone(), &event.organizer, mailbox);
    let series = event.series.as_ref().map(|series| {
        let mut mine = Series::clone(series);
        for exception in mine.exceptions.values_mut() {
            exception.details = adapt(&exception.details);
        }
        mine
    });
    Event { copy: Copy::Attendee, details: adapt(&event.details), series, sent: true, ..event.clone() }
}

fn adapted(mut details: Details, organizer: &Person, mailbox: &Mailbox) -> Details {
    details.my_response = InvitationResponse::None;
    details.responded_at = None;
    for attendee in details.attendees_mut() {
        attendee.responded_at = None;
    }
    if mailbox.kind != MailboxKind::User {
        details.reminder_minutes = None;
        if mailbox.booking.organizer_as_subject && !organizer.name.is_empty() {
            details.subject.clone_from(&organizer.name);
        }
        if mailbox.booking.drop_body {
            details.body.clear();
        }
    }
    details
}

fn replace(old: &mut Event, mut new: Event, version: u64) {
    new.touched = ALL_PROPERTIES.iter().map(|property| ((*property).to_owned(), version)).collect();
    new.details.my_response = old.details.my_response;
    *old = new;
}

/// Marks details as those of a cancelled meeting.
pub(crate) fn mark_cancelled(details: &mut Details) {
    details.cancelled = true;
    details.cancelled_state = None;
    details.busy = FreeBusyType::Free;
    if !details.subject.starts_with(CANCELLED_PREFIX) {
        details.subject.insert_str(0, CANCELLED_PREFIX);
    }
}
