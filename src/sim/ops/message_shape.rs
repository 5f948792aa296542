//! Messages, as answers show them: who wrote whom what, and for meeting messages about which meeting. What a request says of
//! its meeting comes from the calendar in which it has put it.

use super::path::Path;
use super::people_xml::mailbox_element;
use super::properties::{self, Look, Tier, parent_folder};
use super::shape::{BodyType, Shape, Where, item_id};
use super::value::Value;
use crate::sim::event::{About, Content, Event, Item, Message, Person};
use crate::sim::ids::{self, ItemRef};
use crate::sim::soap_out::escape;
use crate::sim::views::{self, View};
use crate::sim::world::{Mailbox, World};

/// A message and where it lies.
#[derive(Clone, Copy)]
pub(super) struct MessageLook<'a> {
    pub(super) world: &'a World,
    pub(super) mailbox: &'a Mailbox,
    pub(super) item: &'a Item,
    pub(super) message: &'a Message,
}

/// A property of messages: its path, in which shapes it is, and whether `FindItem` has it.
type Column = (&'static str, Tier, bool);

use Tier::{All, Default as Basic};

/// What messages of every kind have, in schema order.
const MESSAGE: &[Column] = &[
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

/// What meeting messages have besides.
const MEETING: &[Column] = &[
    ("meeting:AssociatedCalendarItemId", Basic, false),
    ("meeting:IsDelegated", Basic, true),
    ("meeting:IsOutOfDate", Basic, true),
    ("meeting:HasBeenProcessed", Basic, true),
    ("meeting:ResponseType", Basic, true),
    ("calendar:UID", All, true),
    ("calendar:RecurrenceId", All, true),
];

/// What invitations have besides, most of it as the calendar has it.
const REQUEST: &[Column] = &[
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

/// What answers and cancellations have besides.
const NOTE: &[Column] =
    &[("calendar:Start", All, true), ("calendar:End", All, true), ("calendar:Location", All, true)];

/// Whether messages have a property that restrictions and orders may name.
pub(super) fn has(uri: &str) -> bool {
    let shown = ["item:ParentFolderId", "item:ResponseObjects", "message:ToRecipients"];
    let all = MESSAGE.iter().chain(MEETING).chain(REQUEST).chain(NOTE);
    let mut all = all.filter(|(known, ..)| !known.ends_with("ItemId") && !shown.contains(known));
    all.any(|(known, ..)| *known == uri)
}

/// The schema's name for a message of this class.
pub(super) fn kind_of(item: &Item) -> &'static str {
    match &item.content {
        Content::Event(_) => "CalendarItem",
        Content::Message(message) => match message.class {
            "IPM.Schedule.Meeting.Request" => "MeetingRequest",
            "IPM.Schedule.Meeting.Canceled" => "MeetingCancellation",
            class if class.starts_with("IPM.Schedule.Meeting.Resp.") => "MeetingResponse",
            _ => "Message",
        },
    }
}

/// A message as a shape wants it.
pub(super) fn message(look: &MessageLook<'_>, shape: &Shape, place: Where) -> String {
    let at = ItemRef { mailbox: look.mailbox.number, item: look.item.number, occurrence: None };
    let kind = kind_of(look.item);
    let own: &[Column] = match kind {
        "MeetingRequest" => REQUEST,
        "MeetingResponse" | "MeetingCancellation" => NOTE,
        _ => &[],
    };
    let meeting: &[Column] = if look.message.about.is_some() { MEETING } else { &[] };
    let wanted = MESSAGE
        .iter()
        .chain(meeting)
        .chain(own)
        .filter(|(uri, tier, in_find)| shape.wants(uri, *tier) && (*in_find || place == Where::Get));
    let shown: String = wanted
        .filter_map(|(uri, ..)| {
            let name = uri.split_once(':').map_or(*uri, |(_, name)| name);
            Some(look.of_field(uri)?.write(name))
        })
        .collect();
    format!("<t:{kind}>{}{shown}</t:{kind}>", item_id(&ids::item_id(at), &ids::change_key(look.item.version)))
}

impl MessageLook<'_> {
    /// What a restriction or an order finds under a path; messages have no extended properties.
    pub(super) fn value(&self, path: &Path) -> Option<Value> {
        match path {
            Path::Field(uri) => self.of_field(uri),
            Path::Extended(..) | Path::Indexed => None,
        }
    }

    fn of_field(&self, uri: &str) -> Option<Value> {
        let (message, about) = (self.message, self.message.about.as_deref());
        let text = |text: &str| Some(Value::Text(text.to_owned()));
        Some(match uri {
            "item:ParentFolderId" => {
                Value::Xml(parent_folder(self.mailbox.number, self.item.folder.number()))
            }
            "item:ItemClass" => Value::Text(message.class.to_owned()),
            "item:Subject" => Value::Text(message.subject.clone()),
            "item:Body" => {
                let xml = format!(r#"<t:Body BodyType="Text">{}</t:Body>"#, escape(&message.body));
                Value::Shown(xml, message.body.clone())
            }
            "item:DateTimeReceived" | "item:DateTimeSent" | "item:DateTimeCreated" => {
                Value::Time(self.item.created)
            }
            "item:LastModifiedTime" => Value::Time(self.item.modified),
            "item:ResponseObjects" => self.response_objects()?,
            "message:Sender" => person("Sender", &message.from),
            "message:From" => person("From", &message.from),
            "message:ToRecipients" => {
                let to: String = message.to.iter().map(|person| mailbox_element(person, "Mailbox")).collect();
                Value::Xml(format!("<t:ToRecipients>{to}</t:ToRecipients>"))
            }
            "message:IsRead" => Value::Flag(about.is_some_and(|about| about.is_processed)),
            "meeting:AssociatedCalendarItemId" => self.associated()?,
            "meeting:IsDelegated" | "meeting:IsOutOfDate" => Value::Flag(false),
            "meeting:HasBeenProcessed" => Value::Flag(about?.is_processed),
            "meeting:ResponseType" => properties::answer(about?.answer),
            "calendar:UID" => Value::Text(about?.uid.clone()),
            "calendar:RecurrenceId" => Value::Time(about?.occurrence?),
            "calendar:Start" => Value::Time(about?.start),
            "calendar:End" => Value::Time(about?.end),
            "calendar:Location" => return text(&about?.location).filter(|location| !location.is_empty()),
            "meetingRequest:MeetingRequestType" => Value::Text("NewMeetingRequest".to_owned()),
            "meetingRequest:IntendedFreeBusyStatus" => {
                self.with_view(about?, |look| Some(properties::busy(look.view.details.busy)))?
            }
            _ => return self.with_view(about?, |look| properties::of_field(look, uri)),
        })
    }

    fn response_objects(&self) -> Option<Value> {
        let objects = match kind_of(self.item) {
            "MeetingRequest" => "<t:AcceptItem/><t:TentativelyAcceptItem/><t:DeclineItem/><t:ForwardItem/>",
            "MeetingCancellation" => "<t:RemoveItem/>",
            _ => return None,
        };
        Some(Value::Xml(format!("<t:ResponseObjects>{objects}</t:ResponseObjects>")))
    }

    fn associated(&self) -> Option<Value> {
        let about = self.message.about.as_deref()?;
        self.with_view(about, |look| {
            let (id, key) = (look.view.id(), look.view.change_key());
            let xml = format!(r#"<t:AssociatedCalendarItemId Id="{id}" ChangeKey="{key}"/>"#);
            Some(Value::Xml(xml))
        })
    }

    /// Looks at the meeting in the calendar of this mailbox, if it is there.
    fn with_view(&self, about: &About, of: impl FnOnce(&Look<'_>) -> Option<Value>) -> Option<Value> {
        let view = self.view(about)?;
        of(&Look { view, world: self.world, place: Where::Get, body: BodyType::Best })
    }

    fn view(&self, about: &About) -> Option<View<'_>> {
        let row = self.mailbox.by_uid(&about.uid)?;
        let is_series = row.event().is_some_and(|event: &Event| event.series.is_some());
        let occurrence = about.occurrence.filter(|_| is_series);
        let at = ItemRef { mailbox: self.mailbox.number, item: row.number, occurrence };
        views::view(self.mailbox, at).ok()
    }
}

fn person(name: &str, person: &Person) -> Value {
    let xml = format!("<t:{name}>{}</t:{name}>", mailbox_element(person, "Mailbox"));
    Value::Shown(xml, person.name.clone())
}
