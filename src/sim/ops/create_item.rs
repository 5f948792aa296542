//! `CreateItem`: events; answers to meetings, which Exchange takes as items too, are in `respond`. Items of other kinds than a
//! calendar's are refused.

use roxmltree::Node;

use super::Desk;
use super::draft::Draft;
use super::fields::set;
use super::ids::{folder, not_found, view};
use super::{respond, shape};
use crate::sim::event::{Answer, Content, Copy};
use crate::sim::outbox::MailKind;
use crate::sim::people::new_event;
use crate::sim::soap_in::{Refusal, choice, elements, in_order, m, need_m};
use crate::sim::soap_out::messages;
use crate::sim::world::Folder;

const INVITES: [&str; 3] = ["SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"];

/// What the schema lets one create that is nothing of a calendar.
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

pub(super) fn answer(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let outcomes: Vec<_> = elements(need_m(request, "Items")?).map(|item| one(desk, request, item)).collect();
    Ok(messages("CreateItem", &outcomes, "<m:Items/>"))
}

fn one(desk: &mut Desk<'_>, request: Node<'_, '_>, item: Node<'_, '_>) -> Result<String, Refusal> {
    let items = match item.tag_name().name() {
        "CalendarItem" => event(desk, request, item)?,
        "AcceptItem" => respond::respond(desk, request, item, Answer::Accept)?,
        "TentativelyAcceptItem" => respond::respond(desk, request, item, Answer::Tentative)?,
        "DeclineItem" => respond::respond(desk, request, item, Answer::Decline)?,
        "CancelCalendarItem" => respond::cancel(desk, request, item)?,
        "RemoveItem" => respond::remove(desk, request, item)?,
        name if OTHER_ITEMS.contains(&name) => {
            return Err(Refusal::new(
                "ErrorInvalidItemForOperationCreateItem",
                format!("The simulator has calendars only, and creates no {name}."),
            ));
        }
        other => return Err(Refusal::schema(item, &format!("'{other}' is no item."))),
    };
    Ok(format!("<m:Items>{items}</m:Items>"))
}

fn event(desk: &mut Desk<'_>, request: Node<'_, '_>, item: Node<'_, '_>) -> Result<String, Refusal> {
    let send = choice(request, "SendMeetingInvitations", &INVITES)?.ok_or_else(|| {
        Refusal::new(
            "ErrorSendMeetingInvitationsRequired",
            "SendMeetingInvitations attribute is required for calendar items.",
        )
    })?;
    in_calendar(desk, request)?;
    in_order(item, CALENDAR_ITEM)?;
    let mut draft = Draft::new(desk.world.now(), desk.zone);
    for property in elements(item) {
        set(&mut draft, property)?;
    }
    draft.finish(None)?;
    let meets = draft.details.attendees().next().is_some();
    let copy = if meets { Copy::Organizer } else { Copy::Plain };
    let (number, organizer) = (desk.mailbox()?.number, desk.mailbox()?.person());
    let uid = draft.uid.clone().unwrap_or_else(|| desk.world.next_uid());
    let mut event = new_event(uid, copy, organizer, draft.details.clone(), None);
    draft.apply(&mut event);
    let at =
        desk.world.put(number, Folder::Calendar, Content::Event(Box::new(event))).ok_or_else(not_found)?;
    if meets && send != "SendToNone" {
        desk.world.deliver(at, MailKind::Request);
        if send.ends_with("SaveCopy") {
            desk.world.keep_sent(number);
        }
    }
    Ok(shape::bare(&view(desk, at)?))
}

/// An event belongs into the calendar, which is also where it goes if the request names no folder.
fn in_calendar(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<(), Refusal> {
    let named = m(request, "SavedItemFolderId").and_then(|saved| elements(saved).next());
    match named.map(|named| folder(desk, named)).transpose()? {
        None | Some(Folder::Calendar) => Ok(()),
        Some(_) => Err(Refusal::new(
            "ErrorCannotCreateCalendarItemInNonCalendarFolder",
            "A calendar item can only be created in a calendar.",
        )),
    }
}

/// The children of a `CalendarItem`, in the order of the schema.
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
