//! Server-sent events (`GET /v1/events`): changes in the rooms that a key can see. Decides which notices a listener receives, and how
//! much of each. Never sends an event about a room that the key cannot see.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;

use super::caller::Caller;
use super::problem::{BackendErrors, Problem};
use super::rendered_events::Disclosure;
use super::sse;
use super::state::Api;
use crate::access::Right;
use crate::service::{Notice, ResumedSubscription, SequencedNotice};

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
) -> Result<Response, Problem> {
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
        None => Some(sse::event(&[GAP[0], GAP[1], ("id", &here)])),
        Some(missed) if missed.is_empty() => Some(sse::event(&[("id", &here)])),
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
        Ok(noted) => event_for(&api, &caller, &noted),
        Err(BroadcastStreamRecvError::Lagged(_)) => Some(sse::event(&GAP)),
    });
    Ok(sse::response(tokio_stream::iter(first).chain(events)))
}

/// An empty object: how many events were lost, and in which rooms, is not for every key.
const GAP: [(&str, &str); 2] = [("event", "gap"), ("data", "{}")];

fn event_for(api: &Api, caller: &Caller, noted: &SequencedNotice) -> Option<Bytes> {
    let notice = &noted.notice;
    may_receive(api, caller, notice)
        .then(|| api.rendered_events.get(&api.service, noted, disclosure(api, caller, notice)))
}

fn may_receive(api: &Api, caller: &Caller, notice: &Notice) -> bool {
    let may = match notice {
        Notice::RoomChanged { room } => api.service.engine.scope().contains(room),
        Notice::JournalHead { .. } => false,
        _ => !notice.concerns_sweep() || caller.require(Right::Cleanup).is_ok(),
    };
    may && notice.rooms().iter().all(|room| caller.can_see(room))
}

fn disclosure(api: &Api, caller: &Caller, notice: &Notice) -> Disclosure {
    match notice {
        Notice::RoomChanged { .. } if api.options().subjects => Disclosure::Subjects,
        Notice::ActionFinished { room, actor, .. } if caller.may_read_actions(room, actor.as_ref()) => {
            Disclosure::Action(caller.naming())
        }
        _ => Disclosure::Common,
    }
}
