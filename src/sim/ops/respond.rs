//! Responses to meetings and their cancellation, sent as items of `CreateItem`. The reference is the meeting in the
//! calendar or its meeting request; a processed meeting request moves to Deleted Items.

use roxmltree::Node;

use super::ids::{RequestedItem, not_found, view, wanted};
use super::request_context::RequestContext;
use super::{item_xml, shape};
use crate::sim::details::InvitationResponse;
use crate::sim::event::{Copy, ItemContent, MailMessage};
use crate::sim::ews_error::EwsError;
use crate::sim::ids::ItemLocator;
use crate::sim::soap_request::{enum_attribute, t, t_text};

const DISPOSITIONS: [&str; 3] = ["SaveOnly", "SendOnly", "SendAndSaveCopy"];
const REQUEST: &str = "IPM.Schedule.Meeting.Request";
const CANCELLATION: &str = "IPM.Schedule.Meeting.Canceled";

/// A parsed response object.
struct MeetingResponse<'a> {
    at: ItemLocator,
    /// The meeting request, if it was the reference.
    message: Option<ItemLocator>,
    text: String,
    disposition: &'a str,
}

fn response<'a>(
    context: &RequestContext<'_>,
    request: Node<'a, '_>,
    item: Node<'_, '_>,
    body: &str,
) -> Result<MeetingResponse<'a>, EwsError> {
    let disposition = enum_attribute(request, "MessageDisposition", &DISPOSITIONS)?.ok_or_else(|| {
        EwsError::new("ErrorMessageDispositionRequired", "Message disposition is required for responses.")
    })?;
    let reference = t(item, "ReferenceItemId").ok_or_else(|| {
        EwsError::new("ErrorMissingInformationReferenceItemId", "The reference item id is missing.")
    })?;
    let wanted = wanted(context, reference)?;
    let (at, message) = meeting(context, wanted, item.tag_name().name())?;
    let text = t_text(item, body).unwrap_or_default();
    Ok(MeetingResponse { at, message, text, disposition })
}

/// The referenced meeting, with its change key checked, and the message that led to it.
fn meeting(
    context: &RequestContext<'_>,
    wanted: RequestedItem,
    operation: &str,
) -> Result<(ItemLocator, Option<ItemLocator>), EwsError> {
    let row = context.mailbox()?.items.get(&wanted.at.item).ok_or_else(not_found)?;
    let (at, message) = match &row.content {
        ItemContent::Event(_) => (wanted.at, None),
        ItemContent::Message(message) => (meeting_of_message(context, message, operation)?, Some(wanted.at)),
    };
    view(context, at)?;
    match wanted.version {
        None => {
            Err(EwsError::new("ErrorChangeKeyRequired", "An item change key is required for this operation."))
        }
        Some(known) if known != row.version => {
            Err(EwsError::new("ErrorStaleObject", "The change key is not the current one."))
        }
        Some(_) => Ok((at, message)),
    }
}

/// The meeting of a message that this response applies to.
fn meeting_of_message(
    context: &RequestContext<'_>,
    message: &MailMessage,
    operation: &str,
) -> Result<ItemLocator, EwsError> {
    let (class, code) = match operation {
        "AcceptItem" => (REQUEST, "ErrorInvalidItemForOperationAcceptItem"),
        "TentativelyAcceptItem" => (REQUEST, "ErrorInvalidItemForOperationTentative"),
        "DeclineItem" => (REQUEST, "ErrorInvalidItemForOperationDeclineItem"),
        "RemoveItem" => (CANCELLATION, "ErrorInvalidItemForOperationRemoveItem"),
        _ => ("", "ErrorInvalidItemForOperationCancelItem"),
    };
    let about = message.meeting.as_ref().filter(|_| message.class == class);
    let about = about.ok_or_else(|| EwsError::new(code, "The operation is invalid for this item."))?;
    let mailbox = context.mailbox()?;
    let row = mailbox.by_uid(&about.uid).ok_or_else(not_found)?;
    let is_series = row.event().is_some_and(|event| event.series.is_some());
    let occurrence = about.occurrence.filter(|_| is_series);
    Ok(ItemLocator { mailbox: mailbox.number, item: row.number, occurrence })
}

/// `AcceptItem`, `TentativelyAcceptItem`, `DeclineItem`.
pub(super) fn respond(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    item: Node<'_, '_>,
    answer: InvitationResponse,
) -> Result<String, EwsError> {
    let response = response(context, request, item, "Body")?;
    let instance = view(context, response.at)?;
    if instance.event.copy != Copy::Attendee {
        return Err(organizer_cannot_respond(answer));
    }
    if instance.event.organizer.address.is_empty() {
        return Err(EwsError::new("ErrorCorruptData", "The Organizer property value is not set.")
            .with_xml(r#"<t:FieldURI FieldURI="calendar:Organizer"/>"#));
    }
    if instance.details.is_cancelled() {
        return Err(meeting_is_cancelled(answer));
    }
    if response.disposition != "SaveOnly" {
        context.world.send_response(response.at, answer, &response.text);
    }
    let sent = save_sent_copy(context, &response);
    context.world.complete_message(response.message);
    let keeps = context.mailbox()?.preserve_declined;
    let at = match (answer, response.at.occurrence) {
        (InvitationResponse::Decline, _) if !keeps => context.world.remove_from_calendar(response.at),
        (InvitationResponse::Decline, _) => {
            context.world.keep_declined(response.at);
            Some(response.at)
        }
        _ => {
            context.world.set_own_response(response.at, answer);
            Some(response.at)
        }
    };
    Ok(sent + &shown(context, at))
}

/// `CancelCalendarItem`.
pub(super) fn cancel(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    item: Node<'_, '_>,
) -> Result<String, EwsError> {
    let response = response(context, request, item, "NewBodyContent")?;
    if view(context, response.at)?.event.copy == Copy::Attendee {
        return Err(EwsError::new(
            "ErrorCalendarIsNotOrganizer",
            "User must be an organizer for CancelCalendarItem action.",
        ));
    }
    let meets = view(context, response.at)?.details.attendees().next().is_some();
    let notified = match response.disposition {
        "SaveOnly" => Vec::new(),
        _ => context.world.cancel_meeting(response.at, &response.text),
    };
    if meets && notified.is_empty() && response.disposition != "SaveOnly" {
        // The organizer is the only attendee.
        return Err(EwsError::new("ErrorInvalidRecipients", "The message has no recipients."));
    }
    let sent = if notified.is_empty() { String::new() } else { save_sent_copy(context, &response) };
    let at = context.world.remove_from_calendar(response.at);
    // Clients expect one item: the cancellation that was sent, else the meeting.
    Ok(if sent.is_empty() { shown(context, at) } else { sent })
}

/// `RemoveItem`: removes a meeting that its organizer cancelled from the calendar.
pub(super) fn remove(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    item: Node<'_, '_>,
) -> Result<String, EwsError> {
    let response = response(context, request, item, "Body")?;
    if view(context, response.at)?.event.copy != Copy::Attendee {
        return Err(EwsError::new(
            "ErrorCalendarIsOrganizerForRemove",
            "User cannot be an organizer for RemoveItem action.",
        ));
    }
    context.world.complete_message(response.message);
    let at = context.world.remove_from_calendar(response.at);
    Ok(shown(context, at))
}

/// The current id of the meeting.
fn shown(context: &RequestContext<'_>, at: Option<ItemLocator>) -> String {
    at.and_then(|at| view(context, at).ok()).map(|view| shape::bare(&view)).unwrap_or_default()
}

/// The copy in Sent Items, if one is saved.
fn save_sent_copy(context: &mut RequestContext<'_>, response: &MeetingResponse<'_>) -> String {
    if response.disposition != "SendAndSaveCopy" {
        return String::new();
    }
    let kept = context.world.save_to_sent_items(response.at.mailbox);
    let item = kept.and_then(|at| Some((context.mailbox().ok()?.items.get(&at.item)?, at)));
    item.map(|(item, at)| item_xml::bare_message(item, at)).unwrap_or_default()
}

fn organizer_cannot_respond(answer: InvitationResponse) -> EwsError {
    let code = match answer {
        InvitationResponse::Accept => "ErrorCalendarIsOrganizerForAccept",
        InvitationResponse::Tentative => "ErrorCalendarIsOrganizerForTentative",
        _ => "ErrorCalendarIsOrganizerForDecline",
    };
    EwsError::new(code, "User cannot be an organizer for this action.")
}

fn meeting_is_cancelled(answer: InvitationResponse) -> EwsError {
    let code = match answer {
        InvitationResponse::Accept => "ErrorCalendarIsCancelledForAccept",
        InvitationResponse::Tentative => "ErrorCalendarIsCancelledForTentative",
        _ => "ErrorCalendarIsCancelledForDecline",
    };
    EwsError::new(code, "The meeting was cancelled.")
}
