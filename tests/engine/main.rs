//! The engine and the sweeps against a scripted calendar: no wire, no sockets, time stands still until a test moves it.
#![expect(unreachable_pub, reason = "the test's modules share their helpers")]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that fails must fail its test"
)]

mod agenda;
mod backends;
mod booking_times;
mod clock;
mod doubt;
mod extend;
mod fake;
mod full_rooms;
mod history;
mod known;
mod live;
mod moved;
mod observed;
mod offers;
mod outage;
mod perform;
mod presence_histories;
mod restarts;
mod second_look;
mod servers;
mod stopped;
mod sweep;
mod taken_over;
