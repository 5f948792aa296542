//! Converts an event of Graph into an event of the engine. Pure; guesses no missing value.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike as _, NaiveDateTime, NaiveTime, Utc};

use super::global_object_id;
use super::resources::{DateTimeTimeZone, EventResource, EventTimes, Recipient, SeriesExceptions, Text};
use super::time_zones::{Days, RoomTimeZones, days, in_any_zone};
use crate::calendar::{
    ChangeKey, Copy, Event, EventId, EventKind, FreeBusy, ModifiedOccurrence, Person, RoomAddress, Series,
    Uid,
};

/// Bytes of an id, changeKey or UID. Graph's have some 200; a UID comes from any calendar program.
pub(super) const ID_BYTES_MAX: usize = 2 << 10;
/// Bytes of a subject. Exchange allows 255 characters.
pub(super) const SUBJECT_BYTES_MAX: usize = 4 << 10;
/// Bytes of an organizer's name or address. Exchange allows 256 characters, and 1 KB for an X.500 address.
pub(super) const PERSON_BYTES_MAX: usize = 2 << 10;

/// The years of a `dateTime`; times of other years could not be added to.
const YEARS: RangeInclusive<i32> = 1..=9999;

/// The room that an event is read for.
#[derive(Clone, Copy)]
pub(super) struct EventContext<'r> {
    pub(super) room: &'r RoomAddress,
    pub(super) zones: &'r dyn RoomTimeZones,
}

/// Start and end of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Times {
    start: DateTime<Utc>,
    end: DateTime<Utc>,
    /// They are not the event's own, since the room's time zone is unknown.
    are_widened: bool,
}

/// The event, or the name of the missing property.
pub(super) fn event(item: &EventResource<'_>, context: EventContext<'_>) -> Result<Event, &'static str> {
    has_usable_text(item)?;
    let id = item.id.as_deref().filter(|id| !id.is_empty()).ok_or("id")?;
    let change_key = change_key(item).ok_or("changeKey")?;
    let times = times(item, context)?;
    let kind = kind(item);
    let response = item.response_status.as_ref().and_then(|status| status.response.as_deref());
    Ok(Event {
        id: EventId::new(id),
        change_key: ChangeKey::new(change_key),
        uid: uid(item),
        original_start: match kind {
            Some(kind) if kind.is_date_of_series() => item.original_start.as_deref().and_then(instant),
            _ => None,
        },
        start: times.start,
        end: times.end,
        subject: item.subject.as_deref().map(str::to_owned),
        organizer: item.organizer.as_ref().map(person),
        kind: kind.unwrap_or(EventKind::Single),
        copy: kind.filter(|_| !times.are_widened).and_then(|_| copy(item, response, context.room)),
        is_all_day: item.is_all_day.ok_or("isAllDay")?,
        is_cancelled: item.is_cancelled.unwrap_or(false),
        is_declined: response == Some("declined"),
        free_busy: item.show_as.as_deref().map_or_else(FreeBusy::default, free_busy),
        is_private: item.sensitivity.as_deref().is_some_and(|mark| mark != "normal"),
        created: item.created_date_time.as_deref().and_then(instant),
        modified: item.last_modified_date_time.as_deref().and_then(instant),
    })
}

/// The series with its changed dates, or the name of the missing property.
pub(super) fn series(
    master: &EventResource<'_>,
    exceptions: &SeriesExceptions<'_>,
    context: EventContext<'_>,
) -> Result<Series, &'static str> {
    if exceptions.next_link.is_some() {
        return Err("all of its exceptionOccurrences");
    }
    let date = |date: &EventTimes<'_>| -> Result<ModifiedOccurrence, &'static str> {
        let id = date.id.as_deref().filter(|id| !id.is_empty()).ok_or("id of an exceptionOccurrence")?;
        let (start, end) = readable_times(date, context);
        let start = start.ok_or("start of an exceptionOccurrence")?;
        Ok(ModifiedOccurrence {
            id: EventId::new(id),
            start,
            end: end.ok_or("end of an exceptionOccurrence")?,
        })
    };
    let dates = exceptions.exception_occurrences.as_ref().ok_or("exceptionOccurrences")?;
    Ok(Series {
        master: event(master, context)?,
        exceptions: dates.iter().map(date).collect::<Result<_, _>>()?,
    })
}

/// The times of an item whose other properties cannot be read; as long as its dates can be in any zone, if it may be an all-day
/// event.
pub(super) fn readable_times(
    item: &EventTimes<'_>,
    context: EventContext<'_>,
) -> (Option<DateTime<Utc>>, Option<DateTime<Utc>>) {
    let (start, end) = (item.start.as_ref().and_then(in_utc), item.end.as_ref().and_then(in_utc));
    match (start, end) {
        (Some(start), Some(end))
            if item.is_all_day != Some(false) && is_midnight(start) && is_midnight(end) =>
        {
            let (start, end) = match days(context.zones, context.room, start.date(), end.date()) {
                Days::InZone(start, end) | Days::InAnyZone(start, end) => (start, end),
            };
            (Some(start), Some(end))
        }
        (Some(start), Some(end)) if item.is_all_day == Some(true) => {
            let (start, end) = in_any_zone(start.and_utc(), end.and_utc());
            (Some(start), Some(end))
        }
        (start, end) => (start.map(|time| time.and_utc()), end.map(|time| time.and_utc())),
    }
}

/// The `changeKey`; `@odata.etag` is the same in the form of an entity tag: `W/"key"`.
pub(super) fn change_key<'e>(item: &'e EventResource<'_>) -> Option<&'e str> {
    let of_etag = || item.etag.as_deref()?.strip_prefix("W/\"")?.strip_suffix('"');
    item.change_key.as_deref().or_else(of_etag).filter(|key| !key.is_empty())
}

/// The end of an event that Graph returned after a change.
pub(super) fn end(item: &EventResource<'_>) -> Option<DateTime<Utc>> {
    Some(in_utc(item.end.as_ref()?)?.and_utc())
}

/// Start and end of an event that Graph returned after its creation.
pub(super) fn start_and_end(item: &EventResource<'_>) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    Some((in_utc(item.start.as_ref()?)?.and_utc(), end(item)?))
}

fn times(item: &EventResource<'_>, context: EventContext<'_>) -> Result<Times, &'static str> {
    let time = |value: &Option<DateTimeTimeZone<'_>>, missing, zone| {
        in_utc(value.as_ref().ok_or(missing)?).ok_or(zone)
    };
    let start = time(&item.start, "start", "a start in UTC")?;
    let end = time(&item.end, "end", "an end in UTC")?;
    if end < start {
        return Err("an end that is not before its start");
    }
    if !item.is_all_day.ok_or("isAllDay")? {
        return Ok(Times { start: start.and_utc(), end: end.and_utc(), are_widened: false });
    }
    if !is_midnight(start) || !is_midnight(end) {
        return Err("whole days, though it is an all-day event");
    }
    Ok(match days(context.zones, context.room, start.date(), end.date()) {
        Days::InZone(start, end) => Times { start, end, are_widened: false },
        Days::InAnyZone(start, end) => Times { start, end, are_widened: true },
    })
}

/// The time, if it is in UTC, which every request prefers.
fn in_utc(time: &DateTimeTimeZone<'_>) -> Option<NaiveDateTime> {
    let is_utc = time.time_zone.as_deref().is_some_and(|zone| zone.eq_ignore_ascii_case("UTC"));
    let text = time.date_time.as_deref().filter(|_| is_utc)?;
    let text = text.strip_suffix('Z').unwrap_or(text);
    let time = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f").ok()?;
    YEARS.contains(&time.year()).then_some(time)
}

/// A `DateTimeOffset`.
pub(super) fn instant(text: &str) -> Option<DateTime<Utc>> {
    Some(DateTime::parse_from_rfc3339(text).ok()?.to_utc())
}

fn is_midnight(time: NaiveDateTime) -> bool {
    time.time() == NaiveTime::MIN
}

/// Of a booking of Adjourn, its own UID, which is the event's `transactionId`, because Graph chooses the `iCalUId` itself; else the clean
/// global object id.
fn uid(item: &EventResource<'_>) -> Option<Uid> {
    let own = item.transaction_id.as_deref().filter(|id| Uid::is_own(id));
    let shared = || item.ical_uid.as_deref().filter(|id| !id.is_empty()).map(global_object_id::clean);
    own.map(Uid::new).or_else(|| shared().map(Uid::new))
}

/// `None` for unknown types: without a type there is no copy either, and the engine leaves the event alone.
fn kind(item: &EventResource<'_>) -> Option<EventKind> {
    match item.event_type.as_deref()? {
        "singleInstance" => Some(EventKind::Single),
        "occurrence" => Some(EventKind::Occurrence),
        "exception" => Some(EventKind::Exception),
        "seriesMaster" => Some(EventKind::Series),
        _ => None,
    }
}

/// Whose copy it is; `None` where two properties contradict each other. Graph has no `IsMeeting`: a meeting all of whose attendees
/// were removed looks like a plain event, and Graph sends no message about it either.
fn copy(item: &EventResource<'_>, response: Option<&str>, room: &RoomAddress) -> Option<Copy> {
    let is_organizer = item.is_organizer?;
    let responded_as_organizer = match response {
        Some("organizer") => Some(true),
        Some("accepted" | "tentativelyAccepted" | "declined" | "notResponded") => Some(false),
        // Attendees that have not responded, and organizers of plain events.
        _ => None,
    };
    if responded_as_organizer.is_some_and(|other| other != is_organizer) {
        return None;
    }
    if !is_organizer {
        return Some(Copy::Attendee);
    }
    // An X.500 address is the one of a person who is not in the directory any more, so not the room's.
    let organizer = item.organizer.as_ref().map(person).unwrap_or_default();
    let is_other = |address: &str| !address.eq_ignore_ascii_case(room.as_str());
    if organizer.legacy_dn.is_some() || organizer.address.as_deref().is_some_and(is_other) {
        return None;
    }
    match item.attendees.as_ref()?.is_empty() {
        true => Some(Copy::Plain),
        false => Some(Copy::Organizer),
    }
}

/// The free/busy status; an unknown one counts as busy, Exchange's default.
fn free_busy(status: &str) -> FreeBusy {
    match status {
        "free" => FreeBusy::Free,
        "tentative" => FreeBusy::Tentative,
        "oof" => FreeBusy::OutOfOffice,
        "workingElsewhere" => FreeBusy::WorkingElsewhere,
        _ => FreeBusy::Busy,
    }
}

/// Graph returns the X.500 address of a person who is not in the directory any more.
fn person(recipient: &Recipient<'_>) -> Person {
    let who = recipient.email_address.as_ref();
    let address = who.and_then(|who| who.address.as_deref());
    Person {
        name: who.and_then(|who| who.name.as_deref()).filter(|name| !name.is_empty()).map(str::to_owned),
        address: address
            .filter(|address| address.contains('@') && !address.starts_with('/'))
            .map(str::to_owned),
        legacy_dn: address.filter(|address| address.starts_with('/')).map(str::to_owned),
    }
}

/// Checks that no text is longer than Exchange allows: it is kept as long as the event is.
fn has_usable_text(item: &EventResource<'_>) -> Result<(), &'static str> {
    let fits = |text: &Option<Text<'_>>, max: usize| text.as_ref().is_none_or(|text| text.len() <= max);
    let organizer = item.organizer.as_ref().and_then(|who| who.email_address.as_ref());
    let fits_person =
        organizer.is_none_or(|who| fits(&who.name, PERSON_BYTES_MAX) && fits(&who.address, PERSON_BYTES_MAX));
    let checks = [
        (fits(&item.id, ID_BYTES_MAX), "an id of usable length"),
        (fits(&item.change_key, ID_BYTES_MAX), "a changeKey of usable length"),
        (fits(&item.etag, ID_BYTES_MAX), "an etag of usable length"),
        (fits(&item.ical_uid, ID_BYTES_MAX), "an iCalUId of usable length"),
        (fits(&item.transaction_id, ID_BYTES_MAX), "a transactionId of usable length"),
        (fits(&item.subject, SUBJECT_BYTES_MAX), "a subject of usable length"),
        (fits_person, "an organizer of usable length"),
    ];
    checks.into_iter().find(|(fits, _)| !fits).map_or(Ok(()), |(_, missing)| Err(missing))
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDate, TimeDelta};
    use serde_json::{Value, json};

    use super::super::decode::decode;
    use super::super::time_zones::UnknownTimeZones;
    use super::*;

    const ROOM: &str = "aurora@example.com";

    /// Two hours before UTC.
    struct Berlin;

    impl RoomTimeZones for Berlin {
        fn start_of_day(&self, _: &RoomAddress, date: NaiveDate) -> Option<DateTime<Utc>> {
            Some(date.and_time(NaiveTime::MIN).and_utc() - TimeDelta::hours(2))
        }
    }

    fn utc(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// The copy of a room that accepted a meeting, written after the documentation, with other values of some properties.
    fn resource(changes: Value) -> String {
        let mut event: Value =
            serde_json::from_str(include_str!("../../fixtures/graph/event-attendee-copy.json")).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(event.as_object_mut().unwrap().remove(name)),
                value => event[name] = value.clone(),
            }
        }
        event.to_string()
    }

    fn read_in(changes: Value, zones: &dyn RoomTimeZones) -> Result<Event, &'static str> {
        let room = ROOM.parse().unwrap();
        let text = resource(changes);
        event(&decode(text.as_bytes()).unwrap(), EventContext { room: &room, zones })
    }

    fn read(changes: Value) -> Result<Event, &'static str> {
        read_in(changes, &Berlin)
    }

    fn copy_of(changes: Value) -> Option<Copy> {
        read(changes).unwrap().copy
    }

    #[test]
    fn the_copy_of_a_room_is_read_with_every_property() {
        let event = read(json!({})).unwrap();
        assert_eq!((event.start, event.end), (utc("2026-10-05T09:00:00Z"), utc("2026-10-05T10:00:00Z")));
        assert_eq!(event.copy, Some(Copy::Attendee));
        assert_eq!(event.kind, EventKind::Single);
        assert_eq!(event.uid.unwrap().as_str().len(), 80);
        let organizer = event.organizer.unwrap();
        assert_eq!(organizer.address.as_deref(), Some("ada@example.com"));
        assert!(!event.is_all_day && !event.is_cancelled && !event.is_declined && !event.is_private);
        assert!(event.created < event.modified);
    }

    #[test]
    fn whose_copy_it_is_follows_from_organizer_and_attendees() {
        let own = json!({"emailAddress": {"address": "Aurora@Example.com"}});
        let by_room = |rest: Value| {
            let mut changes =
                json!({"isOrganizer": true, "organizer": own, "responseStatus": {"response": "organizer"}});
            changes.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            copy_of(changes)
        };
        assert_eq!(by_room(json!({})), Some(Copy::Organizer));
        assert_eq!(by_room(json!({"attendees": []})), Some(Copy::Plain));
        assert_eq!(
            by_room(json!({"attendees": [], "responseStatus": {"response": "none"}})),
            Some(Copy::Plain)
        );
        assert_eq!(copy_of(json!({"responseStatus": {"response": "notResponded"}})), Some(Copy::Attendee));
        assert_eq!(copy_of(json!({"responseStatus": null})), Some(Copy::Attendee));
    }

    #[test]
    fn contradictions_and_missing_properties_are_no_knowledge() {
        let own = json!({"emailAddress": {"address": ROOM}});
        let x500 = json!({"emailAddress": {"address": "/o=ExchangeLabs/cn=Recipients/cn=ada"}});
        for unknown in [
            json!({"isOrganizer": null}),
            json!({"isOrganizer": true}), // the organizer has another address
            json!({"isOrganizer": true, "organizer": own}), // and the room has accepted
            json!({"isOrganizer": true, "organizer": x500, "responseStatus": {"response": "organizer"}, "attendees": []}),
            json!({"responseStatus": {"response": "organizer"}}),
            json!({"isOrganizer": true, "organizer": own, "responseStatus": {"response": "organizer"}, "attendees": null}),
            json!({"type": null}),
            json!({"type": "aFutureType"}),
        ] {
            assert_eq!(copy_of(unknown.clone()), None, "{unknown}");
        }
    }

    #[test]
    fn a_booking_of_adjourn_has_the_uid_that_adjourn_chose() {
        let event = read(json!({"transactionId": "adjourn-7f0c"})).unwrap();
        assert_eq!(event.uid, Some(Uid::new("adjourn-7f0c")));
        let of_others = read(json!({"transactionId": "localevent:7f0c"})).unwrap();
        assert_eq!(of_others.uid, read(json!({})).unwrap().uid);
        assert_eq!(read(json!({"iCalUId": null})).unwrap().uid, None);
    }

    #[test]
    fn occurrences_share_the_uid_of_their_series() {
        let id = "040000008200E00074C5B7101A82E00807EA0A054D2A8F3BDD0AD801000000000000000010000000A1B2C3D4";
        let changes = json!({"type": "exception", "iCalUId": id, "originalStart": "2026-10-04T09:00:00Z"});
        let event = read(changes).unwrap();
        assert_eq!(event.kind, EventKind::Exception);
        assert_eq!(event.uid.unwrap().as_str().get(32..40), Some("00000000"));
        assert_eq!(event.original_start, Some(utc("2026-10-04T09:00:00Z")));
    }

    fn all_day() -> Value {
        json!({
            "isAllDay": true,
            "start": {"dateTime": "2026-10-05T00:00:00.0000000", "timeZone": "UTC"},
            "end": {"dateTime": "2026-10-06T00:00:00.0000000", "timeZone": "UTC"},
        })
    }

    #[test]
    fn an_all_day_event_takes_the_days_of_its_room() {
        let event = read(all_day()).unwrap();
        assert_eq!((event.start, event.end), (utc("2026-10-04T22:00:00Z"), utc("2026-10-05T22:00:00Z")));
        assert!(event.is_all_day && event.copy == Some(Copy::Attendee));
    }

    #[test]
    fn an_all_day_event_of_a_room_without_a_time_zone_takes_all_that_it_can_and_is_left_alone() {
        let event = read_in(all_day(), &UnknownTimeZones).unwrap();
        assert_eq!((event.start, event.end), (utc("2026-10-04T10:00:00Z"), utc("2026-10-06T12:00:00Z")));
        assert_eq!(event.copy, None);
    }

    #[test]
    fn cancelled_declined_and_free_events_take_no_time() {
        assert!(read(json!({})).unwrap().occupies_room());
        for free in [
            json!({"isCancelled": true}),
            json!({"responseStatus": {"response": "declined"}}),
            json!({"showAs": "free"}),
        ] {
            assert!(!read(free.clone()).unwrap().occupies_room(), "{free}");
        }
        assert!(read(json!({"showAs": "unknown"})).unwrap().occupies_room());
        assert_eq!(read(json!({"showAs": "oof"})).unwrap().free_busy, FreeBusy::OutOfOffice);
        assert!(read(json!({"sensitivity": "confidential"})).unwrap().is_private);
    }

    #[test]
    fn a_missing_property_is_named() {
        let local = json!({"dateTime": "2026-10-05T09:00:00.0000000", "timeZone": "Pacific Standard Time"});
        let late = json!({"dateTime": "2026-10-05T11:00:00", "timeZone": "UTC"});
        for (changes, missing) in [
            (json!({"id": null}), "id"),
            (json!({"id": ""}), "id"),
            (json!({"changeKey": null, "@odata.etag": null}), "changeKey"),
            (json!({"start": null}), "start"),
            (json!({"end": {"timeZone": "UTC"}}), "an end in UTC"),
            (json!({"start": local}), "a start in UTC"),
            (json!({"end": {"dateTime": "+262142-12-31T23:59:59", "timeZone": "UTC"}}), "an end in UTC"),
            (json!({"start": late}), "an end that is not before its start"),
            (json!({"isAllDay": null}), "isAllDay"),
            (json!({"isAllDay": true}), "whole days, though it is an all-day event"),
            (json!({"subject": "x".repeat(SUBJECT_BYTES_MAX + 1)}), "a subject of usable length"),
        ] {
            assert_eq!(read(changes), Err(missing));
        }
    }

    #[test]
    fn the_entity_tag_stands_in_for_the_change_key() {
        assert_eq!(read(json!({"changeKey": null})).unwrap().change_key, ChangeKey::new("DwAAABYA1Q=="));
        assert_eq!(read(json!({"changeKey": null, "@odata.etag": "\"strong\""})), Err("changeKey"));
    }

    #[test]
    fn an_x500_address_is_no_smtp_address() {
        let organizer =
            json!({"emailAddress": {"name": "Ada", "address": "/o=ExchangeLabs/cn=Recipients/cn=ada"}});
        let person = read(json!({"organizer": organizer})).unwrap().organizer.unwrap();
        assert_eq!((person.address, person.legacy_dn.is_some()), (None, true));
    }

    #[test]
    fn a_series_is_complete_or_an_error() {
        let room = ROOM.parse().unwrap();
        let context = EventContext { room: &room, zones: &Berlin };
        let body = include_str!("../../fixtures/graph/series-master.json");
        let read = |text: &str| {
            series(&decode(text.as_bytes()).unwrap(), &decode(text.as_bytes()).unwrap(), context)
        };
        let found = read(body).unwrap();
        assert_eq!(found.master.kind, EventKind::Series);
        assert_eq!(found.exceptions[0].id, EventId::new("AAkALgAAAAAAHYQDEapmEc2byACqAC-exception1"));
        let mut other: Value = serde_json::from_str(body).unwrap();
        other["exceptionOccurrences@odata.nextLink"] = "https://graph.microsoft.com/v1.0/x".into();
        assert_eq!(read(&other.to_string()), Err("all of its exceptionOccurrences"));
        other.as_object_mut().unwrap().retain(|name, _| !name.starts_with("exceptionOccurrences"));
        assert_eq!(read(&other.to_string()), Err("exceptionOccurrences"));
    }
}
