//! `CreateItem`: events, and answers to meetings, which Exchange takes as items too.

use chrono::TimeDelta;
use roxmltree::Node;

use super::Desk;
use super::fields::{check, set};
use super::ids::{not_found, view, wanted};
use super::shape::{self, read_recurrence};
use crate::sim::event::{Answer, Content, Copy, Details};
use crate::sim::ids::ItemRef;
use crate::sim::outbox::MailKind;
use crate::sim::people::new_event;
use crate::sim::soap_in::{Refusal, choice, elements, need_m, need_t, t, t_text};
use crate::sim::soap_out::messages;
use crate::sim::world::Folder;

const INVITES: [&str; 3] = ["SendToNone", "SendOnlyToAll", "SendToAllAndSaveCopy"];
const DISPOSITIONS: [&str; 3] = ["SaveOnly", "SendOnly", "SendAndSaveCopy"];

pub(super) fn answer(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let outcomes: Vec<_> = elements(need_m(request, "Items")?).map(|item| one(desk, request, item)).collect();
    Ok(messages("CreateItem", &outcomes, "<m:Items/>"))
}

fn one(desk: &mut Desk<'_>, request: Node<'_, '_>, item: Node<'_, '_>) -> Result<String, Refusal> {
    let items = match item.tag_name().name() {
        "CalendarItem" => event(desk, request, item)?,
        "AcceptItem" => respond(desk, request, item, Answer::Accept)?,
        "TentativelyAcceptItem" => respond(desk, request, item, Answer::Tentative)?,
        "DeclineItem" => respond(desk, request, item, Answer::Decline)?,
        "CancelCalendarItem" => cancel(desk, request, item)?,
        other => {
            return Err(Refusal::new("ErrorInvalidRequest", format!("The simulator creates no {other}.")));
        }
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
    let now = desk.world.now();
    let mut details = Details::between(now, now + TimeDelta::minutes(30));
    for property in elements(item) {
        set(&mut details, Copy::Organizer, property)?;
    }
    check(&details)?;
    let series = t(item, "Recurrence").map(read_recurrence).transpose()?.map(|(series, _)| series);
    let meets = details.attendees().next().is_some();
    let copy = if meets { Copy::Organizer } else { Copy::Plain };
    let (number, organizer) = (desk.mailbox()?.number, desk.mailbox()?.person());
    let uid = t_text(item, "UID").unwrap_or_else(|| desk.world.next_uid());
    let event = new_event(uid, copy, organizer, details, series);
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

/// The item a response is about, its text, and whether anybody is to be told.
struct Response<'a> {
    at: ItemRef,
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
    let wanted = wanted(desk, need_t(item, "ReferenceItemId")?)?;
    let current = view(desk, wanted.at)?.item.version;
    match wanted.version {
        None => {
            Err(Refusal::new("ErrorChangeKeyRequired", "An item change key is required for this operation."))
        }
        Some(known) if known != current => {
            Err(Refusal::new("ErrorStaleObject", "The change key is not the current one."))
        }
        Some(_) => Ok(Response { at: wanted.at, text: t_text(item, body).unwrap_or_default(), disposition }),
    }
}

fn respond(
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
    let keeps = desk.mailbox()?.preserve_declined;
    match (answer, response.at.occurrence) {
        (Answer::Decline, _) if keeps => desk.world.keep_declined(response.at),
        (Answer::Decline, Some(_)) => desk.world.forget(response.at),
        (Answer::Decline, None) => {
            desk.world.shift(response.at, Folder::Deleted);
        }
        _ => desk.world.set_answer(response.at, answer),
    }
    Ok(sent)
}

fn cancel(desk: &mut Desk<'_>, request: Node<'_, '_>, item: Node<'_, '_>) -> Result<String, Refusal> {
    let response = response(desk, request, item, "NewBodyContent")?;
    if view(desk, response.at)?.event.copy == Copy::Attendee {
        return Err(Refusal::new(
            "ErrorCalendarIsNotOrganizer",
            "User must be an organizer for CancelCalendarItem action.",
        ));
    }
    if response.disposition != "SaveOnly" {
        desk.world.call_off(response.at, &response.text);
    }
    let sent = keep(desk, &response);
    match response.at.occurrence {
        Some(_) => desk.world.forget(response.at),
        None => {
            desk.world.shift(response.at, Folder::Deleted);
        }
    }
    Ok(sent)
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
