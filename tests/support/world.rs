//! The people, rooms and events of simulated Exchanges.

use adjourn::sim::{MeetingSpec, Person, PlainSpec, RoomSpec, World};
use chrono::TimeDelta;

use crate::room::{AURORA, room_name};
use crate::time::now;

/// The organizer.
pub fn ada() -> Person {
    Person::new("Ada Albers", "ada@example.com")
}

/// An attendee.
pub fn bo() -> Person {
    Person::new("Bo Berg", "bo@example.com")
}

/// Ada and Bo at the present time, and no room.
pub fn people() -> World {
    let mut world = World::new();
    world.set_now(now());
    world.add_user(&ada()).add_user(&bo());
    world
}

/// Ada, Bo and the empty room Aurora.
pub fn world() -> World {
    let mut world = people();
    world.add_room(RoomSpec::new("Aurora", AURORA));
    world
}

/// Ada, Bo and this many numbered rooms. `furnish` adds the events of a room, given its number and its address.
pub fn world_of_rooms(count: usize, mut furnish: impl FnMut(&mut World, usize, &str)) -> World {
    let mut world = people();
    for number in 0..count {
        let address = room_name(number);
        world.add_room(RoomSpec::new(format!("Room {number}"), &address));
        furnish(&mut world, number, &address);
    }
    world
}

/// Ada, Bo and this many numbered rooms, each with a current meeting.
pub fn world_of_meetings(count: usize) -> World {
    world_of_rooms(count, |world, _, room| {
        world.add_meeting(meeting_in(room));
    })
}

/// Ada's meeting in this room, from twenty minutes ago to forty minutes from now.
pub fn meeting_in(room: &str) -> MeetingSpec {
    let (start, end) = (now() - TimeDelta::minutes(20), now() + TimeDelta::minutes(40));
    let mut meeting = MeetingSpec::new(ada(), start, end);
    meeting.rooms = vec![room.to_owned()];
    meeting
}

/// Ada's current meeting with Bo in Aurora.
pub fn meeting() -> MeetingSpec {
    MeetingSpec { attendees: vec![bo()], subject: "Planning".to_owned(), ..meeting_in(AURORA) }
}

/// An appointment in Aurora's calendar at the time of [`meeting`].
pub fn plain() -> PlainSpec {
    PlainSpec::new(AURORA, now() - TimeDelta::minutes(20), now() + TimeDelta::minutes(40))
}
