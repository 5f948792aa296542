//! Server-sent events (`GET /v1/events`): changes in the rooms that a key can see. Never sends an event about a room that the key
//! cannot see.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use serde_json::{Value, json};
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::caller::Caller;
use super::problem::{BackendErrors, Problem};
use super::state::Api;
use super::view::RoomView;
use crate::access::Right;
use crate::service::{Notice, ResumedSubscription, SequencedNotice};

/// Interval of keep-alive comments, so that both sides detect a dead connection.
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Headers that stop a reverse proxy from buffering the stream (nginx, `proxy_buffering`).
const UNBUFFERED_HEADERS: [(HeaderName, HeaderValue); 2] = [
    (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no")),
    (header::CACHE_CONTROL, HeaderValue::from_static("no-cache, no-store")),
];

/// Stream events of the rooms that this key can see.
///
/// The data of each event is a JSON object; an event of one kind always has the same members, null where the key may not know the
/// value. Kinds: `room` (a room changed; the data is the same as `GET /v1/rooms/{room}`), `action` (an action ended; for other
/// callers' actions, without the right `audit`, only the room), `check-in`, `release-warning` (a release is due soon unless
/// a check-in arrives), `release-stopped` (an announced or due release will not take place), `would-release` (observe mode),
/// `series-missed`, `sweep` (for keys with `cleanup` in all rooms of the sweep), and `gap` (events were lost: read the rooms
/// again).
///
/// A stream starts with an `id` alone, from which a client can resume. After a reconnect with `Last-Event-ID` the service sends
/// what happened meanwhile, or `gap` where it no longer has all of it.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(("Last-Event-ID" = Option<String>, Header, description = "`id` of the last event that was received")),
    responses((status = 200, content_type = "text/event-stream", body = String), BackendErrors))]
pub(super) async fn stream(
    State(api): State<Api>,
    caller: Caller,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Problem> {
    caller.require(Right::Read)?;
    let last = headers.get("last-event-id").map(|last| last.to_str().unwrap_or_default());
    let ResumedSubscription { missed, receiver, last_number: last } = match last {
        Some(last) => api.service.notices.resume(last),
        None => api.service.notices.subscribe_resumable(),
    }
    .ok_or_else(Problem::shutting_down)?;
    let share = api.shares.streams.acquire(&caller.id().0, None);
    let share = share.map_err(|used_up| Problem::share_exhausted("event streams", used_up))?;
    let connection = caller.is_display().then(|| {
        let scope = api.service.engine.scope();
        let rooms = scope.rooms().filter(|room| caller.can_see(room)).cloned().collect();
        api.service.display_connected(rooms, caller.name())
    });
    // Sends the id from which to resume before any event.
    let here = api.service.notices.event_id(last);
    let first = match &missed {
        None => Some(gap_event().id(here)),
        Some(missed) if missed.is_empty() => Some(Event::default().id(here)),
        Some(_) => None,
    };
    let meanwhile = tokio_stream::iter(missed.unwrap_or_default()).map(Ok);
    let notices = meanwhile.chain(BroadcastStream::new(receiver));
    let still = (api.clone(), caller.clone());
    let notices = notices.take_while(move |_| still.1.is_still_authorized(&still.0));
    // The stream holds the share and the display's connection until it ends.
    let notices = notices.map(move |notice| {
        let _ = (&share, &connection);
        notice
    });
    let events = notices.filter_map(move |noted| match noted {
        Ok(noted) => may_receive(&api, &caller, &noted.notice).then(|| sse_event(&api, &caller, &noted)),
        Err(BroadcastStreamRecvError::Lagged(_)) => Some(gap_event()),
    });
    let events = tokio_stream::iter(first).chain(events).map(Ok::<_, Infallible>);
    Ok((UNBUFFERED_HEADERS, Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE_INTERVAL))))
}

fn may_receive(api: &Api, caller: &Caller, notice: &Notice) -> bool {
    let may = match notice {
        Notice::RoomChanged { room } => api.service.engine.scope().contains(room),
        Notice::JournalHead { .. } => false,
        _ => !notice.concerns_sweep() || caller.require(Right::Cleanup).is_ok(),
    };
    may && notice.rooms().iter().all(|room| caller.can_see(room))
}

fn gap_event() -> Event {
    // An empty object: how many events were lost, and in which rooms, is not for every key.
    Event::default().event("gap").data("{}")
}

fn sse_event(api: &Api, caller: &Caller, noted: &SequencedNotice) -> Event {
    let mut data: Value = match &noted.notice {
        Notice::RoomChanged { room } => {
            let known = api
                .service
                .last_known_status(room)
                .map(|status| RoomView::of(&status, api.options().subjects));
            known.and_then(|view| serde_json::to_value(view).ok()).unwrap_or_else(|| json!({ "id": room }))
        }
        notice => notice.to_json(),
    };
    if matches!(noted.notice, Notice::SeriesMissed { .. }) {
        // The organizer is left out: it is not known here whether the event is private.
        data["organizer"] = Value::Null;
    }
    if let Notice::ActionFinished { room, actor, .. } = &noted.notice
        && !caller.may_read_actions(room, actor.as_ref())
    {
        // The same members without values: the key may not read the action.
        data = json!({ "room": room, "action_id": null, "message": null });
    } else if let Notice::ActionFinished { outcome, .. } = &noted.notice {
        data["message"] = outcome.message(caller.naming()).into();
    }
    let id = api.service.notices.event_id(noted.number);
    Event::default().id(id).event(noted.notice.kind()).data(data.to_string())
}
