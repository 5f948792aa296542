//! Reads a calendar: rows become events, series become occurrences. Changes nothing.

use chrono::{DateTime, TimeDelta, Utc};

use super::details::{Details, PropertyVersions};
use super::event::{Copy, Event, StoredItem};
use super::folder::MailboxFolder;
use super::ids::{self, ItemLocator};
use super::immutable_ids::ImmutableId;
use super::mailbox::Mailbox;

/// `CalendarItemType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SeriesRole {
    /// A single event.
    Single,
    /// An unmodified occurrence of a series.
    Occurrence,
    /// A modified occurrence of a series.
    Exception,
    /// The series itself.
    Master,
}

impl SeriesRole {
    /// The spelling on the wire.
    pub fn wire_name(self) -> &'static str {
        match self {
            Self::Single => "Single",
            Self::Occurrence => "Occurrence",
            Self::Exception => "Exception",
            Self::Master => "RecurringMaster",
        }
    }
}

/// An event as a client sees it: a single event, an occurrence, an exception or a master.
#[derive(Clone, Copy)]
pub(crate) struct EventInstance<'a> {
    pub(crate) mailbox: &'a Mailbox,
    pub(crate) item: &'a StoredItem,
    pub(crate) event: &'a Event,
    pub(crate) role: SeriesRole,
    /// The properties; for an unmodified occurrence those of the master, except for the times.
    pub(crate) details: &'a Details,
    pub(crate) touched: &'a PropertyVersions,
    pub(crate) start: DateTime<Utc>,
    pub(crate) end: DateTime<Utc>,
    pub(crate) original_start: Option<DateTime<Utc>>,
}

impl EventInstance<'_> {
    pub(crate) fn at(&self) -> ItemLocator {
        ItemLocator { mailbox: self.mailbox.number, item: self.item.number, occurrence: self.original_start }
    }

    /// An exception has another id than its occurrence had, unless the world keeps it.
    pub(crate) fn id(&self) -> String {
        match self.role {
            SeriesRole::Exception if !self.mailbox.keeps_exception_ids => ids::exception_id(self.at()),
            _ => ids::item_id(self.at()),
        }
    }

    /// `AppointmentState`. Bit 1: meeting; bit 2: received; bit 4: cancelled.
    pub(crate) fn appointment_state(&self) -> i64 {
        let role = match self.event.copy {
            Copy::Plain => 0,
            Copy::Organizer => 1,
            Copy::Attendee => 3,
        };
        role | if self.details.state_is_cancelled() { 4 } else { 0 }
    }

    /// The id that Graph gives the event under `IdType="ImmutableId"`.
    pub(crate) fn immutable_id(&self) -> String {
        let (mailbox, identity) = (self.mailbox.number, self.item.identity);
        ImmutableId { mailbox, identity, occurrence: self.original_start }.encode()
    }

    /// The row's change key: a series is one row, so a change to one occurrence changes the key of all.
    pub(crate) fn change_key(&self) -> String {
        ids::change_key(self.item.version)
    }
}

/// Why an occurrence cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    NotFound,
    Deleted,
}

/// The event at a location.
pub(crate) fn view(mailbox: &Mailbox, at: ItemLocator) -> Result<EventInstance<'_>, Missing> {
    let item = mailbox.items.get(&at.item).ok_or(Missing::NotFound)?;
    let event = item.event().ok_or(Missing::NotFound)?;
    match at.occurrence {
        None => Ok(row(mailbox, item, event)),
        Some(start) => date(mailbox, item, event, start),
    }
}

fn row<'a>(mailbox: &'a Mailbox, item: &'a StoredItem, event: &'a Event) -> EventInstance<'a> {
    let kind = if event.series.is_some() { SeriesRole::Master } else { SeriesRole::Single };
    let (details, touched) = (&event.details, &event.touched);
    let (start, end) = (details.start, details.end);
    EventInstance { mailbox, item, event, role: kind, details, touched, start, end, original_start: None }
}

fn date<'a>(
    mailbox: &'a Mailbox,
    item: &'a StoredItem,
    event: &'a Event,
    original_start: DateTime<Utc>,
) -> Result<EventInstance<'a>, Missing> {
    let series = event.series.as_ref().ok_or(Missing::NotFound)?;
    if series.deleted.contains(&original_start) {
        return Err(Missing::Deleted);
    }
    if !series.has(event.details.start, original_start) {
        return Err(Missing::NotFound);
    }
    let mut view = row(mailbox, item, event);
    view.original_start = Some(original_start);
    match series.exceptions.get(&original_start) {
        Some(exception) => {
            view.role = SeriesRole::Exception;
            view.details = &exception.details;
            view.touched = &exception.touched;
            (view.start, view.end) = (exception.details.start, exception.details.end);
        }
        None => {
            view.role = SeriesRole::Occurrence;
            (view.start, view.end) =
                (original_start, original_start + (event.details.end - event.details.start));
        }
    }
    Ok(view)
}

/// Single events and occurrences that overlap `from..to`, by start.
pub(crate) fn window(mailbox: &Mailbox, from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<EventInstance<'_>> {
    let mut views = calendar_view(mailbox, from, to);
    views.retain(|view| view.end > from);
    views
}

/// The contents of a `CalendarView`: single events and occurrences, by start. An event that ends exactly at the start of
/// the view is included; one that begins at its end is not.
pub(crate) fn calendar_view(
    mailbox: &Mailbox,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<EventInstance<'_>> {
    let mut views: Vec<EventInstance<'_>> = mailbox
        .folder(MailboxFolder::Calendar)
        .filter_map(|item| Some((item, item.event()?)))
        .flat_map(|(item, event)| expand(mailbox, item, event, from, to))
        .filter(|view| view.end >= from && view.start < to)
        .collect();
    views.sort_by_key(|view| (view.start, view.item.number));
    views
}

fn expand<'a>(
    mailbox: &'a Mailbox,
    item: &'a StoredItem,
    event: &'a Event,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Vec<EventInstance<'a>> {
    let Some(series) = &event.series else { return vec![row(mailbox, item, event)] };
    let length: TimeDelta = event.details.end - event.details.start;
    let regular = series
        .starts_in(event.details.start, from - length, to)
        .filter(|start| !series.exceptions.contains_key(start));
    let changed = series.exceptions.keys().copied();
    regular.chain(changed).filter_map(|start| date(mailbox, item, event, start).ok()).collect()
}
