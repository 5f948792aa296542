//! Renders notices as server-sent events, once for all listeners that may see the same of them. Renders nothing before a listener needs
//! it. An event is made from the notice and its [`Disclosure`] alone, never from a caller, so two listeners with different rights
//! cannot receive the same bytes by accident.
//!
//! A thousand listeners of a room cost one rendering (some KiB, with the agenda of the day) and a thousand look-ups, not a thousand
//! renderings.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use serde::Serialize;
use tokio::time::Instant;

use super::sse;
use super::view::{BookingView, RoomView, ViewOptions};
use crate::action::Naming;
use crate::calendar::RoomAddress;
use crate::service::{ActionNotice, Notice, NoticeData, SequencedNotice, SeriesMissedNotice, Service};

/// How long a rendered event is used. A listener that lags or resumes later receives the room's state of its own time, as it would
/// by `GET`. Chosen so that all listeners that keep up share one rendering.
const RENDERED_AGE_MAX: Duration = Duration::from_secs(1);

/// Bytes of rendered events in memory: those of about a thousand rooms that change at the same time, with a dozen events each.
pub(super) const RENDERED_BYTES_MAX: usize = 4 << 20;

/// The part of a notice that a listener may see. Listeners with the same disclosure receive the same bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Disclosure {
    /// What every listener may see that receives such a notice at all; of an action, only the room.
    Common,
    /// A room's events with the subjects and organizers of those that are not private.
    Subjects,
    /// An action that the listener may read; the message names other actions to some.
    Action(Naming),
}

/// The events that were rendered a moment ago.
#[derive(Default)]
pub(super) struct RenderedEvents(Mutex<Renderings>);

#[derive(Default)]
struct Renderings {
    events: HashMap<Key, Bytes>,
    /// The keys of `events`, the oldest rendering first.
    order: VecDeque<(Instant, Key)>,
    bytes: usize,
}

/// What is rendered, and how much of it the event discloses.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Key {
    /// A notice, by its number.
    Notice(u64, Disclosure),
    /// The state of a room for listeners that subscribed after the notice with this number, so that it includes what they missed.
    State(RoomAddress, u64, Disclosure),
}

impl RenderedEvents {
    /// The notice as an event, as far as the disclosure shows it.
    pub(super) fn get(&self, service: &Service, noted: &SequencedNotice, disclosure: Disclosure) -> Bytes {
        self.get_or_render(Key::Notice(noted.number, disclosure), || {
            let (id, kind) = (service.notices.event_id(noted.number), noted.notice.kind());
            let data = data(service, &noted.notice, disclosure);
            sse::event(&[("id", &id), ("event", kind), ("data", &data)])
        })
    }

    /// The state of a room for a listener that subscribed after the notice `last`; `None` if its calendar was not read yet. It has no
    /// id: a listener that disconnects before the id that follows all states has nothing to resume from, and receives all of them
    /// again.
    pub(super) fn state(
        &self,
        service: &Service,
        room: &RoomAddress,
        last: u64,
        disclosure: Disclosure,
    ) -> Option<Bytes> {
        service.rooms.any(room)?;
        Some(self.get_or_render(Key::State(room.clone(), last, disclosure), || {
            let data = room_data(service, room, disclosure == Disclosure::Subjects);
            sse::event(&[("event", "room"), ("data", &data)])
        }))
    }

    /// Renders while it holds the lock: the other listeners need the same event, or one of the same burst.
    fn get_or_render(&self, key: Key, render: impl FnOnce() -> Bytes) -> Bytes {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        kept.drop_old(now);
        if let Some(event) = kept.events.get(&key) {
            return event.clone();
        }
        let event = render();
        kept.keep(key, event.clone(), now);
        event
    }
}

impl Renderings {
    fn keep(&mut self, key: Key, event: Bytes, now: Instant) {
        self.bytes += event.len();
        self.events.insert(key.clone(), event);
        self.order.push_back((now, key));
        while self.bytes > RENDERED_BYTES_MAX && self.drop_oldest() {}
    }

    fn drop_old(&mut self, now: Instant) {
        let is_old = |(at, _): &(Instant, Key)| now.duration_since(*at) >= RENDERED_AGE_MAX;
        while self.order.front().is_some_and(is_old) && self.drop_oldest() {}
    }

    /// Whether there was an event to drop.
    fn drop_oldest(&mut self) -> bool {
        let Some((_, key)) = self.order.pop_front() else { return false };
        self.bytes -= self.events.remove(&key).map_or(0, |event| event.len());
        true
    }
}

/// The event's data. A disclosure that does not fit the notice shows no more than [`Disclosure::Common`].
fn data(service: &Service, notice: &Notice, disclosure: Disclosure) -> String {
    let data = match (notice, disclosure) {
        (Notice::RoomChanged { room }, shown) => {
            return room_data(service, room, shown == Disclosure::Subjects);
        }
        (Notice::ActionFinished { room, action, outcome, .. }, Disclosure::Action(naming)) => {
            let (action_id, message) = (Some(*action), Some(outcome.message(naming)));
            NoticeData::Action(ActionNotice { room: room.clone(), action_id, message })
        }
        // The same members without values.
        (Notice::ActionFinished { room, .. }, _) => {
            NoticeData::Action(ActionNotice { room: room.clone(), action_id: None, message: None })
        }
        _ => match notice.data() {
            // The organizer is left out: it is not known here whether the event is private.
            NoticeData::SeriesMissed(missed) => {
                NoticeData::SeriesMissed(SeriesMissedNotice { organizer: None, ..missed })
            }
            data => data,
        },
    };
    as_json(&data)
}

fn room_data(service: &Service, room: &RoomAddress, subjects: bool) -> String {
    match service.last_known_status(room) {
        Some(status) => {
            let options = ViewOptions { subjects, booking: BookingView::of(&service.engine) };
            as_json(&RoomView::of(&status, options))
        }
        None => as_json(&NoticeData::Room { id: room.clone() }),
    }
}

fn as_json(data: &impl Serialize) -> String {
    serde_json::to_string(data).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    /// An event of this many bytes, and the count of renderings so far.
    fn render<'a>(bytes: usize, count: &'a mut usize) -> impl FnOnce() -> Bytes + 'a {
        move || {
            *count += 1;
            vec![b'x'; bytes].into()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_event_is_rendered_once_for_each_disclosure() {
        let (rendered, mut count) = (RenderedEvents::default(), 0);
        for _ in 0..1_000 {
            for (number, disclosure) in
                [(1, Disclosure::Common), (1, Disclosure::Subjects), (2, Disclosure::Common)]
            {
                rendered.get_or_render(Key::Notice(number, disclosure), render(100, &mut count));
            }
        }
        assert_eq!(count, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_late_listener_does_not_receive_an_old_rendering() {
        let (rendered, mut count) = (RenderedEvents::default(), 0);
        let key = Key::Notice(1, Disclosure::Common);
        rendered.get_or_render(key.clone(), render(100, &mut count));
        advance(RENDERED_AGE_MAX / 2).await;
        rendered.get_or_render(key.clone(), render(100, &mut count));
        assert_eq!(count, 1);
        advance(RENDERED_AGE_MAX / 2).await;
        rendered.get_or_render(key.clone(), render(100, &mut count));
        assert_eq!(count, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn rendered_events_stay_within_their_bytes() {
        let (rendered, mut count) = (RenderedEvents::default(), 0);
        for number in 0..3_000 {
            rendered.get_or_render(Key::Notice(number, Disclosure::Subjects), render(1_024, &mut count));
        }
        let huge = rendered.get_or_render(
            Key::Notice(3_000, Disclosure::Subjects),
            render(2 * RENDERED_BYTES_MAX, &mut count),
        );
        assert_eq!(huge.len(), 2 * RENDERED_BYTES_MAX, "sent, but not kept");
        rendered.get_or_render(Key::Notice(3_001, Disclosure::Subjects), render(1_024, &mut count));
        let kept = rendered.0.lock().unwrap();
        assert_eq!((kept.bytes, kept.events.len(), kept.order.len()), (1_024, 1, 1));
    }
}
