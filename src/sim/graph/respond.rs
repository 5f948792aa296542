//! The actions of an event: accept, tentativelyAccept, decline and cancel. An accepted request is answered with 202 and
//! no body.

use http::StatusCode;
use serde_json::{Map, Value};

use super::context::GraphContext;
use super::error::GraphError;
use super::events;
use super::reply::GraphReply;
use super::routing::EventAction;
use crate::sim::details::InvitationResponse;
use crate::sim::event::Copy;
use crate::sim::ids::ItemLocator;

/// The parameters of an action.
struct ActionParameters {
    comment: Option<String>,
    sends: bool,
}

pub(super) fn answer(
    context: &mut GraphContext<'_>,
    at: ItemLocator,
    action: EventAction,
) -> Result<GraphReply, GraphError> {
    if context.options.guards_responses {
        events::check_if_match(context, at)?;
    }
    let parameters = read(&context.call.json()?, action)?;
    match action {
        EventAction::Accept => respond(context, at, InvitationResponse::Accept, &parameters)?,
        EventAction::TentativelyAccept => respond(context, at, InvitationResponse::Tentative, &parameters)?,
        EventAction::Decline => respond(context, at, InvitationResponse::Decline, &parameters)?,
        EventAction::Cancel => cancel(context, at, &parameters)?,
    }
    Ok(GraphReply::empty(StatusCode::ACCEPTED))
}

fn read(body: &Map<String, Value>, action: EventAction) -> Result<ActionParameters, GraphError> {
    let mut parameters = ActionParameters { comment: None, sends: true };
    let mut proposes = false;
    for (name, value) in body {
        let is_response = action != EventAction::Cancel;
        match (name.to_ascii_lowercase().as_str(), value) {
            ("comment", Value::String(text)) => parameters.comment = Some(text.clone()),
            ("comment" | "sendresponse" | "proposednewtime", Value::Null) => {}
            ("sendresponse", Value::Bool(sends)) if is_response => parameters.sends = *sends,
            ("proposednewtime", Value::Object(_)) if is_response && action != EventAction::Accept => {
                proposes = true;
            }
            _ => {
                let text =
                    format!("The parameter '{name}' in the request payload is not valid for this action.");
                return Err(GraphError::bad_request("RequestBodyRead", text));
            }
        }
    }
    let needs_response = match (&parameters.comment, proposes) {
        (Some(_), _) => Some("Comment"),
        (None, true) => Some("ProposedNewTime"),
        (None, false) => None,
    };
    match needs_response.filter(|_| !parameters.sends) {
        None => Ok(parameters),
        Some(name) => Err(GraphError::bad_request(
            "ErrorInvalidParameter",
            format!("The value of the parameter 'SendResponse' must be true when '{name}' is not null."),
        )),
    }
}

fn respond(
    context: &mut GraphContext<'_>,
    at: ItemLocator,
    answer: InvitationResponse,
    parameters: &ActionParameters,
) -> Result<(), GraphError> {
    check_may_respond(context, at)?;
    if parameters.sends {
        let before = context.world.outbox.len();
        context.world.send_response(at, answer, parameters.comment.as_deref().unwrap_or_default());
        context.keep_sent_copy(at.mailbox, before);
    } else {
        context.world.track_response(at, answer);
    }
    let keeps_declined = context.mailbox(at.mailbox)?.preserve_declined;
    match answer {
        InvitationResponse::Decline if keeps_declined => context.world.keep_declined(at),
        InvitationResponse::Decline => {
            context.world.remove_from_calendar(at);
        }
        _ => context.world.set_own_response(at, answer),
    }
    Ok(())
}

fn check_may_respond(context: &GraphContext<'_>, at: ItemLocator) -> Result<(), GraphError> {
    let view = context.view(at)?;
    let refused =
        |why: &str| Err(GraphError::invalid_request(format!("Your request can't be completed. {why}")));
    if view.event.copy != Copy::Attendee {
        return refused("You can't respond to this meeting because you're the meeting organizer.");
    }
    if view.event.organizer.address.is_empty() {
        return refused("The meeting has no organizer.");
    }
    if view.details.is_cancelled() {
        return refused("You can't respond to this meeting because it was canceled.");
    }
    Ok(())
}

fn cancel(
    context: &mut GraphContext<'_>,
    at: ItemLocator,
    parameters: &ActionParameters,
) -> Result<(), GraphError> {
    if context.view(at)?.event.copy == Copy::Attendee {
        let text = "Your request can't be completed. You need to be an organizer to cancel a meeting.";
        return Err(GraphError::invalid_request(text));
    }
    let before = context.world.outbox.len();
    context.world.cancel_meeting(at, parameters.comment.as_deref().unwrap_or_default());
    context.keep_sent_copy(at.mailbox, before);
    context.world.remove_from_calendar(at);
    Ok(())
}
