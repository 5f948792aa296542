//! Server-sent events: what happens in the rooms a key may know of, as it happens.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use tokio_stream::wrappers::BroadcastStream;
use tokio_stream::wrappers::errors::BroadcastStreamRecvError;
use tokio_stream::{Stream, StreamExt};

use super::Api;
use super::caller::Caller;
use super::problem::{Away, Problem};
use crate::access::Right;
use crate::service::Notice;

/// Between two signs of life, so that a dead connection is noticed on both sides.
const ALIVE: Duration = Duration::from_secs(15);

/// What happens, as it happens: `action`, `check-in`, `release-near`, `series-missed`, and `sweep` for keys that may sweep all
/// of its rooms; `missed` when the listener was too slow and should
/// ask for the rooms again.
#[utoipa::path(get, path = "/v1/events", tag = "events", responses((status = 200, content_type = "text/event-stream", body = String), Away))]
pub(super) async fn listen(
    State(api): State<Api>,
    caller: Caller,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    caller.need(Right::Read)?;
    let notices = api.service.notices.listen().ok_or_else(Problem::not_now)?;
    let notices = BroadcastStream::new(notices);
    let still = (api.clone(), caller.clone());
    let notices = notices.take_while(move |_| still.1.is_let_in(&still.0));
    let place = caller.stream()?;
    // Held as long as the stream.
    let notices = notices.map(move |notice| {
        let _ = &place;
        notice
    });
    let events = notices.filter_map(move |notice| match notice {
        Ok(notice) => hears(&caller, &notice).then(|| Ok(event(&notice))),
        // How many, and of which rooms, is not for everybody to know.
        Err(BroadcastStreamRecvError::Lagged(_)) => Some(Ok(Event::default().event("missed").data("some"))),
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(ALIVE)))
}

fn hears(caller: &Caller, notice: &Notice) -> bool {
    let may = !notice.is_of_sweep() || caller.need(Right::Cleanup).is_ok();
    may && notice.rooms().iter().all(|room| caller.sees(room))
}

fn event(notice: &Notice) -> Event {
    Event::default().event(notice.kind()).data(notice.told().to_string())
}
