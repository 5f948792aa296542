//! `CreateItem`: creates events; `respond` handles the responses to meetings that are items of `CreateItem` too. Other
//! kinds of items are rejected.

use roxmltree::Node;

use super::draft::EventDraft;
use super::fields::set;
use super::ids::{folder, not_found, view};
use super::request_context::RequestContext;
use super::{respond, shape};
use crate::sim::details::InvitationResponse;
use crate::sim::event::{Copy, ItemContent};
use crate::sim::ews_error::EwsError;
use crate::sim::folder::MailboxFolder;
use crate::sim::outbox::MailKind;
use crate::sim::scenario::new_event;
use crate::sim::soap_request::{elements, enum_attribute, m, require_m, require_order};
use crate::sim::soap_response::messages;

const INVITES: [&str; 3] = ["SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"];

/// Items that the schema allows and that do not belong in a calendar.
const OTHER_ITEMS: [&str; 17] = [
    "Item",
    "Message",
    "SharingMessage",
    "Contact",
    "DistributionList",
    "MeetingMessage",
    "MeetingRequest",
    "MeetingResponse",
    "MeetingCancellation",
    "Task",
    "PostItem",
    "ReplyToItem",
    "ForwardItem",
    "ReplyAllToItem",
    "SuppressReadReceipt",
    "PostReplyItem",
    "AcceptSharingInvitation",
];

pub(super) fn answer(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let outcomes: Vec<_> =
        elements(require_m(request, "Items")?).map(|item| one(context, request, item)).collect();
    Ok(messages("CreateItem", &outcomes, "<m:Items/>"))
}

fn one(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    item: Node<'_, '_>,
) -> Result<String, EwsError> {
    let items = match item.tag_name().name() {
        "CalendarItem" => event(context, request, item)?,
        "AcceptItem" => respond::respond(context, request, item, InvitationResponse::Accept)?,
        "TentativelyAcceptItem" => respond::respond(context, request, item, InvitationResponse::Tentative)?,
        "DeclineItem" => respond::respond(context, request, item, InvitationResponse::Decline)?,
        "CancelCalendarItem" => respond::cancel(context, request, item)?,
        "RemoveItem" => respond::remove(context, request, item)?,
        name if OTHER_ITEMS.contains(&name) => {
            return Err(EwsError::new(
                "ErrorInvalidItemForOperationCreateItem",
                format!("The simulator only supports calendar items, not {name}."),
            ));
        }
        other => {
            return Err(EwsError::schema_violation(
                item,
                &format!("The element 'Items' has invalid child element '{other}'."),
            ));
        }
    };
    Ok(format!("<m:Items>{items}</m:Items>"))
}

fn event(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    item: Node<'_, '_>,
) -> Result<String, EwsError> {
    let send = enum_attribute(request, "SendMeetingInvitations", &INVITES)?.ok_or_else(|| {
        EwsError::new(
            "ErrorSendMeetingInvitationsRequired",
            "SendMeetingInvitations attribute is required for calendar items.",
        )
    })?;
    in_calendar(context, request)?;
    require_order(item, CALENDAR_ITEM)?;
    let mut draft = EventDraft::new(context.world.now(), context.zone);
    for property in elements(item) {
        set(&mut draft, property)?;
    }
    draft.finish(None)?;
    let meets = draft.details.attendees().next().is_some();
    let copy = if meets { Copy::Organizer } else { Copy::Plain };
    let (number, organizer) = (context.mailbox()?.number, context.mailbox()?.person());
    let uid = draft.uid.clone().unwrap_or_else(|| context.world.next_uid());
    let mut event = new_event(uid, copy, organizer, draft.details.clone(), None);
    draft.apply(&mut event);
    let at = context
        .world
        .insert_item(number, MailboxFolder::Calendar, ItemContent::Event(Box::new(event)))
        .ok_or_else(not_found)?;
    if meets && send != "SendToNone" {
        context.world.send_invitations(at, MailKind::Request);
        if send.ends_with("SaveCopy") {
            context.world.save_to_sent_items(number);
        }
    }
    Ok(shape::bare(&view(context, at)?))
}

/// Requires the calendar as the target folder; it is the default.
fn in_calendar(context: &RequestContext<'_>, request: Node<'_, '_>) -> Result<(), EwsError> {
    let named = m(request, "SavedItemFolderId").and_then(|saved| elements(saved).next());
    match named.map(|named| folder(context, named)).transpose()? {
        None | Some(MailboxFolder::Calendar) => Ok(()),
        Some(_) => Err(EwsError::new(
            "ErrorCannotCreateCalendarItemInNonCalendarFolder",
            "A calendar item can only be created in a calendar.",
        )),
    }
}

/// The children of a `CalendarItem` in schema order.
const CALENDAR_ITEM: &[&str] = &[
    "MimeContent",
    "ItemId",
    "ParentFolderId",
    "ItemClass",
    "Subject",
    "Sensitivity",
    "Body",
    "Attachments",
    "DateTimeReceived",
    "Size",
    "Categories",
    "Importance",
    "InReplyTo",
    "IsSubmitted",
    "IsDraft",
    "IsFromMe",
    "IsResend",
    "IsUnmodified",
    "InternetMessageHeaders",
    "DateTimeSent",
    "DateTimeCreated",
    "ResponseObjects",
    "ReminderDueBy",
    "ReminderIsSet",
    "ReminderNextTime",
    "ReminderMinutesBeforeStart",
    "DisplayCc",
    "DisplayTo",
    "DisplayBcc",
    "HasAttachments",
    "ExtendedProperty*",
    "Culture",
    "EffectiveRights",
    "LastModifiedName",
    "LastModifiedTime",
    "IsAssociated",
    "WebClientReadFormQueryString",
    "WebClientEditFormQueryString",
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
    "RightsManagementLicenseData",
    "PredictedActionReasons",
    "IsClutter",
    "BlockStatus",
    "HasBlockedImages",
    "TextBody",
    "IconIndex",
    "SearchKey",
    "SortKey",
    "Hashtags",
    "Mentions",
    "MentionedMe",
    "MentionsPreview",
    "MentionsEx",
    "AppliedHashtags",
    "AppliedHashtagsPreview",
    "Likes",
    "LikesPreview",
    "PendingSocialActivityTagIds",
    "AtAllMention",
    "CanDelete",
    "InferenceClassification",
    "UID",
    "RecurrenceId",
    "DateTimeStamp",
    "Start",
    "End",
    "OriginalStart",
    "IsAllDayEvent",
    "LegacyFreeBusyStatus",
    "Location",
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
    "InboxReminders",
    "ConflictingMeetingCount",
    "AdjacentMeetingCount",
    "ConflictingMeetings",
    "AdjacentMeetings",
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
    "StartTimeZone",
    "EndTimeZone",
    "ConferenceType",
    "AllowNewTimeProposal",
    "IsOnlineMeeting",
    "MeetingWorkspaceUrl",
    "NetShowUrl",
    "EnhancedLocation",
    "StartWallClock",
    "EndWallClock",
    "StartTimeZoneId",
    "EndTimeZoneId",
    "IntendedFreeBusyStatus",
    "JoinOnlineMeetingUrl",
    "OnlineMeetingSettings",
    "IsOrganizer",
    "CalendarActivityData",
    "DoNotForwardMeeting",
];
