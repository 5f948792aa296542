//! The faults, each at a moment of an action's way.

use std::fmt;
use std::time::Duration;

use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::{Direction, SeededRandom};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::replicas::{REPLICAS, Replicas};

/// The operations by which callers change calendars.
pub(super) const WRITES: [&str; 3] = ["CreateItem", "UpdateItem", "DeleteItem"];
/// So long a fault waits for its moment; without one it comes all the same.
const MOMENT_COMES_WITHIN: Duration = Duration::from_secs(5);

/// What breaks.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// A service is killed.
    Kill,
    /// A service is stopped for so many seconds.
    Stop(u64),
    /// A service's connections to the database stand still for so many seconds, in one direction or both.
    StandStill(u64, Option<Direction>),
    /// A service's connections to the database break.
    Cut,
    /// The database ends every session.
    EndSessions,
    /// The database crashes, and is away for so many seconds.
    CrashDatabase(u64),
}

/// When it breaks.
#[derive(Debug, Clone, Copy)]
enum Moment {
    Any,
    /// The database has stored an intent, and the service does not know it yet.
    IntentStored,
    /// A change is on its way to Exchange.
    ChangeSent,
    /// The service knows the outcome, and the database does not have it.
    OutcomeKnown,
}

/// A fault of a history.
pub(super) struct PlannedFault {
    fault: Fault,
    moment: Moment,
    /// Whether it meets the active service.
    meets_active: bool,
    /// Exchange's delay of each change meanwhile, in seconds.
    exchange_delay: u64,
    /// The service that it meets otherwise.
    other: usize,
}

impl fmt::Display for PlannedFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let service = if self.meets_active { "the active service" } else { "a service" };
        write!(
            out,
            "{:?} at {:?} of {service}, changes take {} s",
            self.fault, self.moment, self.exchange_delay
        )
    }
}

impl PlannedFault {
    pub(super) fn drawn(dice: &mut SeededRandom) -> Self {
        let seconds = 1 + dice.below(20);
        let fault = match dice.below(10) {
            0 | 1 => Fault::Kill,
            2..5 => Fault::Stop(seconds),
            5 => Fault::StandStill(seconds, None),
            6 => Fault::StandStill(seconds, Some(Direction::ToServer)),
            7 => Fault::StandStill(seconds, Some(Direction::ToClient)),
            8 => [Fault::Cut, Fault::EndSessions][dice.below(2) as usize],
            _ => Fault::CrashDatabase(dice.below(4)),
        };
        let moment = match dice.below(6) {
            0 | 1 => Moment::IntentStored,
            2 | 3 => Moment::ChangeSent,
            4 => Moment::OutcomeKnown,
            _ => Moment::Any,
        };
        let exchange_delay = [0, 0, 0, 1, 4, 15][dice.below(6) as usize];
        Self {
            fault,
            moment,
            meets_active: dice.below(4) > 0,
            exchange_delay,
            other: dice.below(REPLICAS as u64) as usize,
        }
    }

    /// Waits for the moment, breaks it, and mends it.
    pub(super) async fn happen(&self, replicas: &Replicas) {
        let active = replicas.active().await;
        let victim = active.filter(|_| self.meets_active).unwrap_or(self.other);
        self.delay_changes(replicas);
        self.wait_for_moment(replicas, active.unwrap_or(victim)).await;
        match self.fault {
            Fault::Kill => replicas.signal(victim, "-KILL"),
            Fault::Stop(seconds) => {
                replicas.signal(victim, "-STOP");
                replicas.release_all();
                sleep(Duration::from_secs(seconds)).await;
                replicas.signal(victim, "-CONT");
            }
            Fault::StandStill(seconds, direction) => {
                for held in [Direction::ToServer, Direction::ToClient] {
                    if direction.is_none_or(|only| only == held) {
                        replicas.relay(victim).hold(held);
                    }
                }
                sleep(Duration::from_secs(seconds)).await;
            }
            Fault::Cut => replicas.relay(victim).cut(),
            Fault::EndSessions => replicas.end_sessions(),
            Fault::CrashDatabase(seconds) => {
                block_in_place(|| replicas.server.crash_and_restart_after(Duration::from_secs(seconds)));
            }
        }
        replicas.release_all();
        replicas.office.sim.clear_faults();
    }

    fn delay_changes(&self, replicas: &Replicas) {
        if self.exchange_delay > 0 {
            for operation in WRITES {
                let slow = InjectedFault::Slow(Duration::from_secs(self.exchange_delay));
                replicas.office.sim.inject_fault(FaultRule::new(slow).on(operation).times(2));
            }
        }
    }

    async fn wait_for_moment(&self, replicas: &Replicas, active: usize) {
        let relay = replicas.relay(active);
        let reached = match self.moment {
            Moment::Any => return sleep(Duration::from_millis(300)).await,
            Moment::IntentStored => relay.hold_at("\"kind\":\"intended\"", Direction::ToClient),
            Moment::OutcomeKnown => relay.hold_at("\"kind\":\"closed\"", Direction::ToServer),
            Moment::ChangeSent => {
                let before = changes(replicas);
                let sent = async {
                    while changes(replicas) == before {
                        sleep(Duration::from_millis(1)).await;
                    }
                };
                let _ = timeout(MOMENT_COMES_WITHIN, sent).await;
                return;
            }
        };
        let _ = timeout(MOMENT_COMES_WITHIN, reached).await;
        relay.forget_hold_point();
    }
}

/// How many changes Exchange was asked for.
fn changes(replicas: &Replicas) -> usize {
    let requests = replicas.office.sim.requests();
    requests.iter().filter(|request| WRITES.contains(&request.operation.as_str())).count()
}
