//! Which properties of an item an answer shows, and how each is written. One table, in the order the schema fixes;
//! every column is a rule of Exchange.

use chrono::{DateTime, Utc, Weekday};
use roxmltree::Node;

use crate::sim::event::{Attendee, Content, Copy, Details, Event, Item, Message, Person};
use crate::sim::ids::{self, ItemRef};
use crate::sim::series::{Pattern, Range, Series};
use crate::sim::soap_in::{Refusal, TYPES, boolean, elements, in_order, need_t, t, t_text, text};
use crate::sim::soap_out::{element, escape, instant};
use crate::sim::views::{self, Kind, View};
use crate::sim::world::{Mailbox, World};

/// An `m:ItemShape`.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    base: Base,
    additional: Vec<String>,
    html: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Base {
    IdOnly,
    Default,
    All,
}

/// Where an item is shown: `FindItem` reads the folder's table, which holds neither bodies nor attendees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Where {
    Find,
    Get,
}

impl Shape {
    pub(super) fn read(node: Node<'_, '_>) -> Result<Self, Refusal> {
        in_order(
            node,
            &[
                "BaseShape",
                "IncludeMimeContent",
                "BodyType",
                "UniqueBodyType",
                "NormalizedBodyType",
                "FilterHtmlContent",
                "ConvertHtmlCodePageToUTF8",
                "InlineImageUrlTemplate",
                "BlockExternalImages",
                "AddBlankTargetToLinks",
                "MaximumBodySize",
                "AdditionalProperties",
            ],
        )?;
        let base = match text(need_t(node, "BaseShape")?).trim() {
            "IdOnly" => Base::IdOnly,
            "Default" => Base::Default,
            "AllProperties" => Base::All,
            _ => return Err(Refusal::schema(node, "BaseShape is invalid.")),
        };
        let html = t_text(node, "BodyType").is_some_and(|body_type| body_type == "HTML");
        let additional = match t(node, "AdditionalProperties") {
            Some(properties) => additional(properties)?,
            None => Vec::new(),
        };
        Ok(Self { base, additional, html })
    }

    fn wants(&self, property: &Property) -> bool {
        let in_base = match self.base {
            Base::IdOnly => false,
            Base::Default => property.tier == Tier::Default,
            Base::All => property.tier != Tier::OnRequest,
        };
        in_base || self.additional.iter().any(|uri| uri == property.uri)
    }
}

fn additional(properties: Node<'_, '_>) -> Result<Vec<String>, Refusal> {
    let mut uris = Vec::new();
    for property in elements(properties) {
        match (property.tag_name().name(), property.attribute("FieldURI")) {
            ("FieldURI", Some(uri)) if is_known_family(uri) => uris.push(uri.to_owned()),
            ("IndexedFieldURI" | "ExtendedFieldURI", _) => {}
            _ => return Err(Refusal::schema(property, "The property path is invalid.")),
        }
    }
    Ok(uris)
}

fn is_known_family(uri: &str) -> bool {
    let families =
        ["item:", "calendar:", "message:", "meeting:", "meetingRequest:", "folder:", "task:", "contacts:"];
    families.iter().any(|family| uri.starts_with(family))
}

/// Which base shapes show a property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tier {
    Default,
    All,
    OnRequest,
}

/// What writing a property may look at.
struct Look<'a> {
    view: View<'a>,
    world: &'a World,
    place: Where,
    html: bool,
}

struct Property {
    uri: &'static str,
    tier: Tier,
    /// Whether `FindItem` has it.
    in_find: bool,
    write: fn(&Look<'_>) -> Option<String>,
}

const fn property(
    uri: &'static str,
    tier: Tier,
    in_find: bool,
    write: fn(&Look<'_>) -> Option<String>,
) -> Property {
    Property { uri, tier, in_find, write }
}

use Tier::{All, Default as Basic, OnRequest};

/// Every property the simulator has, in schema order.
const PROPERTIES: &[Property] = &[
    property("item:ParentFolderId", All, true, |look| Some(parent_folder(look.view.mailbox, look.view.item))),
    property("item:ItemClass", All, true, |_| Some(element("ItemClass", "IPM.Appointment"))),
    property("item:Subject", Basic, true, |look| Some(element("Subject", &look.view.details.subject))),
    property("item:Sensitivity", All, true, |look| word("Sensitivity", look.view.details.sensitivity.word())),
    property("item:Body", All, false, |look| Some(body("Body", look))),
    property("item:DateTimeReceived", All, true, |look| date("DateTimeReceived", look.view.item.created)),
    property("item:Size", All, true, |look| Some(element("Size", &size(look.view.details).to_string()))),
    property("item:Categories", All, true, |look| categories(&look.view.details.categories)),
    property("item:Importance", All, true, |look| word("Importance", look.view.details.importance.word())),
    property("item:IsSubmitted", All, true, |_| flag("IsSubmitted", false)),
    property("item:IsDraft", All, true, |_| flag("IsDraft", false)),
    property("item:IsFromMe", All, true, |_| flag("IsFromMe", false)),
    property("item:IsResend", All, true, |_| flag("IsResend", false)),
    property("item:IsUnmodified", All, true, |_| flag("IsUnmodified", false)),
    property("item:DateTimeSent", All, true, |look| date("DateTimeSent", look.view.item.created)),
    property("item:DateTimeCreated", All, true, |look| date("DateTimeCreated", look.view.item.created)),
    property("item:ResponseObjects", Basic, false, |look| Some(response_objects(&look.view))),
    property("item:ReminderDueBy", All, true, |look| date("ReminderDueBy", look.view.start)),
    property("item:ReminderIsSet", All, true, |look| {
        flag("ReminderIsSet", look.view.details.reminder_minutes.is_some())
    }),
    property("item:ReminderMinutesBeforeStart", All, true, |look| {
        let minutes = look.view.details.reminder_minutes.unwrap_or(15);
        Some(element("ReminderMinutesBeforeStart", &minutes.to_string()))
    }),
    property("item:DisplayCc", All, true, |look| Some(display("DisplayCc", &look.view.details.optional))),
    property("item:DisplayTo", All, true, |look| Some(display("DisplayTo", &look.view.details.required))),
    property("item:HasAttachments", Basic, true, |_| flag("HasAttachments", false)),
    property("item:Culture", All, true, |_| Some(element("Culture", "en-US"))),
    property("item:EffectiveRights", All, true, |_| Some(EFFECTIVE_RIGHTS.to_owned())),
    property("item:LastModifiedName", All, true, |look| {
        Some(element("LastModifiedName", &look.view.mailbox.name))
    }),
    property("item:LastModifiedTime", All, true, |look| date("LastModifiedTime", look.view.item.modified)),
    property("item:IsAssociated", All, true, |_| flag("IsAssociated", false)),
    property("item:TextBody", OnRequest, false, |look| {
        Some(format!(r#"<t:TextBody BodyType="Text">{}</t:TextBody>"#, escape(&look.view.details.body)))
    }),
    property("calendar:UID", All, true, |look| Some(element("UID", &look.view.event.uid))),
    property("calendar:RecurrenceId", All, true, |look| date("RecurrenceId", look.view.original_start?)),
    property("calendar:DateTimeStamp", All, true, |look| date("DateTimeStamp", look.view.item.modified)),
    property("calendar:Start", Basic, true, |look| date("Start", look.view.start)),
    property("calendar:End", Basic, true, |look| date("End", look.view.end)),
    property("calendar:OriginalStart", All, true, |look| date("OriginalStart", look.view.original_start?)),
    property("calendar:IsAllDayEvent", All, true, |look| flag("IsAllDayEvent", look.view.details.all_day)),
    property("calendar:LegacyFreeBusyStatus", Basic, true, |look| {
        word("LegacyFreeBusyStatus", look.view.details.busy.word())
    }),
    property("calendar:Location", Basic, true, |look| Some(element("Location", &look.view.details.location))),
    property("calendar:IsMeeting", All, true, |look| flag("IsMeeting", look.view.event.copy != Copy::Plain)),
    property("calendar:IsCancelled", All, true, |look| flag("IsCancelled", look.view.details.cancelled)),
    property("calendar:IsRecurring", All, true, |look| {
        flag("IsRecurring", look.view.original_start.is_some())
    }),
    property("calendar:MeetingRequestWasSent", All, true, |look| {
        flag("MeetingRequestWasSent", look.view.event.sent && look.view.event.copy != Copy::Plain)
    }),
    property("calendar:IsResponseRequested", All, true, |_| flag("IsResponseRequested", true)),
    property("calendar:CalendarItemType", Basic, true, |look| {
        word("CalendarItemType", look.view.kind.word())
    }),
    property("calendar:MyResponseType", All, true, |look| word("MyResponseType", my_answer(&look.view))),
    property("calendar:Organizer", Basic, true, organizer),
    property("calendar:RequiredAttendees", Basic, false, |look| {
        attendees("RequiredAttendees", &look.view, &look.view.details.required)
    }),
    property("calendar:OptionalAttendees", Basic, false, |look| {
        attendees("OptionalAttendees", &look.view, &look.view.details.optional)
    }),
    property("calendar:Resources", Basic, false, |look| {
        attendees("Resources", &look.view, &look.view.details.resources)
    }),
    property("calendar:ConflictingMeetingCount", All, false, |look| {
        Some(element("ConflictingMeetingCount", &conflicts(&look.view).to_string()))
    }),
    property("calendar:AdjacentMeetingCount", All, false, |_| Some(element("AdjacentMeetingCount", "0"))),
    property("calendar:Duration", All, true, |look| Some(element("Duration", &duration(&look.view)))),
    property("calendar:TimeZone", All, true, |look| Some(element("TimeZone", &look.view.event.zone))),
    property("calendar:AppointmentReplyTime", All, true, |look| {
        date("AppointmentReplyTime", look.view.details.answered?)
    }),
    property("calendar:AppointmentSequenceNumber", All, true, |look| {
        Some(element("AppointmentSequenceNumber", &look.view.event.sequence.to_string()))
    }),
    property("calendar:AppointmentState", All, true, |look| {
        Some(element("AppointmentState", &state(&look.view).to_string()))
    }),
    property("calendar:Recurrence", Basic, false, |look| {
        master(&look.view).map(|series| recurrence(series, look.view.start))
    }),
    property("calendar:FirstOccurrence", All, false, |look| edge("FirstOccurrence", &look.view, Edge::First)),
    property("calendar:LastOccurrence", All, false, |look| edge("LastOccurrence", &look.view, Edge::Last)),
    property("calendar:ModifiedOccurrences", All, false, |look| modified_occurrences(&look.view)),
    property("calendar:DeletedOccurrences", All, false, |look| deleted_occurrences(&look.view)),
    property("calendar:StartTimeZone", All, false, |look| Some(zone("StartTimeZone", look.view.event))),
    property("calendar:EndTimeZone", All, false, |look| Some(zone("EndTimeZone", look.view.event))),
    property("calendar:ConferenceType", All, false, |_| Some(element("ConferenceType", "0"))),
    property("calendar:AllowNewTimeProposal", All, false, |_| flag("AllowNewTimeProposal", true)),
    property("calendar:IsOnlineMeeting", All, true, |_| flag("IsOnlineMeeting", false)),
    property("calendar:StartWallClock", All, true, |look| {
        Some(wall_clock("StartWallClock", look.view.start))
    }),
    property("calendar:EndWallClock", All, true, |look| Some(wall_clock("EndWallClock", look.view.end))),
    property("calendar:StartTimeZoneId", All, true, |look| {
        Some(element("StartTimeZoneId", &look.view.event.zone))
    }),
    property("calendar:EndTimeZoneId", All, true, |look| {
        Some(element("EndTimeZoneId", &look.view.event.zone))
    }),
    property("calendar:IsOrganizer", All, true, |look| {
        flag("IsOrganizer", look.view.event.copy != Copy::Attendee)
    }),
];

const EFFECTIVE_RIGHTS: &str = "<t:EffectiveRights><t:CreateAssociated>false</t:CreateAssociated>\
    <t:CreateContents>false</t:CreateContents><t:CreateHierarchy>false</t:CreateHierarchy><t:Delete>true</t:Delete>\
    <t:Modify>true</t:Modify><t:Read>true</t:Read></t:EffectiveRights>";

/// An event as a shape wants it.
pub(super) fn calendar_item(world: &World, view: View<'_>, shape: &Shape, place: Where) -> String {
    let look = Look { view, world, place, html: shape.html };
    let properties: String = PROPERTIES
        .iter()
        .filter(|property| shape.wants(property) && (property.in_find || place == Where::Get))
        .filter_map(|property| (property.write)(&look))
        .collect();
    format!("<t:CalendarItem>{}{properties}</t:CalendarItem>", item_id(&view.id(), &view.change_key()))
}

/// An event's id and nothing else, as after a write.
pub(super) fn bare(view: &View<'_>) -> String {
    format!("<t:CalendarItem>{}</t:CalendarItem>", item_id(&view.id(), &view.change_key()))
}

/// A message's id and nothing else.
pub(super) fn bare_message(item: &Item, at: ItemRef) -> String {
    let element = match &item.content {
        Content::Message(message) => kind_of(message),
        Content::Event(_) => "Message",
    };
    format!("<t:{element}>{}</t:{element}>", item_id(&ids::item_id(at), &ids::change_key(item.version)))
}

/// The schema's name for a message of this class.
fn kind_of(message: &Message) -> &'static str {
    match message.class {
        "IPM.Schedule.Meeting.Request" => "MeetingRequest",
        "IPM.Schedule.Meeting.Canceled" => "MeetingCancellation",
        class if class.starts_with("IPM.Schedule.Meeting.Resp.") => "MeetingResponse",
        _ => "Message",
    }
}

pub(super) fn item_id(id: &str, change_key: &str) -> String {
    format!(r#"<t:ItemId Id="{id}" ChangeKey="{change_key}"/>"#)
}

/// A message as a shape wants it; few clients of ours look at more than who told whom what.
pub(super) fn message(
    mailbox: &Mailbox,
    item: &Item,
    message: &Message,
    shape: &Shape,
    place: Where,
) -> String {
    let at = ItemRef { mailbox: mailbox.number, item: item.number, occurrence: None };
    let wants = |uri: &'static str, tier, in_find| {
        shape.wants(&property(uri, tier, in_find, |_| None)) && (in_find || place == Where::Get)
    };
    let mut out = item_id(&ids::item_id(at), &ids::change_key(item.version));
    if wants("item:ParentFolderId", All, true) {
        out += &parent_folder(mailbox, item);
    }
    if wants("item:ItemClass", All, true) {
        out += &element("ItemClass", message.class);
    }
    if wants("item:Subject", Basic, true) {
        out += &element("Subject", &message.subject);
    }
    if wants("item:Body", Basic, false) {
        out += &format!(r#"<t:Body BodyType="Text">{}</t:Body>"#, escape(&message.body));
    }
    if wants("item:DateTimeReceived", All, true) {
        out += &element("DateTimeReceived", &instant(item.created));
    }
    if wants("item:DateTimeSent", Basic, true) {
        out += &element("DateTimeSent", &instant(item.created));
    }
    if wants("item:DateTimeCreated", Basic, true) {
        out += &element("DateTimeCreated", &instant(item.created));
    }
    if wants("item:LastModifiedTime", All, true) {
        out += &element("LastModifiedTime", &instant(item.modified));
    }
    if wants("message:ToRecipients", Basic, false) {
        let to: String = message.to.iter().map(|person| mailbox_element(person, "Mailbox")).collect();
        out += &format!("<t:ToRecipients>{to}</t:ToRecipients>");
    }
    if wants("message:From", Basic, true) {
        out += &format!("<t:From>{}</t:From>", mailbox_element(&message.from, "Mailbox"));
    }
    if let Some((uid, start)) = &message.about {
        if wants("calendar:UID", All, true) {
            out += &element("UID", uid);
        }
        // A request has its times behind much that we do not show.
        if wants("calendar:Start", All, true) && kind_of(message) != "MeetingRequest" {
            out += &element("Start", &instant(*start));
        }
    }
    let kind = kind_of(message);
    format!("<t:{kind}>{out}</t:{kind}>")
}

fn word(name: &str, word: &str) -> Option<String> {
    Some(element(name, word))
}

fn flag(name: &str, yes: bool) -> Option<String> {
    Some(element(name, if yes { "true" } else { "false" }))
}

fn date(name: &str, at: DateTime<Utc>) -> Option<String> {
    Some(element(name, &instant(at)))
}

fn wall_clock(name: &str, at: DateTime<Utc>) -> String {
    element(name, &at.format("%Y-%m-%dT%H:%M:%S+00:00").to_string())
}

fn parent_folder(mailbox: &Mailbox, item: &Item) -> String {
    let id = ids::folder_id(mailbox.number, item.folder.number());
    format!(r#"<t:ParentFolderId Id="{id}" ChangeKey="{}"/>"#, ids::FOLDER_CHANGE_KEY)
}

fn body(name: &str, look: &Look<'_>) -> String {
    let text = escape(&look.view.details.body);
    if look.html {
        let page = escape(&format!("<html><body><div>{text}</div></body></html>"));
        format!(r#"<t:{name} BodyType="HTML">{page}</t:{name}>"#)
    } else {
        format!(r#"<t:{name} BodyType="Text">{text}</t:{name}>"#)
    }
}

fn size(details: &Details) -> usize {
    2000 + details.subject.len() + details.body.len()
}

fn categories(categories: &[String]) -> Option<String> {
    let all: String = categories.iter().map(|category| element("String", category)).collect();
    (!all.is_empty()).then(|| format!("<t:Categories>{all}</t:Categories>"))
}

fn response_objects(view: &View<'_>) -> String {
    let own = match (view.event.copy, view.details.is_cancelled()) {
        (Copy::Attendee, false) => "<t:AcceptItem/><t:TentativelyAcceptItem/><t:DeclineItem/>",
        (Copy::Organizer, false) => "<t:CancelCalendarItem/>",
        _ => "",
    };
    format!("<t:ResponseObjects>{own}<t:ForwardItem/></t:ResponseObjects>")
}

fn display(name: &str, attendees: &[Attendee]) -> String {
    let names: Vec<&str> = attendees.iter().map(|attendee| attendee.person.name.as_str()).collect();
    element(name, &names.join("; "))
}

fn my_answer(view: &View<'_>) -> &'static str {
    match view.event.copy {
        Copy::Attendee => view.details.my_answer.word(),
        Copy::Plain | Copy::Organizer => "Organizer",
    }
}

/// Bit 1 meeting, bit 2 received, bit 4 cancelled.
fn state(view: &View<'_>) -> u8 {
    let role = match view.event.copy {
        Copy::Plain => 0,
        Copy::Organizer => 1,
        Copy::Attendee => 3,
    };
    role | if view.details.state_is_cancelled() { 4 } else { 0 }
}

/// A folder's table has the X.500 name of organizers whom the directory knows or knew; an item of nobody has no organizer.
fn organizer(look: &Look<'_>) -> Option<String> {
    let person = &look.view.event.organizer;
    if person.address.is_empty() {
        return None;
    }
    let x500 = look.world.legacy_dn(&person.address).filter(|_| look.world.x500_organizers);
    let who = match x500.filter(|_| look.place == Where::Find) {
        Some(name) => format!(
            "<t:Mailbox><t:Name>{}</t:Name><t:EmailAddress>{}</t:EmailAddress><t:RoutingType>EX</t:RoutingType>\
             <t:MailboxType>OneOff</t:MailboxType></t:Mailbox>",
            escape(&person.name),
            escape(&name.to_uppercase())
        ),
        None => {
            let kind = if look.world.mailbox(&person.address).is_some() { "Mailbox" } else { "OneOff" };
            mailbox_element(&look.world.as_listed(person), kind)
        }
    };
    Some(format!("<t:Organizer>{who}</t:Organizer>"))
}

/// `t:Mailbox` with an SMTP address.
pub(super) fn mailbox_element(person: &Person, kind: &str) -> String {
    format!(
        "<t:Mailbox><t:Name>{}</t:Name><t:EmailAddress>{}</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>\
         <t:MailboxType>{kind}</t:MailboxType></t:Mailbox>",
        escape(&person.name),
        escape(&person.address)
    )
}

fn attendees(name: &str, view: &View<'_>, list: &[Attendee]) -> Option<String> {
    let one = |attendee: &Attendee| {
        let answer = match view.event.copy {
            Copy::Attendee => "Unknown",
            Copy::Plain | Copy::Organizer => match attendee.answer {
                crate::sim::event::Answer::None => "Unknown",
                answer => answer.word(),
            },
        };
        let when = attendee.answered.and_then(|at| date("LastResponseTime", at)).unwrap_or_default();
        let mailbox = mailbox_element(&attendee.person, "Mailbox");
        format!("<t:Attendee>{mailbox}<t:ResponseType>{answer}</t:ResponseType>{when}</t:Attendee>")
    };
    let all: String = list.iter().map(one).collect();
    (!all.is_empty()).then(|| format!("<t:{name}>{all}</t:{name}>"))
}

fn conflicts(view: &View<'_>) -> usize {
    let others = views::window(view.mailbox, view.start, view.end);
    others
        .iter()
        .filter(|other| other.item.number != view.item.number && !other.details.is_cancelled())
        .count()
}

fn duration(view: &View<'_>) -> String {
    let minutes = (view.end - view.start).num_minutes();
    match (minutes / 1440, minutes % 1440 / 60, minutes % 60) {
        (0, 0, minutes) => format!("PT{minutes}M"),
        (0, hours, 0) => format!("PT{hours}H"),
        (0, hours, minutes) => format!("PT{hours}H{minutes}M"),
        (days, 0, 0) => format!("P{days}D"),
        (days, hours, minutes) => format!("P{days}DT{hours}H{minutes}M"),
    }
}

fn zone(name: &str, event: &Event) -> String {
    let id = escape(&event.zone);
    let shown = if event.zone == "UTC" { "(UTC) Coordinated Universal Time" } else { &id };
    format!(r#"<t:{name} Id="{id}" Name="{shown}"/>"#)
}

fn master<'a>(view: &View<'a>) -> Option<&'a Series> {
    view.event.series.as_ref().filter(|_| view.kind == Kind::Master)
}

/// `t:Recurrence`.
fn recurrence(series: &Series, first: DateTime<Utc>) -> String {
    let start = element("StartDate", &first.date_naive().to_string());
    let range = match series.range {
        Range::NoEnd => format!("<t:NoEndRecurrence>{start}</t:NoEndRecurrence>"),
        Range::Until(day) => {
            format!("<t:EndDateRecurrence>{start}<t:EndDate>{day}</t:EndDate></t:EndDateRecurrence>")
        }
        Range::Count(count) => format!(
            "<t:NumberedRecurrence>{start}<t:NumberOfOccurrences>{count}</t:NumberOfOccurrences>\
             </t:NumberedRecurrence>"
        ),
    };
    format!("<t:Recurrence>{}{range}</t:Recurrence>", pattern(&series.pattern))
}

fn pattern(pattern: &Pattern) -> String {
    let every = |interval: &u32| format!("<t:Interval>{interval}</t:Interval>");
    match pattern {
        Pattern::Daily { interval } => format!("<t:DailyRecurrence>{}</t:DailyRecurrence>", every(interval)),
        Pattern::Weekly { interval, days } => {
            let days: Vec<&str> = days.iter().copied().map(weekday_word).collect();
            format!(
                "<t:WeeklyRecurrence>{}<t:DaysOfWeek>{}</t:DaysOfWeek></t:WeeklyRecurrence>",
                every(interval),
                days.join(" ")
            )
        }
        Pattern::Monthly { interval, day } => format!(
            "<t:AbsoluteMonthlyRecurrence>{}<t:DayOfMonth>{day}</t:DayOfMonth></t:AbsoluteMonthlyRecurrence>",
            every(interval)
        ),
        Pattern::MonthlyWeekday { interval, day, nth } => {
            let nth = ["First", "Second", "Third", "Fourth", "Last"][(nth.clamp(&1, &5) - 1) as usize];
            format!(
                "<t:RelativeMonthlyRecurrence>{}<t:DaysOfWeek>{}</t:DaysOfWeek>\
                 <t:DayOfWeekIndex>{nth}</t:DayOfWeekIndex></t:RelativeMonthlyRecurrence>",
                every(interval),
                weekday_word(*day)
            )
        }
    }
}

/// A weekday's name on the wire.
fn weekday_word(day: Weekday) -> &'static str {
    const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
    DAYS[day.num_days_from_monday() as usize]
}

/// Reads `t:Recurrence`; patterns the simulator does not have are refused as invalid.
pub(super) fn read_recurrence(node: Node<'_, '_>) -> Result<(Series, Option<chrono::NaiveDate>), Refusal> {
    let bad =
        || Refusal::new("ErrorCalendarInvalidRecurrence", "The recurrence is invalid or not supported here.");
    let mut pattern = None;
    let mut range = None;
    for child in elements(node).filter(|child| child.tag_name().namespace() == Some(TYPES)) {
        match child.tag_name().name() {
            name if name.ends_with("lyRecurrence") => pattern = Some(read_pattern(child).ok_or_else(bad)?),
            _ => range = Some(read_range(child).ok_or_else(bad)?),
        }
    }
    let (pattern, (range, start)) = (pattern.ok_or_else(bad)?, range.ok_or_else(bad)?);
    Ok((Series::new(pattern, range), start))
}

fn read_pattern(node: Node<'_, '_>) -> Option<Pattern> {
    let number =
        |name: &str| t_text(node, name)?.parse::<u32>().ok().filter(|number| (1..=999).contains(number));
    let days = || -> Option<Vec<Weekday>> {
        t_text(node, "DaysOfWeek")?.split_whitespace().map(|day| day.parse().ok()).collect()
    };
    let interval = number("Interval")?;
    Some(match node.tag_name().name() {
        "DailyRecurrence" => Pattern::Daily { interval },
        "WeeklyRecurrence" => Pattern::Weekly { interval, days: days()?.into_iter().collect() },
        "AbsoluteMonthlyRecurrence" => Pattern::Monthly { interval, day: number("DayOfMonth")?.min(31) },
        "RelativeMonthlyRecurrence" => {
            let nth = ["First", "Second", "Third", "Fourth", "Last"]
                .iter()
                .position(|word| t_text(node, "DayOfWeekIndex").as_deref() == Some(word))?;
            Pattern::MonthlyWeekday { interval, day: *days()?.first()?, nth: u32::try_from(nth).ok()? + 1 }
        }
        _ => return None,
    })
}

fn read_range(node: Node<'_, '_>) -> Option<(Range, Option<chrono::NaiveDate>)> {
    use crate::sim::soap_in::day;
    let start = day(&t_text(node, "StartDate")?)?;
    let range = match node.tag_name().name() {
        "NoEndRecurrence" => Range::NoEnd,
        "EndDateRecurrence" => Range::Until(day(&t_text(node, "EndDate")?)?),
        "NumberedRecurrence" => {
            let count = t_text(node, "NumberOfOccurrences")?.parse().ok()?;
            Range::Count((1..=999).contains(&count).then_some(count)?)
        }
        _ => return None,
    };
    Some((range, Some(start)))
}

enum Edge {
    First,
    Last,
}

/// `t:FirstOccurrence`, `t:LastOccurrence`; a series without an end has no last one.
fn edge(name: &str, view: &View<'_>, edge: Edge) -> Option<String> {
    let series = master(view)?;
    let mut there = series.starts(view.start).filter(|start| !series.deleted.contains(start));
    let start = match edge {
        Edge::First => there.next()?,
        Edge::Last if series.range == Range::NoEnd => return None,
        Edge::Last => there.last()?,
    };
    Some(format!("<t:{name}>{}</t:{name}>", occurrence_info(view, start)?))
}

fn occurrence_info(view: &View<'_>, original_start: DateTime<Utc>) -> Option<String> {
    let at = ItemRef { occurrence: Some(original_start), ..view.at() };
    let date = views::view(view.mailbox, at).ok()?;
    Some(format!(
        "{}{}{}{}",
        item_id(&date.id(), &date.change_key()),
        element("Start", &instant(date.start)),
        element("End", &instant(date.end)),
        element("OriginalStart", &instant(original_start))
    ))
}

fn modified_occurrences(view: &View<'_>) -> Option<String> {
    let all: String = master(view)?
        .exceptions
        .keys()
        .filter_map(|start| occurrence_info(view, *start))
        .map(|info| format!("<t:Occurrence>{info}</t:Occurrence>"))
        .collect();
    (!all.is_empty()).then(|| format!("<t:ModifiedOccurrences>{all}</t:ModifiedOccurrences>"))
}

fn deleted_occurrences(view: &View<'_>) -> Option<String> {
    let all: String = master(view)?
        .deleted
        .iter()
        .map(|start| {
            format!("<t:DeletedOccurrence>{}</t:DeletedOccurrence>", element("Start", &instant(*start)))
        })
        .collect();
    (!all.is_empty()).then(|| format!("<t:DeletedOccurrences>{all}</t:DeletedOccurrences>"))
}

/// `xs:boolean` content of an element, or schema refusal.
pub(super) fn flag_of(node: Node<'_, '_>) -> Result<bool, Refusal> {
    boolean(&text(node)).ok_or_else(|| Refusal::schema(node, "The value is no boolean."))
}
