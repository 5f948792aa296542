//! Messages in responses: sender, recipients and, for meeting messages, the meeting. The properties of a meeting request
//! come from the event it has put in the calendar.

use super::item_xml::{element_name_of, item_id, parent_folder};
use super::people_xml::mailbox_element;
use super::properties;
use super::property_context::{BodyType, PropertyContext, ReadOperation, ShapeTier};
use super::property_path::PropertyPath;
use super::property_value::PropertyValue;
use super::shape::ItemShape;
use crate::sim::details::Person;
use crate::sim::event::{Event, MailMessage, MeetingReference, StoredItem};
use crate::sim::ids::{self, ItemLocator};
use crate::sim::mailbox::Mailbox;
use crate::sim::views::{self, EventInstance};
use crate::sim::world::World;
use crate::sim::xml::escape;

/// A message, its row and its mailbox.
#[derive(Clone, Copy)]
pub(super) struct MessageContext<'a> {
    pub(super) world: &'a World,
    pub(super) mailbox: &'a Mailbox,
    pub(super) item: &'a StoredItem,
    pub(super) message: &'a MailMessage,
}

/// A property of messages: its path, its shapes, and whether `FindItem` returns it.
type MessageProperty = (&'static str, ShapeTier, bool);

use ShapeTier::{All, Default as Basic};

/// Properties of all messages, in schema order.
const MESSAGE: &[MessageProperty] = &[
    ("item:ParentFolderId", All, true),
    ("item:ItemClass", All, true),
    ("item:Subject", Basic, true),
    ("item:Body", Basic, false),
    ("item:DateTimeReceived", All, true),
    ("item:DateTimeSent", Basic, true),
    ("item:DateTimeCreated", Basic, true),
    ("item:ResponseObjects", Basic, false),
    ("item:LastModifiedTime", All, true),
    ("message:Sender", Basic, true),
    ("message:ToRecipients", Basic, false),
    ("message:From", Basic, true),
    ("message:IsRead", Basic, true),
];

/// Additional properties of meeting messages.
const MEETING: &[MessageProperty] = &[
    ("meeting:AssociatedCalendarItemId", Basic, false),
    ("meeting:IsDelegated", Basic, true),
    ("meeting:IsOutOfDate", Basic, true),
    ("meeting:HasBeenProcessed", Basic, true),
    ("meeting:ResponseType", Basic, true),
    ("calendar:UID", All, true),
    ("calendar:RecurrenceId", All, true),
];

/// Additional properties of meeting requests; most come from the event in the calendar.
const REQUEST: &[MessageProperty] = &[
    ("meetingRequest:MeetingRequestType", Basic, true),
    ("meetingRequest:IntendedFreeBusyStatus", Basic, true),
    ("calendar:Start", Basic, true),
    ("calendar:End", Basic, true),
    ("calendar:OriginalStart", All, true),
    ("calendar:IsAllDayEvent", All, true),
    ("calendar:LegacyFreeBusyStatus", Basic, true),
    ("calendar:Location", Basic, true),
    ("calendar:IsMeeting", All, true),
    ("calendar:IsCancelled", All, true),
    ("calendar:IsRecurring", All, true),
    ("calendar:MeetingRequestWasSent", All, true),
    ("calendar:CalendarItemType", Basic, true),
    ("calendar:MyResponseType", All, true),
    ("calendar:Organizer", Basic, true),
    ("calendar:RequiredAttendees", Basic, false),
    ("calendar:OptionalAttendees", Basic, false),
    ("calendar:Resources", Basic, false),
    ("calendar:Duration", All, true),
    ("calendar:TimeZone", All, true),
    ("calendar:AppointmentSequenceNumber", All, true),
    ("calendar:AppointmentState", All, true),
    ("calendar:Recurrence", Basic, false),
    ("calendar:StartTimeZone", All, false),
    ("calendar:EndTimeZone", All, false),
];

/// Additional properties of responses and cancellations.
const NOTE: &[MessageProperty] =
    &[("calendar:Start", All, true), ("calendar:End", All, true), ("calendar:Location", All, true)];

/// Whether restrictions and sort orders may use a property of messages.
pub(super) fn has(uri: &str) -> bool {
    let shown = ["item:ParentFolderId", "item:ResponseObjects", "message:ToRecipients"];
    let all = MESSAGE.iter().chain(MEETING).chain(REQUEST).chain(NOTE);
    let mut all = all.filter(|(known, ..)| !known.ends_with("ItemId") && !shown.contains(known));
    all.any(|(known, ..)| *known == uri)
}

/// A message with the properties of a shape.
pub(super) fn message(cx: &MessageContext<'_>, shape: &ItemShape, place: ReadOperation) -> String {
    let at = ItemLocator { mailbox: cx.mailbox.number, item: cx.item.number, occurrence: None };
    let kind = element_name_of(cx.item);
    let own: &[MessageProperty] = match kind {
        "MeetingRequest" => REQUEST,
        "MeetingResponse" | "MeetingCancellation" => NOTE,
        _ => &[],
    };
    let meeting: &[MessageProperty] = if cx.message.meeting.is_some() { MEETING } else { &[] };
    let wanted =
        MESSAGE.iter().chain(meeting).chain(own).filter(|(uri, tier, in_find)| {
            shape.wants(uri, *tier) && (*in_find || place == ReadOperation::Get)
        });
    let shown: String = wanted
        .filter_map(|(uri, ..)| {
            let name = uri.split_once(':').map_or(*uri, |(_, name)| name);
            Some(cx.of_field(uri)?.write(name))
        })
        .collect();
    format!("<t:{kind}>{}{shown}</t:{kind}>", item_id(&ids::item_id(at), &ids::change_key(cx.item.version)))
}

impl MessageContext<'_> {
    /// The value for a restriction or sort order; messages have no extended properties.
    pub(super) fn value(&self, path: &PropertyPath) -> Option<PropertyValue> {
        match path {
            PropertyPath::Field(uri) => self.of_field(uri),
            PropertyPath::Extended(..) | PropertyPath::Indexed => None,
        }
    }

    fn of_field(&self, uri: &str) -> Option<PropertyValue> {
        let (message, about) = (self.message, self.message.meeting.as_deref());
        let text = |text: &str| Some(PropertyValue::Text(text.to_owned()));
        Some(match uri {
            "item:ParentFolderId" => {
                PropertyValue::Xml(parent_folder(self.mailbox.number, self.item.folder.number()))
            }
            "item:ItemClass" => PropertyValue::Text(message.class.to_owned()),
            "item:Subject" => PropertyValue::Text(message.subject.clone()),
            "item:Body" => {
                let xml = format!(r#"<t:Body BodyType="Text">{}</t:Body>"#, escape(&message.body));
                PropertyValue::XmlWithText(xml, message.body.clone())
            }
            "item:DateTimeReceived" | "item:DateTimeSent" | "item:DateTimeCreated" => {
                PropertyValue::Time(self.item.created)
            }
            "item:LastModifiedTime" => PropertyValue::Time(self.item.modified),
            "item:ResponseObjects" => self.response_objects()?,
            "message:Sender" => person("Sender", &message.from),
            "message:From" => person("From", &message.from),
            "message:ToRecipients" => {
                let to: String = message.to.iter().map(|person| mailbox_element(person, "Mailbox")).collect();
                PropertyValue::Xml(format!("<t:ToRecipients>{to}</t:ToRecipients>"))
            }
            "message:IsRead" => PropertyValue::Boolean(about.is_some_and(|about| about.is_processed)),
            "meeting:AssociatedCalendarItemId" => self.associated()?,
            "meeting:IsDelegated" | "meeting:IsOutOfDate" => PropertyValue::Boolean(false),
            "meeting:HasBeenProcessed" => PropertyValue::Boolean(about?.is_processed),
            "meeting:ResponseType" => properties::answer(about?.response),
            "calendar:UID" => PropertyValue::Text(about?.uid.clone()),
            "calendar:RecurrenceId" => PropertyValue::Time(about?.occurrence?),
            "calendar:Start" => PropertyValue::Time(about?.start),
            "calendar:End" => PropertyValue::Time(about?.end),
            "calendar:Location" => return text(&about?.location).filter(|location| !location.is_empty()),
            "meetingRequest:MeetingRequestType" => PropertyValue::Text("NewMeetingRequest".to_owned()),
            "meetingRequest:IntendedFreeBusyStatus" => {
                self.with_view(about?, |cx| Some(properties::busy(cx.view.details.busy)))?
            }
            _ => return self.with_view(about?, |cx| properties::of_field(cx, uri)),
        })
    }

    fn response_objects(&self) -> Option<PropertyValue> {
        let objects = match element_name_of(self.item) {
            "MeetingRequest" => "<t:AcceptItem/><t:TentativelyAcceptItem/><t:DeclineItem/><t:ForwardItem/>",
            "MeetingCancellation" => "<t:RemoveItem/>",
            _ => return None,
        };
        Some(PropertyValue::Xml(format!("<t:ResponseObjects>{objects}</t:ResponseObjects>")))
    }

    fn associated(&self) -> Option<PropertyValue> {
        let about = self.message.meeting.as_deref()?;
        self.with_view(about, |cx| {
            let (id, key) = (cx.view.id(), cx.view.change_key());
            let xml = format!(r#"<t:AssociatedCalendarItemId Id="{id}" ChangeKey="{key}"/>"#);
            Some(PropertyValue::Xml(xml))
        })
    }

    /// Reads the meeting in this mailbox's calendar, if it is there.
    fn with_view(
        &self,
        about: &MeetingReference,
        of: impl FnOnce(&PropertyContext<'_>) -> Option<PropertyValue>,
    ) -> Option<PropertyValue> {
        let view = self.view(about)?;
        of(&PropertyContext { view, world: self.world, place: ReadOperation::Get, body: BodyType::Best })
    }

    fn view(&self, about: &MeetingReference) -> Option<EventInstance<'_>> {
        let row = self.mailbox.by_uid(&about.uid)?;
        let is_series = row.event().is_some_and(|event: &Event| event.series.is_some());
        let occurrence = about.occurrence.filter(|_| is_series);
        let at = ItemLocator { mailbox: self.mailbox.number, item: row.number, occurrence };
        views::view(self.mailbox, at).ok()
    }
}

fn person(name: &str, person: &Person) -> PropertyValue {
    let xml = format!("<t:{name}>{}</t:{name}>", mailbox_element(person, "Mailbox"));
    PropertyValue::XmlWithText(xml, person.name.clone())
}
