//! Server-sent events (`GET /v1/events`): changes in the rooms that a key can see. Decides which notices a listener receives, and how
//! much of each. Never sends an event about a room that the key cannot see.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::caller::Caller;
use super::problem::Problem;
use super::rendered_events::Disclosure;
use super::responses::ClientErrors;
use super::sse;
use super::state::Api;
use crate::access::Right;
use crate::service::{Notice, ResumedSubscription, SequencedNotice};

/// Stream events of the rooms that this key can see.
///
/// The data of each event is a JSON object; `x-event-stream` names its schema by the kind of event. Kinds: `room` (a room changed; the
/// data is the same as `GET /v1/rooms/{room}`, or `id` alone where its calendar was not read yet), `action` (an action ended),
/// `check-in`, `release-warning` (a release is due soon unless a check-in arrives), `release-stopped` (an announced or due release will
/// not take place), `would-release` (observe mode), `series-missed`, `sweep` (for keys with `cleanup` in all rooms of the sweep),
/// `display-lost` and `display-found` (a paired display is without contact, or back; for keys with `displays`), and `gap` (events were
/// lost: read the rooms again).
///
/// A stream starts with a `room` event for each room whose calendar was read, and then an `id` alone, from which a client can resume.
/// After a reconnect with `Last-Event-ID` the service sends what happened meanwhile, or `gap` where it no longer has all of it.
#[utoipa::path(get, path = "/v1/events", operation_id = "streamEvents", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event that was received")),
    responses(
        (status = 200, description = "The stream of events", content_type = "text/event-stream", body = String),
        ClientErrors,
    ),
    extensions(("x-event-stream" = json!({
        "room": { "$ref": "#/components/schemas/RoomView" },
        "action": { "$ref": "#/components/schemas/ActionNotice" },
        "check-in": { "$ref": "#/components/schemas/CheckInNotice" },
        "release-warning": { "$ref": "#/components/schemas/ReleaseWarningNotice" },
        "release-stopped": { "$ref": "#/components/schemas/ReleaseStoppedNotice" },
        "would-release": { "$ref": "#/components/schemas/WouldReleaseNotice" },
        "series-missed": { "$ref": "#/components/schemas/SeriesMissedNotice" },
        "sweep": { "$ref": "#/components/schemas/SweepNotice" },
        "display-lost": { "$ref": "#/components/schemas/DisplayNotice" },
        "display-found": { "$ref": "#/components/schemas/DisplayNotice" },
        "gap": { "$ref": "#/components/schemas/GapNotice" },
    }))),
)]
pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    caller.require(Right::Read)?;
    let resumed_after = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
    let is_first = resumed_after.is_none();
    let ResumedSubscription { missed, receiver, last_number: last } = match resumed_after {
        Some(id) => api.service.notices.resume(id),
        None => api.service.notices.subscribe_resumable(),
    }
    .ok_or_else(Problem::shutting_down)?;
    let share = api.shares.streams.acquire(&caller.id().0, None);
    let share = share.map_err(|used_up| Problem::share_exhausted("event streams", used_up))?;
    let connection =
        caller.is_display().then(|| api.service.display_connected(caller.visible_rooms(&api), caller.name()));
    let display = api.service.display_stream(caller.id());
    let rooms = if is_first { caller.visible_rooms(&api) } else { Vec::new() };
    let shown = api.clone();
    let snapshot = rooms.into_iter().filter_map(move |room| {
        let disclosure = room_disclosure(&shown);
        shown.rendered_events.state(&shown.service, &room, last, disclosure)
    });
    // Sends the id from which to resume before any event that happens from now on.
    let here = api.service.notices.event_id(last);
    let first = match &missed {
        None => Some(sse::event(&[GAP[0], GAP[1], ("id", &here)])),
        Some(missed) if missed.is_empty() => Some(sse::event(&[("id", &here)])),
        Some(_) => None,
    };
    let meanwhile = tokio_stream::iter(missed.unwrap_or_default()).map(Ok);
    let notices = meanwhile.chain(BroadcastStream::new(receiver));
    let still = Arc::new((api.clone(), caller.clone()));
    let is_authorized = move || still.1.is_still_authorized(&still.0);
    let may_go_on = is_authorized.clone();
    let notices = notices.take_while(move |_| is_authorized());
    // The stream holds the share and the display's contact until it ends.
    let notices = notices.map(move |notice| {
        let _ = (&share, &connection, &display);
        notice
    });
    let events = notices.filter_map(move |noted| match noted {
        Ok(noted) => event_for(&api, &caller, &noted),
        Err(BroadcastStreamRecvError::Lagged(_)) => Some(sse::event(&GAP)),
    });
    let snapshot = tokio_stream::iter(snapshot).take_while(move |_| may_go_on());
    Ok(sse::response(snapshot.chain(tokio_stream::iter(first)).chain(events)))
}

/// How many events were lost, and in which rooms, is not for every key.
const GAP: [(&str, &str); 2] = [("event", "gap"), ("data", r#"{"missed":null}"#)];

fn event_for(api: &Api, caller: &Caller, noted: &SequencedNotice) -> Option<Bytes> {
    let notice = &noted.notice;
    may_receive(api, caller, notice)
        .then(|| api.rendered_events.get(&api.service, noted, disclosure(api, caller, notice)))
}

fn may_receive(api: &Api, caller: &Caller, notice: &Notice) -> bool {
    let may = match notice {
        Notice::RoomChanged { room } => api.service.engine.scope().contains(room),
        Notice::JournalHead { .. } => false,
        _ if notice.concerns_sweep() => caller.require(Right::Cleanup).is_ok(),
        _ => !notice.concerns_display() || caller.require(Right::Displays).is_ok(),
    };
    may && notice.rooms().iter().all(|room| caller.can_see(room))
}

fn disclosure(api: &Api, caller: &Caller, notice: &Notice) -> Disclosure {
    match notice {
        Notice::RoomChanged { .. } => room_disclosure(api),
        Notice::ActionFinished { room, actor, .. } if caller.may_read_actions(room, actor.as_ref()) => {
            Disclosure::Action(caller.naming())
        }
        _ => Disclosure::Common,
    }
}

fn room_disclosure(api: &Api) -> Disclosure {
    if api.options().subjects { Disclosure::Subjects } else { Disclosure::Common }
}
