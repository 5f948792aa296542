//! Converts a calendar item of EWS into an event of the engine. Pure; guesses no missing value.

use crate::calendar::{
    ChangeKey, Copy, CopyClues, Event, EventId, EventKind, FreeBusy, ModifiedOccurrence, Person, Series, Uid,
};
use crate::ews::types::{
    CalendarItem, CalendarItemType, FreeBusyStatus, Mailbox, Occurrence, ResponseType, Sensitivity,
};

/// Bytes of an id, ChangeKey or UID. Exchange's have some 200; a UID comes from any calendar program.
pub(super) const ID_BYTES_MAX: usize = 2 << 10;
/// Bytes of a subject. Exchange allows 255 characters.
pub(super) const SUBJECT_BYTES_MAX: usize = 4 << 10;
/// Bytes of an organizer's name or address. Exchange allows 256 characters, and 1 KB for an X.500 address.
pub(super) const PERSON_BYTES_MAX: usize = 2 << 10;

/// The event, or the name of the missing property.
pub(super) fn event(item: &CalendarItem<'_>) -> Result<Event, &'static str> {
    let id = item.item_id.as_ref().filter(|id| !id.id.is_empty()).ok_or("ItemId")?;
    let change_key = id.change_key.as_ref().filter(|key| !key.is_empty()).ok_or("ChangeKey")?;
    has_usable_text(item)?;
    let (start, end) = (item.start.ok_or("Start")?, item.end.ok_or("End")?);
    if end < start {
        return Err("an End that is not before its Start");
    }
    let kind = kind(item);
    Ok(Event {
        id: EventId::new(&*id.id),
        change_key: ChangeKey::new(&**change_key),
        uid: item.uid.as_deref().map(Uid::new),
        original_start: match kind {
            Some(kind) if kind.is_date_of_series() => item.original_start.or(item.recurrence_id),
            _ => None,
        },
        start,
        end,
        subject: item.subject.as_deref().map(str::to_owned),
        organizer: item.organizer.as_ref().map(person),
        kind: kind.unwrap_or(EventKind::Single),
        copy: kind.and_then(|_| Copy::from_clues(clues(item))),
        is_all_day: item.is_all_day_event.unwrap_or(false),
        is_cancelled: item.is_cancelled.unwrap_or(false) || clues(item).state_is_cancelled(),
        is_declined: item.my_response_type == Some(ResponseType::Decline),
        free_busy: item.legacy_free_busy_status.as_ref().map_or_else(FreeBusy::default, free_busy),
        is_private: item.sensitivity.as_ref().is_some_and(|mark| *mark != Sensitivity::Normal),
        created: item.date_time_created,
        modified: item.last_modified_time,
    })
}

/// Checks that no text is longer than Exchange allows: it is kept as long as the event is.
fn has_usable_text(item: &CalendarItem<'_>) -> Result<(), &'static str> {
    let fits = |text: Option<&str>, max: usize| text.is_none_or(|text| text.len() <= max);
    let key = item.item_id.as_ref().and_then(|id| id.change_key.as_deref());
    let organizer = item.organizer.as_ref();
    let texts = [
        (item.item_id.as_ref().map(|id| &*id.id), ID_BYTES_MAX, "an ItemId of usable length"),
        (key, ID_BYTES_MAX, "a ChangeKey of usable length"),
        (item.uid.as_deref(), ID_BYTES_MAX, "a UID of usable length"),
        (item.subject.as_deref(), SUBJECT_BYTES_MAX, "a Subject of usable length"),
        (organizer.and_then(|who| who.name.as_deref()), PERSON_BYTES_MAX, "an Organizer of usable length"),
        (
            organizer.and_then(|who| who.email_address.as_deref()),
            PERSON_BYTES_MAX,
            "an Organizer of usable length",
        ),
    ];
    texts.into_iter().find(|(text, max, _)| !fits(*text, *max)).map_or(Ok(()), |(.., missing)| Err(missing))
}

/// The free/busy status; an unknown one counts as busy, Exchange's default.
fn free_busy(status: &FreeBusyStatus) -> FreeBusy {
    match status {
        FreeBusyStatus::Free => FreeBusy::Free,
        FreeBusyStatus::Tentative => FreeBusy::Tentative,
        FreeBusyStatus::Oof => FreeBusy::OutOfOffice,
        FreeBusyStatus::WorkingElsewhere => FreeBusy::WorkingElsewhere,
        FreeBusyStatus::Busy | FreeBusyStatus::NoData | FreeBusyStatus::Unknown(_) => FreeBusy::Busy,
    }
}

/// The series with its exceptions, or the name of the missing property.
pub(super) fn series(item: &CalendarItem<'_>) -> Result<Series, &'static str> {
    let date = |occurrence: &Occurrence<'_>| -> Result<ModifiedOccurrence, &'static str> {
        let id = occurrence.item_id.as_ref().ok_or("ItemId of an occurrence")?;
        let (start, end) = (
            occurrence.start.ok_or("Start of an occurrence")?,
            occurrence.end.ok_or("End of an occurrence")?,
        );
        Ok(ModifiedOccurrence { id: EventId::new(&*id.id), start, end })
    };
    let exceptions = item.modified_occurrences.iter().map(date).collect::<Result<_, _>>()?;
    Ok(Series { master: event(item)?, exceptions })
}

/// `None` for unknown types: without a type there is no copy either, and the engine leaves the event alone.
fn kind(item: &CalendarItem<'_>) -> Option<EventKind> {
    match item.calendar_item_type.as_ref()? {
        CalendarItemType::Single => Some(EventKind::Single),
        CalendarItemType::Occurrence => Some(EventKind::Occurrence),
        CalendarItemType::Exception => Some(EventKind::Exception),
        CalendarItemType::RecurringMaster => Some(EventKind::Series),
        CalendarItemType::Unknown(_) => None,
    }
}

fn clues(item: &CalendarItem<'_>) -> CopyClues {
    CopyClues {
        is_meeting: item.is_meeting,
        is_organizer: item.is_organizer,
        responded_as_organizer: match item.my_response_type.as_ref() {
            None | Some(ResponseType::Unknown | ResponseType::Other(_)) => None,
            Some(response) => Some(*response == ResponseType::Organizer),
        },
        appointment_state: item.appointment_state,
    }
}

/// FindItem often returns an X.500 address (`EX`), which is no address outside Exchange.
fn person(mailbox: &Mailbox<'_>) -> Person {
    let is_smtp = mailbox.routing_type.as_deref().is_none_or(|kind| kind.eq_ignore_ascii_case("SMTP"));
    let smtp = mailbox.email_address.as_deref().filter(|address| is_smtp && address.contains('@'));
    let legacy_dn = mailbox.email_address.as_deref().filter(|address| address.starts_with('/'));
    Person {
        name: mailbox.name.as_deref().map(str::to_owned),
        address: smtp.map(str::to_owned),
        legacy_dn: legacy_dn.map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;
    use crate::ews::types::ItemId;

    fn item() -> CalendarItem<'static> {
        CalendarItem {
            item_id: Some(ItemId { id: "AAMk=".into(), change_key: Some("DwAA".into()) }),
            start: Some(DateTime::UNIX_EPOCH),
            end: Some(DateTime::UNIX_EPOCH + TimeDelta::hours(1)),
            calendar_item_type: Some(CalendarItemType::Single),
            is_meeting: Some(true),
            appointment_state: Some(3),
            ..CalendarItem::default()
        }
    }

    #[test]
    fn a_room_booking_is_an_attendee_copy() {
        assert_eq!(event(&item()).unwrap().copy, Some(Copy::Attendee));
    }

    #[test]
    fn strangers_have_no_copy_so_nothing_may_be_done_to_them() {
        for kind in [None, Some(CalendarItemType::Unknown("New".into()))] {
            let item = CalendarItem { calendar_item_type: kind, ..item() };
            assert_eq!(event(&item).unwrap().copy, None);
        }
    }

    #[test]
    fn an_x500_address_is_no_smtp_address() {
        let organizer = Mailbox {
            name: Some("Ada".into()),
            email_address: Some("/O=ORG/CN=RECIPIENTS/CN=ada".into()),
            routing_type: Some("EX".into()),
            ..Mailbox::default()
        };
        let person =
            event(&CalendarItem { organizer: Some(organizer), ..item() }).unwrap().organizer.unwrap();
        let legacy_dn = Some("/O=ORG/CN=RECIPIENTS/CN=ada".into());
        assert_eq!(person, Person { name: Some("Ada".into()), address: None, legacy_dn });
    }

    #[test]
    fn cancelled_by_either_property_declined_and_free_items_take_no_time() {
        assert!(event(&item()).unwrap().occupies_room());
        let cancelled = CalendarItem { appointment_state: Some(7), is_cancelled: Some(false), ..item() };
        let declined = CalendarItem { my_response_type: Some(ResponseType::Decline), ..item() };
        let free = CalendarItem { legacy_free_busy_status: Some(FreeBusyStatus::Free), ..item() };
        let empty = CalendarItem { end: Some(DateTime::UNIX_EPOCH), ..item() };
        for item in [cancelled, declined, free, empty] {
            assert!(!event(&item).unwrap().occupies_room(), "{item:?}");
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(event(&CalendarItem { end: None, ..item() }), Err("End"));
        assert_eq!(event(&CalendarItem { item_id: None, ..item() }), Err("ItemId"));
        let id = |id: &'static str, key: &'static str| ItemId { id: id.into(), change_key: Some(key.into()) };
        assert_eq!(event(&CalendarItem { item_id: Some(id("", "c")), ..item() }), Err("ItemId"));
        assert_eq!(event(&CalendarItem { item_id: Some(id("A", "")), ..item() }), Err("ChangeKey"));
        let ends_first = CalendarItem { end: Some(DateTime::UNIX_EPOCH - TimeDelta::hours(1)), ..item() };
        assert_eq!(event(&ends_first), Err("an End that is not before its Start"));
    }

    #[test]
    fn text_of_any_length_is_not_kept() {
        let long = |bytes: usize| Some("x".repeat(bytes + 1).into());
        let who = Mailbox { name: long(PERSON_BYTES_MAX), ..Mailbox::default() };
        let key = ItemId { id: "A".into(), change_key: long(ID_BYTES_MAX) };
        for long in [
            CalendarItem { subject: long(SUBJECT_BYTES_MAX), ..item() },
            CalendarItem { uid: long(ID_BYTES_MAX), ..item() },
            CalendarItem { organizer: Some(who), ..item() },
            CalendarItem { item_id: Some(key), ..item() },
        ] {
            assert!(event(&long).is_err_and(|missing| missing.ends_with("usable length")));
        }
        let usual = CalendarItem { subject: Some("x".repeat(SUBJECT_BYTES_MAX).into()), ..item() };
        assert!(event(&usual).is_ok());
    }
}
