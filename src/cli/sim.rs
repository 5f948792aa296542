//! `adjourn sim`: runs a simulated Exchange on this machine until Ctrl-C.

use serde::Serialize;

use super::args::SimArgs;
use super::exit::{CommandError, Exit};
use super::output::Output;
use crate::clock::{Clock, SystemClock};
use crate::sim::{ExceptionIds, Simulator, SimulatorOptions, World, demo_world, large_world};

/// How to reach the simulator.
#[derive(Serialize)]
struct SimulatorAddress<'a> {
    url: &'a str,
    username: &'a str,
    password: &'a str,
    rooms: &'a [String],
}

pub(super) async fn run(args: SimArgs, output: &Output) -> Result<Exit, CommandError> {
    let world = world(&args);
    let rooms = rooms(&world);
    let options = SimulatorOptions {
        tls: args.tls,
        port: args.port,
        username: args.user.clone(),
        ..SimulatorOptions::default()
    };
    let (username, password) = (options.username.clone(), options.password.clone());
    let simulator = Simulator::start(world, options).await.map_err(|error| {
        CommandError::new(Exit::Usage, format!("cannot listen on port {}", args.port)).caused_by(error)
    })?;
    if let (Some(path), Some(pem)) = (&args.ca_out, simulator.ca_pem()) {
        std::fs::write(path, pem).map_err(|error| {
            CommandError::new(Exit::Usage, format!("cannot write {}", path.display())).caused_by(error)
        })?;
    }
    let url = simulator.url();
    output.data(
        &SimulatorAddress { url: &url, username: &username, password: &password, rooms: &rooms },
        || {
            format!(
                "{url}\nusername {username}, password {password}\n{} rooms and pieces of equipment",
                rooms.len()
            )
        },
    )?;
    output.note("the simulator runs until Ctrl-C");
    let _ = tokio::signal::ctrl_c().await;
    simulator.stop().await;
    Ok(Exit::Done)
}

fn world(args: &SimArgs) -> World {
    let now = SystemClock.now();
    let mut world = match args.rooms {
        Some(rooms) => large_world(now, rooms as usize, args.seed),
        None => demo_world(now),
    };
    // Some clients (exchangelib) fail if the id of an occurrence changes with an update.
    world.set_exception_ids(ExceptionIds::Kept);
    world
}

/// The addresses of all rooms and equipment.
pub(super) fn rooms(world: &World) -> Vec<String> {
    use crate::sim::MailboxKind::{Equipment, Room};
    let bookable = world.mailboxes().filter(|mailbox| matches!(mailbox.kind, Room | Equipment));
    bookable.map(|mailbox| mailbox.address.clone()).collect()
}
