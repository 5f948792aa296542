//! Property paths: `FieldURI`, `IndexedFieldURI` and `ExtendedFieldURI`. Never reads an item.

use roxmltree::Node;

use crate::sim::ews_error::EwsError;
use crate::sim::extended::{ExtendedProperty, InvalidPath};
use crate::sim::xml::escape;

/// A path to a property of an item.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum PropertyPath {
    Field(String),
    Extended(ExtendedProperty, PathAttributes),
    /// An entry of a dictionary; calendar items have none.
    Indexed,
}

/// The attributes of an `ExtendedFieldURI` as written in the request; the response repeats them.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct PathAttributes(String);

impl PathAttributes {
    /// The `ExtendedFieldURI` element.
    pub(super) fn element(&self) -> String {
        format!("<t:ExtendedFieldURI{}/>", self.0)
    }
}

/// The attributes in schema order.
const ATTRIBUTES: [&str; 6] = [
    "DistinguishedPropertySetId",
    "PropertySetId",
    "PropertyTag",
    "PropertyName",
    "PropertyId",
    "PropertyType",
];

/// Parses a path element.
pub(super) fn read(node: Node<'_, '_>) -> Result<PropertyPath, EwsError> {
    match (node.tag_name().name(), node.attribute("FieldURI")) {
        ("FieldURI", Some(uri)) if is_known(uri) => Ok(PropertyPath::Field(uri.to_owned())),
        ("IndexedFieldURI", Some(_)) => Ok(PropertyPath::Indexed),
        ("ExtendedFieldURI", _) => {
            extended(node).map(|(property, spelling)| PropertyPath::Extended(property, spelling))
        }
        _ => Err(EwsError::schema_violation(node, "The property path is invalid.")),
    }
}

/// Parses an `ExtendedFieldURI`.
pub(super) fn extended(node: Node<'_, '_>) -> Result<(ExtendedProperty, PathAttributes), EwsError> {
    let property = ExtendedProperty::read(|name| node.attribute(name)).map_err(|bad| match bad {
        InvalidPath::Attributes => EwsError::new(
            "ErrorInvalidExtendedProperty",
            "The extended property attribute combination is invalid.",
        ),
        InvalidPath::Type => {
            EwsError::new("ErrorUnsupportedMapiPropertyType", "The MAPI property type is not supported.")
        }
    })?;
    let spelled =
        ATTRIBUTES.iter().filter_map(|name| Some(format!(r#" {name}="{}""#, escape(node.attribute(*name)?))));
    Ok((property, PathAttributes(spelled.collect())))
}

/// Whether the schema has this `FieldURI`. Those of calendar items and meeting messages are listed one by one.
fn is_known(uri: &str) -> bool {
    let Some((family, name)) = uri.split_once(':') else { return false };
    match family {
        "item" => ITEM.contains(&name),
        "calendar" => CALENDAR.contains(&name),
        "meeting" => MEETING.contains(&name),
        "meetingRequest" => MEETING_REQUEST.contains(&name),
        "message" | "folder" | "task" | "contacts" | "distributionlist" | "postitem" | "conversation" => true,
        _ => false,
    }
}

const ITEM: &[&str] = &[
    "ItemId",
    "ParentFolderId",
    "ItemClass",
    "MimeContent",
    "Attachments",
    "Subject",
    "DateTimeReceived",
    "Size",
    "Categories",
    "HasAttachments",
    "Importance",
    "InReplyTo",
    "InternetMessageHeaders",
    "IsAssociated",
    "IsDraft",
    "IsFromMe",
    "IsResend",
    "IsSubmitted",
    "IsUnmodified",
    "DateTimeSent",
    "DateTimeCreated",
    "Body",
    "ResponseObjects",
    "Sensitivity",
    "ReminderDueBy",
    "ReminderIsSet",
    "ReminderNextTime",
    "ReminderMinutesBeforeStart",
    "DisplayTo",
    "DisplayCc",
    "DisplayBcc",
    "Culture",
    "EffectiveRights",
    "LastModifiedName",
    "LastModifiedTime",
    "ConversationId",
    "UniqueBody",
    "Flag",
    "StoreEntryId",
    "InstanceKey",
    "NormalizedBody",
    "EntityExtractionResult",
    "PolicyTag",
    "ArchiveTag",
    "RetentionDate",
    "Preview",
    "PredictedActionReasons",
    "IsClutter",
    "RightsManagementLicenseData",
    "BlockStatus",
    "HasBlockedImages",
    "WebClientReadFormQueryString",
    "WebClientEditFormQueryString",
    "TextBody",
    "IconIndex",
    "MimeContentUTF8",
    "Mentions",
    "MentionedMe",
    "MentionsPreview",
    "MentionsEx",
    "Hashtags",
    "AppliedHashtags",
    "AppliedHashtagsPreview",
    "Likes",
    "LikesPreview",
    "PendingSocialActivityTagIds",
    "AtAllMention",
    "CanDelete",
    "InferenceClassification",
    "FirstBody",
];

const CALENDAR: &[&str] = &[
    "Start",
    "End",
    "OriginalStart",
    "StartWallClock",
    "EndWallClock",
    "StartTimeZoneId",
    "EndTimeZoneId",
    "IsAllDayEvent",
    "LegacyFreeBusyStatus",
    "Location",
    "EnhancedLocation",
    "When",
    "IsMeeting",
    "IsCancelled",
    "IsRecurring",
    "MeetingRequestWasSent",
    "IsResponseRequested",
    "CalendarItemType",
    "MyResponseType",
    "Organizer",
    "RequiredAttendees",
    "OptionalAttendees",
    "Resources",
    "ConflictingMeetingCount",
    "AdjacentMeetingCount",
    "ConflictingMeetings",
    "AdjacentMeetings",
    "InboxReminders",
    "Duration",
    "TimeZone",
    "AppointmentReplyTime",
    "AppointmentSequenceNumber",
    "AppointmentState",
    "Recurrence",
    "FirstOccurrence",
    "LastOccurrence",
    "ModifiedOccurrences",
    "DeletedOccurrences",
    "MeetingTimeZone",
    "ConferenceType",
    "AllowNewTimeProposal",
    "IsOnlineMeeting",
    "MeetingWorkspaceUrl",
    "NetShowUrl",
    "UID",
    "RecurrenceId",
    "DateTimeStamp",
    "StartTimeZone",
    "EndTimeZone",
    "JoinOnlineMeetingUrl",
    "OnlineMeetingSettings",
    "IsOrganizer",
    "CalendarActivityData",
    "DoNotForwardMeeting",
];

const MEETING: &[&str] = &[
    "AssociatedCalendarItemId",
    "IsDelegated",
    "IsOutOfDate",
    "HasBeenProcessed",
    "ResponseType",
    "ProposedStart",
    "ProposedEnd",
    "DoNotForwardMeeting",
];

const MEETING_REQUEST: &[&str] = &["MeetingRequestType", "IntendedFreeBusyStatus", "ChangeHighlights"];
