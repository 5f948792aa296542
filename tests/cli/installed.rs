//! The installation of the CLI tests: rooms with meetings, and a configuration that reaches all of them.

use adjourn::sim::{MeetingSpec, World};
use adjourn_test::{Installation, meeting_in, simulator, world_of_rooms};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_adjourn");

/// In every room a current meeting, whose subject is a formula for a spreadsheet.
pub fn world_of_formulas(rooms: usize) -> World {
    world_of_rooms(rooms, |world, number, room| {
        let subject = format!("=cmd|' /C calc'!A{number}");
        world.add_meeting(MeetingSpec { subject, ..meeting_in(room) });
    })
}

/// The program with this many rooms, configured.
pub async fn install(rooms: usize) -> Installation {
    let office = Installation::new(PROGRAM, simulator(world_of_formulas(rooms)).await);
    configure(&office, "");
    office
}

/// Writes a configuration whose limits hinder no test, and then `more`.
pub fn configure(office: &Installation, more: &str) {
    office.configure(&format!(
        "max_concurrent_requests = 64\n[scope]\ndomains = [\"example.com\"]\n\
         [engine]\nverify_delay_ms = 10\n[cleanup]\nmax_concurrent_rooms = 64\n[cleanup.no_check_in]\ngrace_minutes = 5\n\
         [cleanup.limits]\nmax_actions = 10000\nmax_fraction = 1.0\n{more}"
    ));
}
