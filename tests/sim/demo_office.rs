//! The office of the demo at every time of the week: README's commands and the browser tests act in it whenever they run.

use adjourn::sim::demo_world;
use chrono::{DateTime, TimeDelta, Utc};

#[test]
fn no_time_of_the_week_puts_another_event_next_to_now() {
    let monday: DateTime<Utc> = "2026-11-30T00:00:00Z".parse().unwrap();
    for quarters in 0..7 * 24 * 4 {
        let now = monday + TimeDelta::minutes(15 * quarters) + TimeDelta::seconds(59);
        let world = demo_world(now);
        let subjects = |room: &str, minutes: i64| -> Vec<String> {
            let events = world.events(room, now, now + TimeDelta::minutes(minutes));
            events.into_iter().map(|event| event.subject).collect()
        };
        // Aurora's meeting can be ended and restored. A room shows organizers in place of subjects.
        assert_eq!(subjects("room-aurora@example.com", 120), ["Ada Albers", "Dan Dorn"], "{now}");
        // Fjord can be booked.
        assert_eq!(subjects("room-fjord@example.com", 12 * 60), [""; 0], "{now}");
    }
}
