//! Searches the room's folders for what a step leaves: a message in Sent Items, an event in Deleted Items. Each needs a right of its
//! own. No source confirms that Graph's steps leave these traces, so a trace that is found proves the step, and one that is not found
//! proves nothing.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::{DateTime, TimeDelta, Utc};

use super::connection::Graph;
use super::contents::{body, elements};
use super::decode::decode_element;
use super::effect::Effect;
use super::event::{EventContext, instant, readable_times};
use super::global_object_id;
use super::request::{self, GraphRequest};
use super::request_error::RequestError;
use super::resources::{
    EventTimes, ExchangeSettingsResource, ExtendedProperty, MailboxItemResource, MessageResource, Page,
    Recipient,
};
use crate::action::{EventSnapshot, Step};
use crate::calendar::{ChangeKey, Event, EventId, RoomAddress};
use crate::engine::{DeletedLookup, ErrorKind, TraceLookup};
use crate::http::delivery::HttpResponse;

/// Pages of Sent Items that are searched: a room sends few messages.
pub(super) const SENT_PAGES_MAX: usize = 2;
/// Pages of Deleted Items that are searched.
pub(super) const DELETED_PAGES_MAX: usize = 50;
/// Difference between our clock and Exchange's that a message may show. A larger one only hides the message.
const CLOCKS_APART: TimeDelta = TimeDelta::seconds(10);

/// `PidLidCleanGlobalObjectId`, in the form of an extended property's id.
const GLOBAL_OBJECT_ID: &str = "Binary {6ED8DA90-450B-101B-98DA-00AA003F1305} Id 0x23";
/// `PidLidAppointmentStartWhole`.
const START: &str = "SystemTime {00062002-0000-0000-C000-000000000046} Id 0x820D";
/// `PidLidAppointmentEndWhole`.
const END: &str = "SystemTime {00062002-0000-0000-C000-000000000046} Id 0x820E";

impl Graph {
    /// Whether Sent Items contain the message of this step. Two that may be it prove nothing.
    pub(super) async fn search_sent_items(
        &self,
        room: &RoomAddress,
        step: &Step,
        about: &Event,
        since: DateTime<Utc>,
    ) -> Result<TraceLookup, RequestError> {
        if !self.rights.read_mail || message_type(step).is_none() {
            return Ok(TraceLookup::Unknown);
        }
        let since = since - CLOCKS_APART;
        let context = self.context(room);
        let count = |page: &Page<'_>| {
            let messages = elements(page)?.iter().filter_map(|element| decode_element(element).ok());
            Ok(messages.filter(|message| is_message_of(message, step, about, since, context)).count())
        };
        let mut matches = 0;
        let mut pages = self.pages(room, request::sent_messages(room, since), SENT_PAGES_MAX);
        loop {
            match unless_refused(pages.next(count).await)? {
                Some(Some(found)) => matches += found,
                Some(None) if matches == 1 => return Ok(TraceLookup::Found),
                Some(None) | None => return Ok(TraceLookup::Unknown),
            }
        }
    }

    /// The event in Deleted Items.
    pub(super) async fn search_deleted_items(
        &self,
        room: &RoomAddress,
        seen: &EventSnapshot,
    ) -> Result<DeletedLookup, RequestError> {
        if !self.rights.read_mailbox_items {
            return Ok(DeletedLookup::Unknown);
        }
        let read = |response: &HttpResponse| {
            let settings: ExchangeSettingsResource<'_> = body(Effect::Read, response)?;
            Ok(settings.primary_mailbox_id.as_deref().filter(|id| !id.is_empty()).map(str::to_owned))
        };
        let mailbox = self.client.execute(room, &request::mailbox_id(room), read).await;
        let Some(mailbox) = unless_refused(mailbox)?.flatten() else { return Ok(DeletedLookup::Unknown) };
        // No source confirms that the properties of a mailboxItem can be requested, so its immutable id is searched before.
        for properties in [&[][..], &[GLOBAL_OBJECT_ID, START, END]] {
            let found =
                self.search_deleted_pages(room, request::deleted_items(&mailbox, properties), seen).await;
            if let Some(event) = unless_refused(found)?.flatten() {
                return Ok(DeletedLookup::Found(Box::new(event)));
            }
        }
        Ok(DeletedLookup::Unknown)
    }

    async fn search_deleted_pages(
        &self,
        room: &RoomAddress,
        first: GraphRequest,
        seen: &EventSnapshot,
    ) -> Result<Option<Event>, RequestError> {
        let find = |page: &Page<'_>| {
            let mut items = elements(page)?.iter().filter_map(|element| decode_element(element).ok());
            Ok(items.find_map(|item: MailboxItemResource<'_>| deleted_event(&item, seen)))
        };
        let mut pages = self.pages(room, first, DELETED_PAGES_MAX);
        while let Some(found) = pages.next(find).await? {
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }
}

/// `None` for a refused search, which proves nothing; a mailbox that cannot be reached is an error.
fn unless_refused<T>(searched: Result<T, RequestError>) -> Result<Option<T>, RequestError> {
    match searched {
        Err(RequestError::Refused(kind, _)) if kind != ErrorKind::Token && kind != ErrorKind::SignIn => {
            Ok(None)
        }
        searched => searched.map(Some),
    }
}

/// The `meetingMessageType` of the step's message.
fn message_type(step: &Step) -> Option<&'static str> {
    match step {
        Step::Decline { .. } => Some("meetingDeclined"),
        Step::Cancel { .. } => Some("meetingCancelled"),
        Step::SetEnd { .. } | Step::Remove { .. } | Step::Book { .. } | Step::MoveBack { .. } => None,
    }
}

/// Whether this message is the one that the step sends about the event. Messages have no UID without extended properties, so the
/// time and the subject have to agree; and a decline goes to the organizer.
fn is_message_of(
    message: &MessageResource<'_>,
    step: &Step,
    about: &Event,
    since: DateTime<Utc>,
    context: EventContext<'_>,
) -> bool {
    let is_of_type = message.meeting_message_type.as_deref() == message_type(step);
    let sent = message.sent_date_time.as_deref().and_then(instant);
    let has_start = message.start_date_time.clone().is_some_and(|start| {
        let item = EventTimes { start: Some(start), is_all_day: Some(false), ..EventTimes::default() };
        readable_times(&item, context).0 == Some(about.start)
    });
    let has_subject = match (message.subject.as_deref(), about.subject.as_deref()) {
        (Some(subject), Some(about)) => {
            !about.trim().is_empty() && subject.trim_end().ends_with(about.trim())
        }
        _ => false,
    };
    is_of_type
        && sent.is_some_and(|sent| sent >= since)
        && has_start
        && has_subject
        && (!matches!(step, Step::Decline { .. }) || goes_to_organizer(message, about))
}

fn goes_to_organizer(message: &MessageResource<'_>, about: &Event) -> bool {
    let organizer = about.organizer.as_ref().and_then(|who| who.address.as_deref());
    let is_organizer = |recipient: &Recipient<'_>| {
        let address = recipient.email_address.as_ref().and_then(|who| who.address.as_deref());
        address.zip(organizer).is_some_and(|(address, organizer)| address.eq_ignore_ascii_case(organizer))
    };
    message.to_recipients.as_deref().unwrap_or_default().iter().any(is_organizer)
}

/// The event, if the item is an appointment with the id of the snapshot, which is immutable, or with its UID and times.
fn deleted_event(item: &MailboxItemResource<'_>, seen: &EventSnapshot) -> Option<Event> {
    let id = item.id.as_deref().filter(|_| item.item_type.as_deref() == Some("IPM.Appointment"))?;
    if !EventId::new(id).is_same(&seen.id) && !has_identity(item, seen) {
        return None;
    }
    Some(Event {
        change_key: ChangeKey::new(item.change_key.as_deref().unwrap_or_default()),
        uid: seen.uid.clone(),
        ..Event::opaque(EventId::new(id), seen.start, seen.end)
    })
}

/// Whether the item's extended properties are the UID and the times of the snapshot.
fn has_identity(item: &MailboxItemResource<'_>, seen: &EventSnapshot) -> bool {
    let value = |id: &str| {
        let is_it = |property: &&ExtendedProperty<'_>| {
            property.id.as_deref().is_some_and(|name| name.eq_ignore_ascii_case(id))
        };
        item.single_value_extended_properties.as_deref()?.iter().find(is_it)?.value.as_deref()
    };
    let has_times =
        value(START).and_then(instant) == Some(seen.start) && value(END).and_then(instant) == Some(seen.end);
    let uid = value(GLOBAL_OBJECT_ID).and_then(hex_of_base64);
    let has_uid = uid
        .zip(seen.uid.as_ref())
        .is_some_and(|(uid, uid_seen)| global_object_id::clean(&uid).eq_ignore_ascii_case(uid_seen.as_str()));
    has_times && has_uid
}

/// A binary property, in the hex digits of an iCalUId.
fn hex_of_base64(value: &str) -> Option<String> {
    let bytes = BASE64_STANDARD.decode(value).ok()?;
    Some(bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02X}"); // writing to a String never fails
        hex
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::decode::decode;
    use super::super::time_zones::UnknownTimeZones;
    use super::*;
    use crate::calendar::{Person, Uid};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn about() -> Event {
        let organizer = Person { address: Some("ada@example.com".to_owned()), ..Person::default() };
        Event {
            subject: Some("Ada Example".to_owned()),
            organizer: Some(organizer),
            uid: Some(Uid::new("040000008200E00074C5B7101A82E00800000000AB")),
            ..Event::sample("A", at("2026-10-05T09:00:00Z"), at("2026-10-05T10:00:00Z"))
        }
    }

    fn is_decline(change: impl Fn(&mut Value)) -> bool {
        let mut message = json!({
            "@odata.type": "#microsoft.graph.eventMessageResponse",
            "meetingMessageType": "meetingDeclined",
            "subject": "Declined: Ada Example",
            "sentDateTime": "2026-10-05T09:10:00Z",
            "startDateTime": {"dateTime": "2026-10-05T09:00:00", "timeZone": "UTC"},
            "toRecipients": [{"emailAddress": {"address": "Ada@example.com"}}],
        });
        change(&mut message);
        let text = message.to_string();
        let step = Step::Decline { id: EventId::new("A"), change_key: ChangeKey::new("1"), text: None };
        let room = "aurora@example.com".parse().unwrap();
        let context = EventContext { room: &room, zones: &UnknownTimeZones };
        is_message_of(&decode(text.as_bytes()).unwrap(), &step, &about(), at("2026-10-05T09:05:00Z"), context)
    }

    #[test]
    fn a_message_proves_a_decline_only_if_everything_agrees() {
        assert!(is_decline(|_| {}));
        let others: [fn(&mut Value); 7] = [
            |message| message["startDateTime"] = Value::Null,
            |message| message["meetingMessageType"] = json!("meetingCancelled"),
            |message| message["sentDateTime"] = json!("2026-10-05T09:04:00Z"),
            |message| message["subject"] = json!("Declined: Grace Example"),
            |message| message["toRecipients"] = json!([]),
            |message| message["sentDateTime"] = Value::Null,
            |message| {
                message["startDateTime"] = json!({"dateTime": "2026-10-12T09:00:00", "timeZone": "UTC"});
            },
        ];
        for change in others {
            assert!(!is_decline(change));
        }
    }

    #[test]
    fn a_deleted_appointment_is_found_by_its_uid_and_times() {
        let seen = EventSnapshot::from(&about());
        let uid = BASE64_STANDARD.encode([
            0x04, 0, 0, 0, 0x82, 0, 0xE0, 0, 0x74, 0xC5, 0xB7, 0x10, 0x1A, 0x82, 0xE0, 0x08, 0, 0, 0, 0, 0xAB,
        ]);
        let item = json!({
            "id": "D", "type": "IPM.Appointment", "changeKey": "k",
            "singleValueExtendedProperties": [
                {"id": GLOBAL_OBJECT_ID, "value": uid},
                {"id": START.to_uppercase(), "value": "2026-10-05T09:00:00Z"},
                {"id": END, "value": "2026-10-05T10:00:00Z"},
            ],
        });
        let find = |item: &Value| deleted_event(&decode(item.to_string().as_bytes()).unwrap(), &seen);
        assert_eq!(find(&item).unwrap().id, EventId::new("D"));
        for (property, value) in [("type", json!("IPM.Note")), ("singleValueExtendedProperties", json!([]))] {
            let mut other = item.clone();
            other[property] = value;
            assert_eq!(find(&other), None, "{property}");
        }
        let mut kept = item.clone();
        kept["id"] = json!("A");
        kept["singleValueExtendedProperties"] = Value::Null;
        assert_eq!(find(&kept).unwrap().id, EventId::new("A"), "by its immutable id alone");
        let mut moved = item;
        moved["singleValueExtendedProperties"][2]["value"] = json!("2026-10-05T11:00:00Z");
        assert_eq!(find(&moved), None);
    }
}
