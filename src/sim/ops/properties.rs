//! The properties of a calendar item: the shapes that contain them, and their values. One table in schema order; each
//! column is a rule of Exchange.

use chrono::{DateTime, TimeDelta, Utc};

use super::occurrences::{self, Edge};
use super::people_xml::{attendees, display, organizer};
use super::property_path::PropertyPath;
use super::property_value::PropertyValue;
use super::recurrence;
use super::shape::{BodyType, ReadOperation};
use super::{aliases, html};
use crate::sim::event::{Copy, Details, FreeBusyType, Importance, InvitationResponse, Sensitivity};
use crate::sim::ids;
use crate::sim::soap_response::{element, escape, instant};
use crate::sim::views::{self, EventInstance, SeriesRole};
use crate::sim::world::World;
use crate::sim::zones::Zone;

/// The base shapes that contain a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ShapeTier {
    Default,
    All,
    OnRequest,
}

/// The inputs of a property's value.
#[derive(Clone, Copy)]
pub(super) struct PropertyContext<'a> {
    pub(super) view: EventInstance<'a>,
    pub(super) world: &'a World,
    pub(super) place: ReadOperation,
    pub(super) body: BodyType,
}

impl PropertyContext<'_> {
    fn details(&self) -> &Details {
        self.view.details
    }

    /// The stored value of a property that the simulator ignores, or a default.
    fn other(&self, name: &str, otherwise: &str) -> Option<PropertyValue> {
        let said = self.details().other_properties.get(name).cloned();
        said.or_else(|| (!otherwise.is_empty()).then(|| otherwise.to_owned())).map(PropertyValue::Text)
    }

    fn flag(&self, name: &str, otherwise: bool) -> Option<PropertyValue> {
        let said = self.details().other_properties.get(name).map(|said| said == "true");
        Some(PropertyValue::Boolean(said.unwrap_or(otherwise)))
    }

    fn time(&self, name: &str) -> Option<PropertyValue> {
        crate::sim::soap_request::instant(self.details().other_properties.get(name)?).map(PropertyValue::Time)
    }

    fn start_zone(&self) -> &'static Zone {
        self.view.event.start_zone(self.details())
    }

    fn end_zone(&self) -> &'static Zone {
        self.view.event.end_zone(self.details())
    }
}

/// A property of calendar items.
pub(super) struct PropertyDefinition {
    pub(super) uri: &'static str,
    pub(super) tier: ShapeTier,
    /// Whether `FindItem` returns it.
    pub(super) in_find: bool,
    pub(super) value: fn(&PropertyContext<'_>) -> Option<PropertyValue>,
}

impl PropertyDefinition {
    /// Its element name.
    pub(super) fn name(&self) -> &'static str {
        self.uri.split_once(':').map_or(self.uri, |(_, name)| name)
    }
}

const fn property(
    uri: &'static str,
    tier: ShapeTier,
    in_find: bool,
    value: fn(&PropertyContext<'_>) -> Option<PropertyValue>,
) -> PropertyDefinition {
    PropertyDefinition { uri, tier, in_find, value }
}

use ShapeTier::{All, Default as Basic, OnRequest};

/// The property after which extended properties are written.
pub(super) const EXTENDED_AFTER: &str = "item:HasAttachments";

/// Every supported property, in schema order.
pub(super) const PROPERTIES: &[PropertyDefinition] = &[
    property("item:ParentFolderId", All, true, |look| {
        Some(PropertyValue::Xml(parent_folder(look.view.mailbox.number, look.view.item.folder.number())))
    }),
    property("item:ItemClass", All, true, |look| look.other("ItemClass", "IPM.Appointment")),
    property("item:Subject", Basic, true, |look| text(&look.details().subject)),
    property("item:Sensitivity", All, true, |look| Some(sensitivity(look.details().sensitivity))),
    property("item:Body", All, false, |look| Some(body(look))),
    property("item:DateTimeReceived", All, true, |look| time(look.view.item.created)),
    property("item:Size", All, true, |look| Some(PropertyValue::Number(size(look.details())))),
    property("item:Categories", All, true, |look| {
        let all: Vec<_> = look.details().categories.iter().cloned().map(PropertyValue::Text).collect();
        (!all.is_empty()).then_some(PropertyValue::List(all))
    }),
    property("item:Importance", All, true, |look| Some(importance(look.details().importance))),
    property("item:InReplyTo", All, true, |look| look.other("InReplyTo", "")),
    property("item:IsSubmitted", All, true, |_| flag(false)),
    property("item:IsDraft", All, true, |_| flag(false)),
    property("item:IsFromMe", All, true, |_| flag(false)),
    property("item:IsResend", All, true, |_| flag(false)),
    property("item:IsUnmodified", All, true, |_| flag(false)),
    property("item:DateTimeSent", All, true, |look| time(look.view.item.created)),
    property("item:DateTimeCreated", All, true, |look| time(look.view.item.created)),
    property("item:ResponseObjects", Basic, false, |look| {
        Some(PropertyValue::Xml(response_objects(&look.view)))
    }),
    property("item:ReminderDueBy", All, true, |look| {
        look.time("ReminderDueBy").or_else(|| time(look.view.start))
    }),
    property("item:ReminderIsSet", All, true, |look| flag(look.details().reminder_minutes.is_some())),
    property("item:ReminderNextTime", All, true, |look| look.time("ReminderNextTime")),
    property("item:ReminderMinutesBeforeStart", All, true, |look| {
        let minutes = look.details().reminder_minutes.map(i64::from);
        let said = || look.details().other_properties.get("ReminderMinutesBeforeStart")?.parse().ok();
        Some(PropertyValue::Number(minutes.or_else(said).unwrap_or(15)))
    }),
    property("item:DisplayCc", All, true, |look| {
        Some(PropertyValue::Text(display(&look.details().optional)))
    }),
    property("item:DisplayTo", All, true, |look| {
        Some(PropertyValue::Text(display(&look.details().required)))
    }),
    property("item:HasAttachments", Basic, true, |_| flag(false)),
    property("item:Culture", All, true, |look| look.other("Culture", "en-US")),
    property("item:EffectiveRights", All, true, |_| Some(PropertyValue::Xml(EFFECTIVE_RIGHTS.to_owned()))),
    property("item:LastModifiedName", All, true, |look| text(&look.view.mailbox.name)),
    property("item:LastModifiedTime", All, true, |look| time(look.view.item.modified)),
    property("item:IsAssociated", All, true, |_| flag(false)),
    property("item:TextBody", OnRequest, false, |look| {
        let text = html::text_of(&look.details().body, look.details().is_html);
        let xml = format!(r#"<t:TextBody BodyType="Text">{}</t:TextBody>"#, escape(&text));
        Some(PropertyValue::XmlWithText(xml, text))
    }),
    property("calendar:UID", All, true, |look| text(&look.view.event.uid)),
    property("calendar:RecurrenceId", All, true, |look| time(look.view.original_start?)),
    property("calendar:DateTimeStamp", All, true, |look| {
        look.time("DateTimeStamp").or_else(|| time(look.view.item.modified))
    }),
    property("calendar:Start", Basic, true, |look| time(look.view.start)),
    property("calendar:End", Basic, true, |look| time(look.view.end)),
    property("calendar:OriginalStart", All, true, |look| time(look.view.original_start?)),
    property("calendar:IsAllDayEvent", All, true, |look| flag(look.details().all_day)),
    property("calendar:LegacyFreeBusyStatus", Basic, true, |look| Some(busy(look.details().busy))),
    property("calendar:Location", Basic, true, |look| text(&look.details().location)),
    property("calendar:When", All, true, |look| look.other("When", "")),
    property("calendar:IsMeeting", All, true, |look| flag(look.view.event.copy != Copy::Plain)),
    property("calendar:IsCancelled", All, true, |look| flag(look.details().cancelled)),
    property("calendar:IsRecurring", All, true, |look| flag(look.view.original_start.is_some())),
    property("calendar:MeetingRequestWasSent", All, true, |look| {
        flag(look.view.event.sent && look.view.event.copy != Copy::Plain)
    }),
    property("calendar:IsResponseRequested", All, true, |look| look.flag("IsResponseRequested", true)),
    property("calendar:CalendarItemType", Basic, true, |look| Some(kind(look.view.role))),
    property("calendar:MyResponseType", All, true, |look| Some(answer(my_response(&look.view)))),
    property("calendar:Organizer", Basic, true, organizer),
    property("calendar:RequiredAttendees", Basic, false, |look| {
        attendees("RequiredAttendees", &look.view, &look.details().required)
    }),
    property("calendar:OptionalAttendees", Basic, false, |look| {
        attendees("OptionalAttendees", &look.view, &look.details().optional)
    }),
    property("calendar:Resources", Basic, false, |look| {
        attendees("Resources", &look.view, &look.details().resources)
    }),
    property("calendar:ConflictingMeetingCount", All, false, |look| {
        Some(PropertyValue::Number(count(count_neighbors(&look.view, NeighborKind::Overlapping))))
    }),
    property("calendar:AdjacentMeetingCount", All, false, |look| {
        Some(PropertyValue::Number(count(count_neighbors(&look.view, NeighborKind::Touching))))
    }),
    property("calendar:Duration", All, true, |look| text(&duration(look.view.end - look.view.start))),
    property("calendar:TimeZone", All, true, |look| text(&zone_name(look.start_zone()))),
    property("calendar:AppointmentReplyTime", All, true, |look| time(look.details().responded_at?)),
    property("calendar:AppointmentSequenceNumber", All, true, |look| {
        Some(PropertyValue::Number(look.view.event.sequence.into()))
    }),
    property("calendar:AppointmentState", All, true, |look| {
        Some(PropertyValue::Number(appointment_state(&look.view)))
    }),
    property("calendar:Recurrence", Basic, false, |look| {
        let series = look.view.event.series.as_ref().filter(|_| look.view.role == SeriesRole::Master)?;
        Some(PropertyValue::Xml(recurrence::write(series, look.view.start)))
    }),
    property("calendar:FirstOccurrence", All, false, |look| {
        occurrences::edge("FirstOccurrence", &look.view, Edge::First).map(PropertyValue::Xml)
    }),
    property("calendar:LastOccurrence", All, false, |look| {
        occurrences::edge("LastOccurrence", &look.view, Edge::Last).map(PropertyValue::Xml)
    }),
    property("calendar:ModifiedOccurrences", All, false, |look| {
        occurrences::modified(&look.view).map(PropertyValue::Xml)
    }),
    property("calendar:DeletedOccurrences", All, false, |look| {
        occurrences::deleted(&look.view).map(PropertyValue::Xml)
    }),
    property("calendar:StartTimeZone", All, true, |look| {
        Some(PropertyValue::Xml(zone("StartTimeZone", look.start_zone())))
    }),
    property("calendar:EndTimeZone", All, true, |look| {
        Some(PropertyValue::Xml(zone("EndTimeZone", look.end_zone())))
    }),
    property("calendar:ConferenceType", All, true, |look| {
        let said = look.details().other_properties.get("ConferenceType");
        Some(PropertyValue::Number(said.and_then(|said| said.parse().ok()).unwrap_or(0)))
    }),
    property("calendar:AllowNewTimeProposal", All, true, |look| look.flag("AllowNewTimeProposal", true)),
    property("calendar:IsOnlineMeeting", All, true, |look| look.flag("IsOnlineMeeting", false)),
    property("calendar:MeetingWorkspaceUrl", All, true, |look| look.other("MeetingWorkspaceUrl", "")),
    property("calendar:NetShowUrl", All, true, |look| look.other("NetShowUrl", "")),
    property("calendar:StartWallClock", All, true, |look| {
        Some(PropertyValue::Xml(wall_clock("StartWallClock", look.start_zone(), look.view.start)))
    }),
    property("calendar:EndWallClock", All, true, |look| {
        Some(PropertyValue::Xml(wall_clock("EndWallClock", look.end_zone(), look.view.end)))
    }),
    property("calendar:StartTimeZoneId", All, true, |look| text(look.start_zone().id)),
    property("calendar:EndTimeZoneId", All, true, |look| text(look.end_zone().id)),
    property("calendar:IsOrganizer", All, true, |look| flag(look.view.event.copy != Copy::Attendee)),
];

/// Properties with a text or number that restrictions and sort orders may not use: Exchange computes them for a response
/// or stores another form.
const NOT_SEARCHABLE: [&str; 12] = [
    "item:Culture",
    "item:TextBody",
    "calendar:UID",
    "calendar:RecurrenceId",
    "calendar:IsResponseRequested",
    "calendar:Organizer",
    "calendar:ConflictingMeetingCount",
    "calendar:AdjacentMeetingCount",
    "calendar:TimeZone",
    "calendar:StartTimeZoneId",
    "calendar:EndTimeZoneId",
    "calendar:IsOrganizer",
];

/// Properties with child elements.
const STRUCTURES: [&str; 16] = [
    "item:ParentFolderId",
    "item:ResponseObjects",
    "item:EffectiveRights",
    "calendar:RequiredAttendees",
    "calendar:OptionalAttendees",
    "calendar:Resources",
    "calendar:Recurrence",
    "calendar:FirstOccurrence",
    "calendar:LastOccurrence",
    "calendar:ModifiedOccurrences",
    "calendar:DeletedOccurrences",
    "calendar:StartTimeZone",
    "calendar:EndTimeZone",
    "calendar:StartWallClock",
    "calendar:EndWallClock",
    "calendar:ConflictingMeetings",
];

/// Properties that restrictions may use and that never match.
const NEVER_MATCHING: [&str; 1] = ["item:ReminderDueBy"];

/// Whether restrictions and sort orders may use a property.
pub(super) fn is_searchable(path: &PropertyPath) -> bool {
    match path {
        PropertyPath::Extended(..) => true,
        PropertyPath::Indexed => false,
        PropertyPath::Field(uri) => {
            let has = |list: &[&str]| list.contains(&uri.as_str());
            let known =
                PROPERTIES.iter().any(|property| property.uri == uri) || super::message_shape::has(uri);
            known && !has(&NOT_SEARCHABLE) && !has(&STRUCTURES)
        }
    }
}

/// The value of a property for a restriction or sort order.
pub(super) fn value(look: &PropertyContext<'_>, path: &PropertyPath) -> Option<PropertyValue> {
    match path {
        PropertyPath::Indexed => None,
        PropertyPath::Extended(property, _) => aliases::value(look, property),
        PropertyPath::Field(uri) if NEVER_MATCHING.contains(&uri.as_str()) => None,
        PropertyPath::Field(uri) => of_field(look, uri),
    }
}

/// The value of a property that has a `FieldURI`.
pub(super) fn of_field(look: &PropertyContext<'_>, uri: &str) -> Option<PropertyValue> {
    let property = PROPERTIES.iter().find(|property| property.uri == uri)?;
    (property.value)(look)
}

const EFFECTIVE_RIGHTS: &str = "<t:EffectiveRights><t:CreateAssociated>false</t:CreateAssociated>\
    <t:CreateContents>false</t:CreateContents><t:CreateHierarchy>false</t:CreateHierarchy><t:Delete>true</t:Delete>\
    <t:Modify>true</t:Modify><t:Read>true</t:Read></t:EffectiveRights>";

fn text(text: &str) -> Option<PropertyValue> {
    Some(PropertyValue::Text(text.to_owned()))
}

fn flag(yes: bool) -> Option<PropertyValue> {
    Some(PropertyValue::Boolean(yes))
}

fn time(at: DateTime<Utc>) -> Option<PropertyValue> {
    Some(PropertyValue::Time(at))
}

/// The value of an enumeration whose variants are in the order of their MAPI numbers.
macro_rules! ranked {
    ($($function:ident: $name:ident),+) => {$(
        pub(super) fn $function(word: $name) -> PropertyValue {
            PropertyValue::Enumeration(word.word(), word as i64, |word| $name::from_word(word).map(|word| word as i64))
        }
    )+};
}

ranked!(sensitivity: Sensitivity, importance: Importance, busy: FreeBusyType, answer: InvitationResponse);

fn kind(kind: SeriesRole) -> PropertyValue {
    const WORDS: [&str; 4] = ["Single", "Occurrence", "Exception", "RecurringMaster"];
    let rank =
        |word: &str| WORDS.iter().position(|known| *known == word).and_then(|at| i64::try_from(at).ok());
    PropertyValue::Enumeration(kind.word(), rank(kind.word()).unwrap_or(0), rank)
}

pub(super) fn parent_folder(mailbox: u32, folder: u8) -> String {
    let id = ids::folder_id(mailbox, folder);
    format!(r#"<t:ParentFolderId Id="{id}" ChangeKey="{}"/>"#, ids::FOLDER_CHANGE_KEY)
}

fn body(look: &PropertyContext<'_>) -> PropertyValue {
    let details = look.details();
    let (kind, shown) = match look.body {
        BodyType::Html => ("HTML", html::page_of(&details.body, details.is_html)),
        BodyType::Best if details.is_html => ("HTML", details.body.clone()),
        BodyType::Best | BodyType::Text => ("Text", html::text_of(&details.body, details.is_html)),
    };
    PropertyValue::XmlWithText(format!(r#"<t:Body BodyType="{kind}">{}</t:Body>"#, escape(&shown)), shown)
}

fn size(details: &Details) -> i64 {
    i64::try_from(2000 + details.subject.len() + details.body.len()).unwrap_or(i64::MAX)
}

fn response_objects(view: &EventInstance<'_>) -> String {
    let own = match (view.event.copy, view.details.is_cancelled()) {
        (Copy::Attendee, false) => "<t:AcceptItem/><t:TentativelyAcceptItem/><t:DeclineItem/>",
        (Copy::Organizer, false) => "<t:CancelCalendarItem/>",
        _ => "",
    };
    format!("<t:ResponseObjects>{own}<t:ForwardItem/></t:ResponseObjects>")
}

/// This mailbox's response.
pub(super) fn my_response(view: &EventInstance<'_>) -> InvitationResponse {
    match view.event.copy {
        Copy::Attendee => view.details.my_response,
        Copy::Plain | Copy::Organizer => InvitationResponse::Organizer,
    }
}

/// Bit 1: meeting; bit 2: received; bit 4: cancelled.
pub(super) fn appointment_state(view: &EventInstance<'_>) -> i64 {
    let role = match view.event.copy {
        Copy::Plain => 0,
        Copy::Organizer => 1,
        Copy::Attendee => 3,
    };
    role | if view.details.state_is_cancelled() { 4 } else { 0 }
}

/// How other events relate to an event in time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum NeighborKind {
    Overlapping,
    Touching,
}

fn count_neighbors(view: &EventInstance<'_>, how: NeighborKind) -> usize {
    let second = TimeDelta::seconds(1);
    let others = views::window(view.mailbox, view.start - second, view.end + second);
    let others = others.iter().filter(|other| {
        other.item.number != view.item.number
            && !other.details.is_cancelled()
            && other.details.busy != FreeBusyType::Free
    });
    let lies = |other: &&EventInstance<'_>| match how {
        NeighborKind::Overlapping => other.start < view.end && other.end > view.start,
        NeighborKind::Touching => other.start == view.end || other.end == view.start,
    };
    others.filter(lies).count()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

fn duration(length: TimeDelta) -> String {
    let minutes = length.num_minutes();
    match (minutes / 1440, minutes % 1440 / 60, minutes % 60) {
        (0, 0, minutes) => format!("PT{minutes}M"),
        (0, hours, 0) => format!("PT{hours}H"),
        (0, hours, minutes) => format!("PT{hours}H{minutes}M"),
        (days, 0, 0) => format!("P{days}D"),
        (days, hours, minutes) => format!("P{days}DT{hours}H{minutes}M"),
    }
}

/// The value of the old `TimeZone` property.
fn zone_name(zone: &Zone) -> String {
    if zone.id == "UTC" { zone.id.to_owned() } else { zone.display() }
}

fn zone(name: &str, zone: &Zone) -> String {
    format!(r#"<t:{name} Id="{}" Name="{}"/>"#, escape(zone.id), escape(&zone.display()))
}

fn wall_clock(name: &str, zone: &Zone, at: DateTime<Utc>) -> String {
    element(name, &format!("{}{}", zone.local(at).format("%Y-%m-%dT%H:%M:%S"), zone.offset_of(at)))
}

/// The times of an `OccurrenceInfoType`.
pub(super) fn times(view: &EventInstance<'_>) -> String {
    format!("{}{}", element("Start", &instant(view.start)), element("End", &instant(view.end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::soap_request::{TYPES, parse};

    #[test]
    fn every_property_has_a_path_that_the_schema_knows() {
        for property in PROPERTIES {
            let later = ["calendar:StartTimeZoneId", "calendar:EndTimeZoneId"].contains(&property.uri);
            let xml = format!(r#"<t:FieldURI xmlns:t="{TYPES}" FieldURI="{}"/>"#, property.uri);
            let document = parse(&xml).unwrap();
            assert!(
                later || super::super::property_path::read(document.root_element()).is_ok(),
                "{}",
                property.uri
            );
        }
    }
}
