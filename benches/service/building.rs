//! The set-up of the bench: rooms with a meeting in each, a simulated Exchange, and the service as a process of its own.

use std::collections::BTreeSet;

use adjourn::sim::{MeetingSpec, Person, World};
use adjourn_test::{Installation, ServedProcess, meeting_in, now, room_name, simulator, world_of_rooms};
use chrono::{DateTime, TimeDelta, Utc};

/// Meetings of one person.
const ROOMS_EACH: usize = 10;

pub struct Building {
    // Dropped before the directory of its state.
    pub served: ServedProcess,
    pub installation: Installation,
    pub token: String,
    ended_after: DateTime<Utc>,
}

impl Building {
    /// Starts the simulator with a meeting in every room, from twenty minutes ago to four hours from now, and the service.
    pub async fn open(rooms: usize) -> Self {
        let place = std::env::var_os("ADJOURN_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
        let sim = simulator(world_of_few_organizers(rooms)).await;
        let installation = Installation::within(&place, env!("CARGO_BIN_EXE_adjourn"), sim);
        installation.configure(
            "max_concurrent_requests = 64\n[scope]\ndomains = [\"example.com\"]\n[api]\nmax_state_age_s = 3600\n",
        );
        let token = installation.add_key("bench", &["--per-minute", "4000000000"]).await;
        let served = installation.serve();
        Self { served, installation, token, ended_after: now() - TimeDelta::minutes(1) }
    }

    /// Checks that exactly the answered actions are recorded as done, and that the calendars show them.
    pub async fn check(&self, first: usize, ends: usize, actions: &BTreeSet<String>) {
        let record = self.installation.run(&["audit", "--json", "--limit", "4000000000"]).await;
        assert_eq!(record.code, 0, "{}", record.err);
        let done: BTreeSet<String> = record
            .lines()
            .into_iter()
            .filter(|life| life["state"] == "done")
            .map(|life| life["id"].as_str().expect("a name").to_owned())
            .collect();
        assert_eq!(actions.len(), ends, "one action each");
        assert!(actions.is_subset(&done), "{} answers are not on record", actions.difference(&done).count());
        self.installation.sim.world(|world| {
            for number in first..first + ends {
                let events = world.events(
                    &room_name(number),
                    now() - TimeDelta::hours(1),
                    now() + TimeDelta::hours(1),
                );
                let end = events.first().expect("the meeting").end;
                assert!(self.ended_after <= end && end <= now(), "{}: {end}", room_name(number));
            }
        });
    }
}

/// Each organizer has a few meetings.
fn world_of_few_organizers(rooms: usize) -> World {
    world_of_rooms(rooms, |world, number, room| {
        let person = number / ROOMS_EACH;
        let organizer = Person::new(format!("Person {person}"), format!("person-{person}@example.com"));
        if number % ROOMS_EACH == 0 {
            world.add_user(&organizer);
        }
        let end = now() + TimeDelta::hours(4);
        world.add_meeting(MeetingSpec { organizer, end, ..meeting_in(room) });
    })
}
