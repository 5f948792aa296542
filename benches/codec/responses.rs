//! Generates short responses in the form in which Exchange writes them, from a seed.

use adjourn_test::SeededRandom;

use crate::pages::{self, Shape, base64};

/// The kinds of short responses.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Update,
    Delete,
    Create,
    Move,
    ItemError,
    ItemErrorDetails,
    FaultBusy,
    FaultImpersonation,
    FaultSchema,
    GetOne,
    FindOne,
    FindFive,
    Notification,
    Heartbeat,
    Availability,
    Sync,
}

use Kind::{
    Availability, Create, Delete, FaultBusy, FaultImpersonation, FaultSchema, FindFive, FindOne, GetOne,
    Heartbeat, ItemError, ItemErrorDetails, Move, Notification, Sync, Update,
};

const ROOMS: usize = 10;
const EVENTS: usize = 6;
const CHANGES: usize = 20;

impl Kind {
    pub(crate) const ALL: [Self; 16] = [
        Update,
        Delete,
        Create,
        Move,
        ItemError,
        ItemErrorDetails,
        FaultBusy,
        FaultImpersonation,
        FaultSchema,
        GetOne,
        FindOne,
        FindFive,
        Notification,
        Heartbeat,
        Availability,
        Sync,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Update => "UpdateItem answer",
            Delete => "DeleteItem answer",
            Create => "CreateItem answer",
            Move => "MoveItem answer",
            ItemError => "item error",
            ItemErrorDetails => "item error with details",
            FaultBusy => "fault, throttled",
            FaultImpersonation => "fault, impersonation",
            FaultSchema => "fault, schema",
            GetOne => "GetItem, 1 item",
            FindOne => "FindItem, 1 item",
            FindFive => "FindItem, 5 items",
            Notification => "stream, notification",
            Heartbeat => "stream, heartbeat",
            Availability => "availability, 10 rooms",
            Sync => "SyncFolderItems, 20 changes",
        }
    }

    /// Number of items, events or changes in it.
    pub(crate) fn items(self) -> usize {
        match self {
            FindFive => 5,
            Availability => ROOMS * EVENTS,
            Sync => CHANGES,
            _ => 1,
        }
    }

    /// Texts that the debug output of its value has.
    pub(crate) fn contents(self) -> &'static [&'static str] {
        match self {
            Update => &["UpdateItem", "change_key", "conflict_count: Some(0)"],
            Delete => &["DeleteItem", "NoError"],
            Create => &["CreateItem", "change_key"],
            Move => &["MoveItem", "change_key"],
            ItemError => &["ErrorItemNotFound", "object was not found"],
            ItemErrorDetails => &["ErrorInvalidPropertySet", "calendar:EndTimeZone"],
            FaultBusy => &["ErrorServerBusy", "BackOffMilliseconds", "17500"],
            FaultImpersonation => &["ErrorImpersonateUserDenied", "permission to impersonate"],
            FaultSchema => &["ErrorSchemaValidation", "LinePosition", "602"],
            GetOne => &["GetItem", "organizer: Some", "end: Some"],
            FindOne | FindFive => &["FindItem", "organizer: Some", "end: Some"],
            Notification => &["ModifiedEvent", "subscription_id: Some", "change_key: Some"],
            Heartbeat => &["connection_status: Some(\"OK\")"],
            Availability => &["DetailedMerged", "busy_type: Some", "2026-11-"],
            Sync => &["sync_state: Some", "Delete", "Update", "change_key: Some"],
        }
    }
}

const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";
const SOAP: &str = "http://schemas.xmlsoap.org/soap/envelope/";
const XSD: &str = "http://www.w3.org/2001/XMLSchema";
const XSI: &str = "http://www.w3.org/2001/XMLSchema-instance";
const BUILD: &str = "MajorVersion=\"15\" MinorVersion=\"20\" MajorBuildNumber=\"7228\" MinorBuildNumber=\"23\" Version=\"V2018_01_08\"";

/// A response of this kind; another seed gives other ids and times.
pub(crate) fn response(kind: Kind, seed: u64) -> String {
    let dice = &mut SeededRandom::new(seed + 1);
    match kind {
        Update => success(
            "UpdateItem",
            &format!("{}<m:ConflictResults><t:Count>0</t:Count></m:ConflictResults>", items(&written(dice))),
        ),
        Delete => success("DeleteItem", ""),
        Create => success("CreateItem", &items(&written(dice))),
        Move => success("MoveItem", &items(&written(dice))),
        ItemError => error(
            "GetItem",
            "The specified object was not found in the store.",
            "ErrorItemNotFound",
            "<m:Items/>",
        ),
        ItemErrorDetails => error(
            "UpdateItem",
            "Set action is invalid for property.",
            "ErrorInvalidPropertySet",
            "<m:MessageXml><t:FieldURI FieldURI=\"calendar:EndTimeZone\"/></m:MessageXml><m:Items/>",
        ),
        FaultBusy => fault(
            "ErrorServerBusy",
            "The server cannot service this request right now. Try again later.",
            "<t:Value Name=\"BackOffMilliseconds\">17500</t:Value>",
        ),
        FaultImpersonation => fault(
            "ErrorImpersonateUserDenied",
            "The account does not have permission to impersonate the requested user.",
            "",
        ),
        FaultSchema => fault(
            "ErrorSchemaValidation",
            "The request failed schema validation: The element has incomplete content.",
            "<t:LineNumber>1</t:LineNumber><t:LinePosition>602</t:LinePosition>\
             <t:Violation>The element has incomplete content.</t:Violation>",
        ),
        GetOne => success("GetItem", &items(&pages::items(Shape::Ordered, 1, seed))),
        FindOne => success("FindItem", &folder(seed, 1)),
        FindFive => success("FindItem", &folder(seed, 5)),
        Notification => stream(&notification(dice)),
        Heartbeat => stream("<m:ConnectionStatus>OK</m:ConnectionStatus>"),
        Availability => availability(dice),
        Sync => success("SyncFolderItems", &sync(dice)),
    }
}

fn id(dice: &mut SeededRandom, element: &str, space: &str) -> String {
    format!("<t:{element} Id=\"{}\" ChangeKey=\"{}\"{space}/>", base64(dice, 152), base64(dice, 40))
}

fn written(dice: &mut SeededRandom) -> String {
    format!("<t:CalendarItem>{}</t:CalendarItem>", id(dice, "ItemId", ""))
}

fn items(inside: &str) -> String {
    format!("<m:Items>{inside}</m:Items>")
}

fn folder(seed: u64, count: usize) -> String {
    format!(
        "<m:RootFolder TotalItemsInView=\"{count}\" IncludesLastItemInRange=\"true\"><t:Items>{}</t:Items></m:RootFolder>",
        pages::items(Shape::Ordered, count, seed)
    )
}

fn success(operation: &str, payload: &str) -> String {
    envelope(
        operation,
        &format!("ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>{payload}"),
    )
}

fn error(operation: &str, text: &str, code: &str, payload: &str) -> String {
    envelope(
        operation,
        &format!(
            "ResponseClass=\"Error\"><m:MessageText>{text}</m:MessageText><m:ResponseCode>{code}</m:ResponseCode>\
             <m:DescriptiveLinkKey>0</m:DescriptiveLinkKey>{payload}"
        ),
    )
}

fn message(operation: &str, declarations: &str, inside: &str) -> String {
    format!(
        "<m:{operation}Response {declarations}><m:ResponseMessages><m:{operation}ResponseMessage {inside}\
         </m:{operation}ResponseMessage></m:ResponseMessages></m:{operation}Response>"
    )
}

fn envelope(operation: &str, inside: &str) -> String {
    let declarations =
        format!("xmlns:m=\"{MESSAGES}\" xmlns:xsd=\"{XSD}\" xmlns:xsi=\"{XSI}\" xmlns:t=\"{TYPES}\"");
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"{SOAP}\"><s:Header>\
         <h:ServerVersionInfo {BUILD} xmlns:h=\"{TYPES}\" xmlns:xsd=\"{XSD}\" xmlns:xsi=\"{XSI}\"/></s:Header>\
         <s:Body>{}</s:Body></s:Envelope>",
        message(operation, &declarations, inside)
    )
}

fn fault(code: &str, text: &str, details: &str) -> String {
    let details = match details {
        "" => String::new(),
        details => format!("<t:MessageXml xmlns:t=\"{TYPES}\">{details}</t:MessageXml>"),
    };
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"{SOAP}\"><s:Body><s:Fault>\
         <faultcode xmlns:a=\"{TYPES}\">a:{code}</faultcode><faultstring xml:lang=\"en-US\">{text}</faultstring>\
         <detail><e:ResponseCode xmlns:e=\"{ERRORS}\">{code}</e:ResponseCode>\
         <e:Message xmlns:e=\"{ERRORS}\">{text}</e:Message>{details}</detail></s:Fault></s:Body></s:Envelope>"
    )
}

/// An envelope of a stream, which another part of Exchange writes.
fn stream(payload: &str) -> String {
    let declarations =
        format!("xmlns:xsd=\"{XSD}\" xmlns:xsi=\"{XSI}\" xmlns:t=\"{TYPES}\" xmlns:m=\"{MESSAGES}\"");
    let inside = format!("ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>{payload}");
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><Envelope xmlns=\"{SOAP}\"><soap11:Header xmlns:soap11=\"{SOAP}\">\
         <ServerVersionInfo xmlns:xsd=\"{XSD}\" xmlns:xsi=\"{XSI}\" {BUILD} xmlns=\"{TYPES}\" /></soap11:Header>\
         <soap11:Body xmlns:soap11=\"{SOAP}\">{}</soap11:Body></Envelope>",
        message("GetStreamingEvents", &declarations, &inside)
    )
}

/// A change of an item, and of its folder, as Exchange reports it.
fn notification(dice: &mut SeededRandom) -> String {
    let event = |dice: &mut SeededRandom, element: &str| {
        let (id, parent) = (id(dice, element, " "), id(dice, "ParentFolderId", " "));
        format!(
            "<t:ModifiedEvent><t:TimeStamp>2026-11-24T09:30:00Z</t:TimeStamp>{id}{parent}</t:ModifiedEvent>"
        )
    };
    format!(
        "<m:Notifications><m:Notification><t:SubscriptionId>{}</t:SubscriptionId>{}{}</m:Notification></m:Notifications>",
        base64(dice, 96),
        event(dice, "ItemId"),
        event(dice, "FolderId")
    )
}

fn availability(dice: &mut SeededRandom) -> String {
    let rooms: String = (0..ROOMS).map(|_| free_busy(dice)).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?><s:Envelope xmlns:s=\"{SOAP}\"><s:Header>\
         <h:ServerVersionInfo {BUILD} xmlns:h=\"{TYPES}\" xmlns=\"{TYPES}\" xmlns:xsd=\"{XSD}\" xmlns:xsi=\"{XSI}\"/>\
         </s:Header><s:Body xmlns:xsi=\"{XSI}\" xmlns:xsd=\"{XSD}\"><GetUserAvailabilityResponse xmlns=\"{MESSAGES}\">\
         <FreeBusyResponseArray>{rooms}</FreeBusyResponseArray></GetUserAvailabilityResponse></s:Body></s:Envelope>"
    )
}

const WORKING_HOURS: &str = "<TimeZone><Bias>-60</Bias><StandardTime><Bias>0</Bias><Time>03:00:00</Time><DayOrder>5</DayOrder>\
    <Month>10</Month><DayOfWeek>Sunday</DayOfWeek></StandardTime><DaylightTime><Bias>-60</Bias><Time>02:00:00</Time>\
    <DayOrder>5</DayOrder><Month>3</Month><DayOfWeek>Sunday</DayOfWeek></DaylightTime></TimeZone><WorkingPeriodArray>\
    <WorkingPeriod><DayOfWeek>Monday Tuesday Wednesday Thursday Friday</DayOfWeek>\
    <StartTimeInMinutes>480</StartTimeInMinutes><EndTimeInMinutes>1080</EndTimeInMinutes></WorkingPeriod>\
    </WorkingPeriodArray>";

fn free_busy(dice: &mut SeededRandom) -> String {
    let events: String = (0..EVENTS).map(|_| busy_event(dice)).collect();
    let merged: String = (0..96).map(|_| char::from(b"02"[dice.below(2) as usize])).collect();
    format!(
        "<FreeBusyResponse><ResponseMessage ResponseClass=\"Success\"><ResponseCode>NoError</ResponseCode></ResponseMessage>\
         <FreeBusyView><FreeBusyViewType xmlns=\"{TYPES}\">DetailedMerged</FreeBusyViewType>\
         <MergedFreeBusy xmlns=\"{TYPES}\">{merged}</MergedFreeBusy>\
         <CalendarEventArray xmlns=\"{TYPES}\">{events}</CalendarEventArray>\
         <WorkingHours xmlns=\"{TYPES}\">{WORKING_HOURS}</WorkingHours></FreeBusyView></FreeBusyResponse>"
    )
}

fn busy_event(dice: &mut SeededRandom) -> String {
    let (day, hour) = (1 + dice.below(28), 7 + dice.below(12));
    let status = ["Busy", "Tentative", "Free", "OOF"][dice.below(4) as usize];
    format!(
        "<CalendarEvent><StartTime>2026-11-{day:02}T{hour:02}:00:00</StartTime>\
         <EndTime>2026-11-{day:02}T{hour:02}:45:00</EndTime><BusyType>{status}</BusyType></CalendarEvent>"
    )
}

fn sync(dice: &mut SeededRandom) -> String {
    let changes: String = (0..CHANGES).map(|at| change(dice, at)).collect();
    format!(
        "<m:SyncState>{}</m:SyncState><m:IncludesLastItemInRange>true</m:IncludesLastItemInRange>\
         <m:Changes>{changes}</m:Changes>",
        base64(dice, 2_000)
    )
}

fn change(dice: &mut SeededRandom, at: usize) -> String {
    match at % 4 {
        0 => format!("<t:Delete>{}</t:Delete>", id(dice, "ItemId", "")),
        1 => format!("<t:Create>{}</t:Create>", written(dice)),
        _ => format!("<t:Update>{}</t:Update>", written(dice)),
    }
}
