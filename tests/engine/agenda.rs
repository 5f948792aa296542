//! The agenda of a room's day: it has what is over, and nothing but the agenda does.

use std::sync::Arc;

use adjourn::calendar::{Event, FreeBusy, Window};
use adjourn::engine::CalendarCache as _;
use adjourn::live::{EVENTS_PER_ROOM_MAX, RoomCache, SILENCE_MAX, TrackingMode};
use adjourn_test::{at, event, room};
use chrono::TimeDelta;

use crate::fake::{TestEngine, meeting, test_engine};

fn cache(stage: &TestEngine) -> RoomCache {
    RoomCache::new(Arc::new(stage.calendar.clone()), Arc::new(stage.clock.clone()), SILENCE_MAX)
}

fn ids<'e>(events: impl IntoIterator<Item = &'e Event>) -> Vec<&'e str> {
    events.into_iter().map(|event| event.id.as_str()).collect()
}

/// It is 09:30.
#[tokio::test]
async fn only_the_agenda_has_what_is_over() {
    let stage = test_engine();
    let rooms = cache(&stage);
    // Local midnight is at 02:00 UTC.
    let day = Window::new(at(2, 0), at(26, 0)).unwrap();
    rooms.set_local_days(Box::new(move |_, _| day));
    for one in [
        event("yesterday", at(1, 0), at(2, 0)),
        event("over", at(8, 0), at(9, 0)),
        event("now", at(9, 0), at(10, 0)),
        Event { free_busy: FreeBusy::Free, ..event("free", at(11, 0), at(12, 0)) },
        Event { is_declined: true, ..event("declined", at(8, 0), at(9, 0)) },
        event("late", at(25, 0), at(27, 0)),
        event("tomorrow", at(26, 0), at(27, 0)),
    ] {
        stage.calendar.add(&room("r1"), one);
    }
    let kept = rooms.get(&room("r1"), TimeDelta::zero()).await.unwrap();
    assert_eq!(ids(&*kept.events), ["now", "free", "late", "tomorrow"]);
    let agenda = kept.agenda(&day);
    assert_eq!(ids(agenda.events()), ["over", "now", "late"]);
    assert_eq!((agenda.from, agenda.to), (day.start(), day.end()));
    assert!(rooms.event(&room("r1"), &meeting("over").id).is_none(), "no action is planned from it");

    // Read again at noon: what was on is over now.
    stage.clock.advance(TimeDelta::minutes(150));
    let kept = rooms.get(&room("r1"), TimeDelta::zero()).await.unwrap();
    assert_eq!(ids(&*kept.events), ["late", "tomorrow"]);
    assert_eq!(ids(kept.agenda(&day).events()), ["over", "now", "late"]);

    let reads = || stage.calendar.0.lock().unwrap().reads;
    let before = reads();
    let age = TimeDelta::seconds(15);
    let near = rooms.events_within(&room("r1"), day, age).await.unwrap();
    assert_eq!((ids(&near.events), reads()), (vec!["over", "now", "late"], before), "from memory");
    let week = Window::new(at(0, 0), at(168, 0)).unwrap();
    let far = rooms.events_within(&room("r1"), week, age).await.unwrap();
    assert_eq!(ids(&far.events), ["yesterday", "over", "now", "late", "tomorrow"]);
    assert_eq!(reads(), before + 1);
}

/// A morning that cannot be kept, or cannot be read, leaves the present as it is.
#[tokio::test]
async fn what_is_over_never_hides_what_is_on() {
    let stage = test_engine();
    let rooms = cache(&stage);
    for number in 0..EVENTS_PER_ROOM_MAX {
        stage.calendar.add(&room("r1"), event(&format!("over{number}"), at(8, 0), at(9, 0)));
    }
    stage.calendar.add(&room("r1"), meeting("now"));
    let kept = rooms.get(&room("r1"), TimeDelta::zero()).await.unwrap();
    assert_eq!((ids(&*kept.events), kept.mode), (vec!["now"], TrackingMode::OnDemand));
    let agenda = kept.agenda(&Window::new(at(0, 0), at(24, 0)).unwrap());
    assert_eq!((ids(agenda.events()), agenda.from, agenda.to), (vec!["now"], at(9, 30), at(24, 0)));
}
