//! Calendars that are too long: what all rooms together may take, and a room with an ordinary day beside them.

use std::sync::Arc;

use adjourn::calendar::{ChangeKey, Event, EventId};
use adjourn::live::{EVENT_TEXTS_PER_ROOM_MAX, ROOM_EVENTS_BYTES_BEYOND_MAX, RoomCache, SILENCE_MAX};
use adjourn_test::room;
use chrono::TimeDelta;

use crate::fake::{meeting, test_engine};

#[tokio::test]
async fn full_rooms_share_a_bound_and_take_nothing_from_a_room_with_an_ordinary_day() {
    let stage = test_engine();
    let nearly_full = EVENT_TEXTS_PER_ROOM_MAX - 10_000;
    let full: Vec<_> = (0..80).map(|number| room(&format!("full{number}"))).collect();
    for room in &full {
        let change_key = ChangeKey::new("x".repeat(nearly_full));
        stage.calendar.add(room, Event { change_key, id: EventId::new("a"), ..meeting("a") });
    }
    stage.calendar.add(&room("r1"), meeting("b"));
    let rooms = RoomCache::new(Arc::new(stage.calendar.clone()), Arc::new(stage.clock.clone()), SILENCE_MAX);
    let mut kept = 0;
    for room in &full {
        match rooms.get(room, TimeDelta::zero()).await {
            Ok(_) => kept += 1,
            Err(trouble) => assert!(trouble.advice.contains("too many events"), "{trouble:?}"),
        }
    }
    assert!(kept >= ROOM_EVENTS_BYTES_BEYOND_MAX / EVENT_TEXTS_PER_ROOM_MAX && kept < full.len(), "{kept}");
    assert_eq!(rooms.get(&room("r1"), TimeDelta::zero()).await.unwrap().events.len(), 1);
    assert_eq!(rooms.read_rooms().len(), kept + 1, "a refused room is not kept");
    // A room that is kept is read again, and counts once.
    assert!(rooms.get(&full[0], TimeDelta::zero()).await.is_ok());
}
