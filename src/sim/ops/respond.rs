//! Answers to meetings and their cancellation, which come as items of `CreateItem`. What is answered is the meeting in the
//! calendar or the invitation to it; an invitation that is answered has done its work and goes to Deleted Items.

use roxmltree::Node;

use super::Desk;
use super::ids::{Wanted, not_found, view, wanted};
use super::shape;
use crate::sim::event::{Answer, Content, Copy, Message};
use crate::sim::ids::ItemRef;
use crate::sim::soap_in::{Refusal, choice, t, t_text};
use crate::sim::world::Folder;

const DISPOSITIONS: [&str; 3] = ["SaveOnly", "SendOnly", "SendAndSaveCopy"];
const REQUEST: &str = "IPM.Schedule.Meeting.Request";
const CANCELLATION: &str = "IPM.Schedule.Meeting.Canceled";

/// The meeting a response is about, its text, and whether anybody is to be told.
struct Response<'a> {
    at: ItemRef,
    /// The message that was answered, if it was one.
    message: Option<ItemRef>,
    text: String,
    disposition: &'a str,
}

fn response<'a>(
    desk: &Desk<'_>,
    request: Node<'a, '_>,
    item: Node<'_, '_>,
    body: &str,
) -> Result<Response<'a>, Refusal> {
    let disposition = choice(request, "MessageDisposition", &DISPOSITIONS)?.ok_or_else(|| {
        Refusal::new("ErrorMessageDispositionRequired", "Message disposition is required for responses.")
    })?;
    let reference = t(item, "ReferenceItemId").ok_or_else(|| {
        Refusal::new("ErrorMissingInformationReferenceItemId", "The reference item id is missing.")
    })?;
    let wanted = wanted(desk, reference)?;
    let (at, message) = meeting(desk, wanted, item.tag_name().name())?;
    let text = t_text(item, body).unwrap_or_default();
    Ok(Response { at, message, text, disposition })
}

/// The meeting that is meant, in the version the caller knows, and the message that led to it.
fn meeting(desk: &Desk<'_>, wanted: Wanted, operation: &str) -> Result<(ItemRef, Option<ItemRef>), Refusal> {
    let row = desk.mailbox()?.items.get(&wanted.at.item).ok_or_else(not_found)?;
    let (at, message) = match &row.content {
        Content::Event(_) => (wanted.at, None),
        Content::Message(message) => (behind(desk, message, operation)?, Some(wanted.at)),
    };
    view(desk, at)?;
    match wanted.version {
        None => {
            Err(Refusal::new("ErrorChangeKeyRequired", "An item change key is required for this operation."))
        }
        Some(known) if known != row.version => {
            Err(Refusal::new("ErrorStaleObject", "The change key is not the current one."))
        }
        Some(_) => Ok((at, message)),
    }
}

/// The meeting of a message that this operation answers.
fn behind(desk: &Desk<'_>, message: &Message, operation: &str) -> Result<ItemRef, Refusal> {
    let (class, code) = match operation {
        "AcceptItem" => (REQUEST, "ErrorInvalidItemForOperationAcceptItem"),
        "TentativelyAcceptItem" => (REQUEST, "ErrorInvalidItemForOperationTentative"),
        "DeclineItem" => (REQUEST, "ErrorInvalidItemForOperationDeclineItem"),
        "RemoveItem" => (CANCELLATION, "ErrorInvalidItemForOperationRemoveItem"),
        _ => ("", "ErrorInvalidItemForOperationCancelItem"),
    };
    let about = message.about.as_ref().filter(|_| message.class == class);
    let about = about.ok_or_else(|| Refusal::new(code, "The item is not one that can be answered so."))?;
    let mailbox = desk.mailbox()?;
    let row = mailbox.by_uid(&about.uid).ok_or_else(not_found)?;
    let is_series = row.event().is_some_and(|event| event.series.is_some());
    let occurrence = about.occurrence.filter(|_| is_series);
    Ok(ItemRef { mailbox: mailbox.number, item: row.number, occurrence })
}

/// `AcceptItem`, `TentativelyAcceptItem`, `DeclineItem`.
pub(super) fn respond(
    desk: &mut Desk<'_>,
    request: Node<'_, '_>,
    item: Node<'_, '_>,
    answer: Answer,
) -> Result<String, Refusal> {
    let response = response(desk, request, item, "Body")?;
    let seen = view(desk, response.at)?;
    if seen.event.copy != Copy::Attendee {
        return Err(wrong_side(answer));
    }
    if seen.event.organizer.address.is_empty() {
        return Err(Refusal::new("ErrorCorruptData", "The Organizer property value is not set.")
            .with_xml(r#"<t:FieldURI FieldURI="calendar:Organizer"/>"#));
    }
    if seen.details.is_cancelled() {
        return Err(called_off(answer));
    }
    if response.disposition != "SaveOnly" {
        desk.world.reply(response.at, answer, &response.text);
    }
    let sent = keep(desk, &response);
    desk.world.finish_message(response.message);
    let keeps = desk.mailbox()?.preserve_declined;
    let at = match (answer, response.at.occurrence) {
        (Answer::Decline, _) if !keeps => put_away(desk, response.at),
        (Answer::Decline, _) => {
            desk.world.keep_declined(response.at);
            Some(response.at)
        }
        _ => {
            desk.world.set_answer(response.at, answer);
            Some(response.at)
        }
    };
    Ok(sent + &shown(desk, at))
}

/// `CancelCalendarItem`.
pub(super) fn cancel(
    desk: &mut Desk<'_>,
    request: Node<'_, '_>,
    item: Node<'_, '_>,
) -> Result<String, Refusal> {
    let response = response(desk, request, item, "NewBodyContent")?;
    if view(desk, response.at)?.event.copy == Copy::Attendee {
        return Err(Refusal::new(
            "ErrorCalendarIsNotOrganizer",
            "User must be an organizer for CancelCalendarItem action.",
        ));
    }
    let meets = view(desk, response.at)?.details.attendees().next().is_some();
    let told = match response.disposition {
        "SaveOnly" => Vec::new(),
        _ => desk.world.call_off(response.at, &response.text),
    };
    if meets && told.is_empty() && response.disposition != "SaveOnly" {
        // Its only attendee is the organizer.
        return Err(Refusal::new("ErrorInvalidRecipients", "There is nobody to be told."));
    }
    let sent = if told.is_empty() { String::new() } else { keep(desk, &response) };
    let at = put_away(desk, response.at);
    // Clients expect one item: the cancellation that was sent, or else the meeting.
    Ok(if sent.is_empty() { shown(desk, at) } else { sent })
}

/// `RemoveItem`: takes a meeting off the calendar that its organizer has called off.
pub(super) fn remove(
    desk: &mut Desk<'_>,
    request: Node<'_, '_>,
    item: Node<'_, '_>,
) -> Result<String, Refusal> {
    let response = response(desk, request, item, "Body")?;
    if view(desk, response.at)?.event.copy != Copy::Attendee {
        return Err(Refusal::new("ErrorCalendarIsOrganizerForRemove", "The organizer cancels meetings."));
    }
    desk.world.finish_message(response.message);
    let at = put_away(desk, response.at);
    Ok(shown(desk, at))
}

/// Takes a meeting off the calendar: a whole one to Deleted Items, a date of a series for good.
fn put_away(desk: &mut Desk<'_>, at: ItemRef) -> Option<ItemRef> {
    if at.occurrence.is_some() {
        desk.world.forget(at);
        return None;
    }
    desk.world.shift(at, Folder::Deleted)
}

/// The id under which the meeting is found now.
fn shown(desk: &Desk<'_>, at: Option<ItemRef>) -> String {
    at.and_then(|at| view(desk, at).ok()).map(|view| shape::bare(&view)).unwrap_or_default()
}

/// The copy in Sent Items, if one is to be kept.
fn keep(desk: &mut Desk<'_>, response: &Response<'_>) -> String {
    if response.disposition != "SendAndSaveCopy" {
        return String::new();
    }
    let kept = desk.world.keep_sent(response.at.mailbox);
    let item = kept.and_then(|at| Some((desk.mailbox().ok()?.items.get(&at.item)?, at)));
    item.map(|(item, at)| shape::bare_message(item, at)).unwrap_or_default()
}

fn wrong_side(answer: Answer) -> Refusal {
    let code = match answer {
        Answer::Accept => "ErrorCalendarIsOrganizerForAccept",
        Answer::Tentative => "ErrorCalendarIsOrganizerForTentative",
        _ => "ErrorCalendarIsOrganizerForDecline",
    };
    Refusal::new(code, "User cannot be an organizer for this action.")
}

fn called_off(answer: Answer) -> Refusal {
    let code = match answer {
        Answer::Accept => "ErrorCalendarIsCancelledForAccept",
        Answer::Tentative => "ErrorCalendarIsCancelledForTentative",
        _ => "ErrorCalendarIsCancelledForDecline",
    };
    Refusal::new(code, "The meeting was cancelled.")
}
