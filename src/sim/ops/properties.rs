//! The properties of a calendar item: the shapes that contain them, and their values. One table in schema order; each
//! column is a rule of Exchange.

use chrono::{DateTime, TimeDelta, Utc};

use super::item_xml::parent_folder;
use super::occurrences::{self, Edge};
use super::people_xml::{attendees, display, organizer};
use super::property_context::{BodyType, PropertyContext, PropertyDefinition, ShapeTier};
use super::property_value::PropertyValue;
use super::{html, recurrence};
use crate::sim::details::{Details, FreeBusyType, Importance, InvitationResponse, Sensitivity};
use crate::sim::event::Copy;
use crate::sim::soap_response::element;
use crate::sim::views::{self, EventInstance, SeriesRole};
use crate::sim::xml::escape;
use crate::sim::zones::Zone;

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
    property("item:ParentFolderId", All, true, |cx| {
        Some(PropertyValue::Xml(parent_folder(cx.view.mailbox.number, cx.view.item.folder.number())))
    }),
    property("item:ItemClass", All, true, |cx| cx.other("ItemClass", "IPM.Appointment")),
    property("item:Subject", Basic, true, |cx| text(&cx.details().subject)),
    property("item:Sensitivity", All, true, |cx| Some(sensitivity(cx.details().sensitivity))),
    property("item:Body", All, false, |cx| Some(body(cx))),
    property("item:DateTimeReceived", All, true, |cx| time(cx.view.item.created)),
    property("item:Size", All, true, |cx| Some(PropertyValue::Number(size(cx.details())))),
    property("item:Categories", All, true, |cx| {
        let all: Vec<_> = cx.details().categories.iter().cloned().map(PropertyValue::Text).collect();
        (!all.is_empty()).then_some(PropertyValue::List(all))
    }),
    property("item:Importance", All, true, |cx| Some(importance(cx.details().importance))),
    property("item:InReplyTo", All, true, |cx| cx.other("InReplyTo", "")),
    property("item:IsSubmitted", All, true, |_| flag(false)),
    property("item:IsDraft", All, true, |_| flag(false)),
    property("item:IsFromMe", All, true, |_| flag(false)),
    property("item:IsResend", All, true, |_| flag(false)),
    property("item:IsUnmodified", All, true, |_| flag(false)),
    property("item:DateTimeSent", All, true, |cx| time(cx.view.item.created)),
    property("item:DateTimeCreated", All, true, |cx| time(cx.view.item.created)),
    property("item:ResponseObjects", Basic, false, |cx| Some(PropertyValue::Xml(response_objects(&cx.view)))),
    property("item:ReminderDueBy", All, true, |cx| cx.time("ReminderDueBy").or_else(|| time(cx.view.start))),
    property("item:ReminderIsSet", All, true, |cx| flag(cx.details().reminder_minutes.is_some())),
    property("item:ReminderNextTime", All, true, |cx| cx.time("ReminderNextTime")),
    property("item:ReminderMinutesBeforeStart", All, true, |cx| {
        let minutes = cx.details().reminder_minutes.map(i64::from);
        let stored = || cx.details().other_properties.get("ReminderMinutesBeforeStart")?.parse().ok();
        Some(PropertyValue::Number(minutes.or_else(stored).unwrap_or(15)))
    }),
    property("item:DisplayCc", All, true, |cx| Some(PropertyValue::Text(display(&cx.details().optional)))),
    property("item:DisplayTo", All, true, |cx| Some(PropertyValue::Text(display(&cx.details().required)))),
    property("item:HasAttachments", Basic, true, |_| flag(false)),
    property("item:Culture", All, true, |cx| cx.other("Culture", "en-US")),
    property("item:EffectiveRights", All, true, |_| Some(PropertyValue::Xml(EFFECTIVE_RIGHTS.to_owned()))),
    property("item:LastModifiedName", All, true, |cx| text(&cx.view.mailbox.name)),
    property("item:LastModifiedTime", All, true, |cx| time(cx.view.item.modified)),
    property("item:IsAssociated", All, true, |_| flag(false)),
    property("item:TextBody", OnRequest, false, |cx| {
        let text = html::text_of(&cx.details().body, cx.details().is_html);
        let xml = format!(r#"<t:TextBody BodyType="Text">{}</t:TextBody>"#, escape(&text));
        Some(PropertyValue::XmlWithText(xml, text))
    }),
    property("calendar:UID", All, true, |cx| text(&cx.view.event.uid)),
    property("calendar:RecurrenceId", All, true, |cx| time(cx.view.original_start?)),
    property("calendar:DateTimeStamp", All, true, |cx| {
        cx.time("DateTimeStamp").or_else(|| time(cx.view.item.modified))
    }),
    property("calendar:Start", Basic, true, |cx| time(cx.view.start)),
    property("calendar:End", Basic, true, |cx| time(cx.view.end)),
    property("calendar:OriginalStart", All, true, |cx| time(cx.view.original_start?)),
    property("calendar:IsAllDayEvent", All, true, |cx| flag(cx.details().all_day)),
    property("calendar:LegacyFreeBusyStatus", Basic, true, |cx| Some(busy(cx.details().busy))),
    property("calendar:Location", Basic, true, |cx| text(&cx.details().location)),
    property("calendar:When", All, true, |cx| cx.other("When", "")),
    property("calendar:IsMeeting", All, true, |cx| flag(cx.view.event.copy != Copy::Plain)),
    property("calendar:IsCancelled", All, true, |cx| flag(cx.details().cancelled)),
    property("calendar:IsRecurring", All, true, |cx| flag(cx.view.original_start.is_some())),
    property("calendar:MeetingRequestWasSent", All, true, |cx| {
        flag(cx.view.event.sent && cx.view.event.copy != Copy::Plain)
    }),
    property("calendar:IsResponseRequested", All, true, |cx| cx.flag("IsResponseRequested", true)),
    property("calendar:CalendarItemType", Basic, true, |cx| Some(kind(cx.view.role))),
    property("calendar:MyResponseType", All, true, |cx| Some(answer(my_response(&cx.view)))),
    property("calendar:Organizer", Basic, true, organizer),
    property("calendar:RequiredAttendees", Basic, false, |cx| {
        attendees("RequiredAttendees", &cx.view, &cx.details().required)
    }),
    property("calendar:OptionalAttendees", Basic, false, |cx| {
        attendees("OptionalAttendees", &cx.view, &cx.details().optional)
    }),
    property("calendar:Resources", Basic, false, |cx| {
        attendees("Resources", &cx.view, &cx.details().resources)
    }),
    property("calendar:ConflictingMeetingCount", All, false, |cx| {
        Some(PropertyValue::Number(count(count_neighbors(&cx.view, NeighborKind::Overlapping))))
    }),
    property("calendar:AdjacentMeetingCount", All, false, |cx| {
        Some(PropertyValue::Number(count(count_neighbors(&cx.view, NeighborKind::Touching))))
    }),
    property("calendar:Duration", All, true, |cx| text(&duration(cx.view.end - cx.view.start))),
    property("calendar:TimeZone", All, true, |cx| text(&zone_name(cx.start_zone()))),
    property("calendar:AppointmentReplyTime", All, true, |cx| time(cx.details().responded_at?)),
    property("calendar:AppointmentSequenceNumber", All, true, |cx| {
        Some(PropertyValue::Number(cx.view.event.sequence.into()))
    }),
    property("calendar:AppointmentState", All, true, |cx| {
        Some(PropertyValue::Number(cx.view.appointment_state()))
    }),
    property("calendar:Recurrence", Basic, false, |cx| {
        let series = cx.view.event.series.as_ref().filter(|_| cx.view.role == SeriesRole::Master)?;
        Some(PropertyValue::Xml(recurrence::write(series, cx.view.start)))
    }),
    property("calendar:FirstOccurrence", All, false, |cx| {
        occurrences::edge("FirstOccurrence", &cx.view, Edge::First).map(PropertyValue::Xml)
    }),
    property("calendar:LastOccurrence", All, false, |cx| {
        occurrences::edge("LastOccurrence", &cx.view, Edge::Last).map(PropertyValue::Xml)
    }),
    property("calendar:ModifiedOccurrences", All, false, |cx| {
        occurrences::modified(&cx.view).map(PropertyValue::Xml)
    }),
    property("calendar:DeletedOccurrences", All, false, |cx| {
        occurrences::deleted(&cx.view).map(PropertyValue::Xml)
    }),
    property("calendar:StartTimeZone", All, true, |cx| {
        Some(PropertyValue::Xml(zone("StartTimeZone", cx.start_zone())))
    }),
    property("calendar:EndTimeZone", All, true, |cx| {
        Some(PropertyValue::Xml(zone("EndTimeZone", cx.end_zone())))
    }),
    property("calendar:ConferenceType", All, true, |cx| {
        let stored = cx.details().other_properties.get("ConferenceType");
        Some(PropertyValue::Number(stored.and_then(|stored| stored.parse().ok()).unwrap_or(0)))
    }),
    property("calendar:AllowNewTimeProposal", All, true, |cx| cx.flag("AllowNewTimeProposal", true)),
    property("calendar:IsOnlineMeeting", All, true, |cx| cx.flag("IsOnlineMeeting", false)),
    property("calendar:MeetingWorkspaceUrl", All, true, |cx| cx.other("MeetingWorkspaceUrl", "")),
    property("calendar:NetShowUrl", All, true, |cx| cx.other("NetShowUrl", "")),
    property("calendar:StartWallClock", All, true, |cx| {
        Some(PropertyValue::Xml(wall_clock("StartWallClock", cx.start_zone(), cx.view.start)))
    }),
    property("calendar:EndWallClock", All, true, |cx| {
        Some(PropertyValue::Xml(wall_clock("EndWallClock", cx.end_zone(), cx.view.end)))
    }),
    property("calendar:StartTimeZoneId", All, true, |cx| text(cx.start_zone().id)),
    property("calendar:EndTimeZoneId", All, true, |cx| text(cx.end_zone().id)),
    property("calendar:IsOrganizer", All, true, |cx| flag(cx.view.event.copy != Copy::Attendee)),
];

/// The value of a property that has a `FieldURI`.
pub(super) fn of_field(cx: &PropertyContext<'_>, uri: &str) -> Option<PropertyValue> {
    let property = PROPERTIES.iter().find(|property| property.uri == uri)?;
    (property.value)(cx)
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
            PropertyValue::Enumeration(word.wire_name(), word as i64, |word| $name::from_wire_name(word).map(|word| word as i64))
        }
    )+};
}

ranked!(sensitivity: Sensitivity, importance: Importance, busy: FreeBusyType, answer: InvitationResponse);

fn kind(kind: SeriesRole) -> PropertyValue {
    const WORDS: [&str; 4] = ["Single", "Occurrence", "Exception", "RecurringMaster"];
    let rank =
        |word: &str| WORDS.iter().position(|known| *known == word).and_then(|at| i64::try_from(at).ok());
    PropertyValue::Enumeration(kind.wire_name(), rank(kind.wire_name()).unwrap_or(0), rank)
}

fn body(cx: &PropertyContext<'_>) -> PropertyValue {
    let details = cx.details();
    let (kind, shown) = match cx.body {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::soap_request::parse;
    use crate::sim::xml::TYPES;

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
