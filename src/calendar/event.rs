//! Events, and whose copy an event is. Values only.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{ChangeKey, EventId, Uid, Window};

/// One item on a room's calendar: a single event, an occurrence, an exception, or a series master. A calendar view never returns
/// a master; it is read by its id when a caller deletes the whole series.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The id of the item.
    pub id: EventId,
    /// The version that was read.
    pub change_key: ChangeKey,
    /// Shared by all copies of the meeting and all occurrences of the series.
    pub uid: Option<Uid>,
    /// The start that an occurrence has by its series, before it was moved.
    pub original_start: Option<DateTime<Utc>>,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
    /// The subject. On room calendars usually the organizer's name, with which the booking attendant replaces it.
    pub subject: Option<String>,
    /// The organizer.
    pub organizer: Option<Person>,
    /// Single event, occurrence, exception or series master.
    pub kind: EventKind,
    /// Whose copy it is; `None` when the server's properties do not show it, and then no action is allowed.
    pub copy: Option<Copy>,
    /// It takes whole days: often a note, seldom a meeting in the room.
    pub is_all_day: bool,
    /// The organizer cancelled the meeting, but the item is still on the calendar.
    pub is_cancelled: bool,
    /// The room declined the meeting, and its calendar keeps the declined item (`PreserveDeclinedMeetings`, other servers).
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_declined: bool,
    /// The free/busy status.
    #[serde(default, skip_serializing_if = "FreeBusy::is_busy")]
    pub free_busy: FreeBusy,
    /// Marked private, personal or confidential, where the room's calendar processing keeps the mark.
    pub is_private: bool,
    /// When the item was created, if known.
    pub created: Option<DateTime<Utc>>,
    /// When the item was last written to by anyone, if known (`LastModifiedTime`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<DateTime<Utc>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// The free/busy status of an item (`LegacyFreeBusyStatus`).
#[derive(Debug, Clone, std::marker::Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FreeBusy {
    /// Does not occupy the room: Exchange books other meetings over it.
    Free,
    /// Tentatively accepted. Occupies the room.
    Tentative,
    /// Occupies the room. Also the status of an item for which the server returns none.
    #[default]
    Busy,
    /// Out of office. Occupies the room.
    OutOfOffice,
    /// Working elsewhere. Occupies the room.
    WorkingElsewhere,
}

impl FreeBusy {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
    fn is_busy(&self) -> bool {
        *self == Self::Busy
    }
}

/// The relation of an event to its series.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(utoipa::ToSchema))]
pub enum EventKind {
    /// An event without a series.
    Single,
    /// A date of a series, unchanged.
    Occurrence,
    /// A changed date of a series.
    Exception,
    /// The series master; its times are those of the first date.
    Series,
}

impl EventKind {
    /// Whether the event is one date of a series.
    pub fn is_date_of_series(self) -> bool {
        matches!(self, Self::Occurrence | Self::Exception)
    }
}

/// A series, and which of its dates were changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The series master.
    pub master: Event,
    /// The changed dates, with their times.
    pub exceptions: Vec<ModifiedOccurrence>,
}

/// A date of a series that was changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModifiedOccurrence {
    /// Its own id.
    pub id: EventId,
    /// First instant.
    pub start: DateTime<Utc>,
    /// First instant after.
    pub end: DateTime<Utc>,
}

/// Whose copy of a meeting an item is. It decides which operations are possible and who is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(utoipa::ToSchema))]
pub enum Copy {
    /// Someone else organizes the meeting and invited the room. The normal room booking.
    Attendee,
    /// The room organizes the meeting, and there are attendees.
    Organizer,
    /// Not a meeting: an event without attendees.
    Plain,
}

/// A person or mailbox behind an event.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Person {
    /// Display name.
    pub name: Option<String>,
    /// SMTP address; `None` when the server returned only an X.500 one.
    pub address: Option<String>,
    /// The X.500 address (`legacyExchangeDN`), when the server returned that instead of an SMTP address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legacy_dn: Option<String>,
}

/// The properties that show whose copy an item is. Servers omit those that their version does not have.
#[derive(Debug, Clone, std::marker::Copy, PartialEq, Eq, Default)]
pub struct CopyClues {
    /// `IsMeeting`.
    pub is_meeting: Option<bool>,
    /// `IsOrganizer` (Exchange 2013 and later).
    pub is_organizer: Option<bool>,
    /// `MyResponseType` is `Organizer`. Plain events have that too, so it decides only after `IsMeeting`.
    pub responded_as_organizer: Option<bool>,
    /// `AppointmentState`: bit 1 meeting, bit 2 received, bit 4 cancelled (MS-OXWSMTGS R514).
    pub appointment_state: Option<i32>,
}

/// `AppointmentState` bit: the item is a meeting.
const STATE_MEETING: i32 = 1;
/// `AppointmentState` bit: the item was received, so someone else organized it.
const STATE_RECEIVED: i32 = 2;
/// `AppointmentState` bit: the meeting was cancelled.
const STATE_CANCELLED: i32 = 4;

impl CopyClues {
    /// Whether `AppointmentState` has the bit of a cancelled meeting.
    pub fn state_is_cancelled(self) -> bool {
        self.appointment_state.is_some_and(|state| state & STATE_CANCELLED != 0)
    }
}

impl Copy {
    /// Determines the copy; `None` where two properties contradict each other: a wrong guess would send mail in the room's name or
    /// change the wrong copy.
    pub fn from_clues(clues: CopyClues) -> Option<Self> {
        let by_state = clues.appointment_state.map(|state| state & STATE_MEETING != 0);
        if !agreed([clues.is_meeting, by_state])? {
            return Some(Self::Plain);
        }
        let by_state = clues.appointment_state.map(|state| state & STATE_RECEIVED == 0);
        let is_organizer = agreed([clues.is_organizer, clues.responded_as_organizer, by_state])?;
        Some(if is_organizer { Self::Organizer } else { Self::Attendee })
    }
}

/// The common value of the clues that are set; `None` when none is set or two contradict each other.
fn agreed<const N: usize>(clues: [Option<bool>; N]) -> Option<bool> {
    let mut set = clues.into_iter().flatten();
    let first = set.next()?;
    set.all(|other| other == first).then_some(first)
}

impl Event {
    /// Whether the event is on at `now`.
    pub fn is_on(&self, now: DateTime<Utc>) -> bool {
        self.start <= now && now < self.end
    }

    /// Whether the event occupies the room: not cancelled, not declined, not shown as Free, and of some length.
    pub fn occupies_room(&self) -> bool {
        !self.is_cancelled && !self.is_declined && self.free_busy != FreeBusy::Free && self.start < self.end
    }

    /// The booked length.
    pub fn duration(&self) -> TimeDelta {
        self.end - self.start
    }

    /// Whether the event overlaps the window.
    pub fn overlaps(&self, window: &Window) -> bool {
        self.start < window.end() && window.start() < self.end
    }

    /// The identity that stays the same when the event moves to another folder or time: UID and place in the series.
    pub fn identity(&self) -> Option<(&Uid, DateTime<Utc>)> {
        let uid = self.uid.as_ref()?;
        Some((uid, self.original_start.unwrap_or(self.start)))
    }
}

impl Event {
    /// An event of which the id and the times alone are known: it takes its time, and no action touches it.
    pub(crate) fn opaque(id: EventId, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self {
            id,
            change_key: ChangeKey::new(""),
            uid: None,
            original_start: None,
            start,
            end,
            subject: None,
            organizer: None,
            kind: EventKind::Single,
            copy: None,
            is_all_day: false,
            is_cancelled: false,
            is_declined: false,
            free_busy: FreeBusy::Busy,
            is_private: true,
            created: None,
            modified: None,
        }
    }
}

#[cfg(test)]
impl Event {
    /// An attendee copy of a single meeting, about which nothing else is known; tests say what matters to them.
    pub(crate) fn sample(id: &str, start: DateTime<Utc>, end: DateTime<Utc>) -> Self {
        Self {
            change_key: ChangeKey::new("1"),
            copy: Some(Copy::Attendee),
            is_private: false,
            ..Self::opaque(EventId::new(id), start, end)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clues(
        is_meeting: Option<bool>,
        organizer: Option<bool>,
        response: Option<bool>,
        state: Option<i32>,
    ) -> CopyClues {
        CopyClues {
            is_meeting,
            is_organizer: organizer,
            responded_as_organizer: response,
            appointment_state: state,
        }
    }

    #[test]
    fn a_plain_event_says_organizer_and_is_still_plain() {
        assert_eq!(Copy::from_clues(clues(Some(false), Some(true), Some(true), Some(0))), Some(Copy::Plain));
    }

    #[test]
    fn received_meetings_are_attendee_copies_even_when_cancelled() {
        assert_eq!(
            Copy::from_clues(clues(Some(true), Some(false), Some(false), Some(3))),
            Some(Copy::Attendee)
        );
        assert_eq!(Copy::from_clues(clues(Some(true), None, Some(false), Some(7))), Some(Copy::Attendee));
        assert_eq!(Copy::from_clues(clues(None, None, None, Some(3))), Some(Copy::Attendee));
    }

    #[test]
    fn the_rooms_own_meetings_are_organizer_copies() {
        assert_eq!(
            Copy::from_clues(clues(Some(true), Some(true), Some(true), Some(1))),
            Some(Copy::Organizer)
        );
        assert_eq!(Copy::from_clues(clues(Some(true), None, Some(true), None)), Some(Copy::Organizer));
    }

    #[test]
    fn contradictions_and_silence_are_no_knowledge() {
        assert_eq!(Copy::from_clues(CopyClues::default()), None);
        assert_eq!(Copy::from_clues(clues(Some(true), None, None, None)), None);
        assert_eq!(Copy::from_clues(clues(Some(false), None, None, Some(3))), None);
        assert_eq!(Copy::from_clues(clues(Some(true), Some(true), Some(false), None)), None);
        assert_eq!(Copy::from_clues(clues(Some(true), Some(true), Some(true), Some(3))), None);
    }
}
