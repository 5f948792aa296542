//! `adjourn doctor`: is everything set up, on every configured Exchange? Reads the configuration; the doctor examines.

use std::sync::Arc;

use super::args::{Connection, DoctorArgs};
use super::connect;
use super::exit::{Exit, Failure};
use super::output::Output;
use super::progress::{Bar, Lines};
use super::sites::{self, servers, settings};
use crate::calendar::RoomAddress;
use crate::cleanup::Progress;
use crate::clock::SystemClock;
use crate::config::{Config, Server};
use crate::doctor::{Finding, Patient, Report, Status, examine};
use crate::engine::Calendar;
use crate::exchange::Exchange;

pub(super) async fn run(args: DoctorArgs, connection: &Connection, output: &Output) -> Result<Exit, Failure> {
    let mut config = connect::load(connection)?;
    let write_in = args.write_test.as_deref().map(|room| address("--write-test", room)).transpose()?;
    for outsider in &args.out_of_scope {
        config.out_of_scope.push(address("--out-of-scope", outsider)?);
    }
    if servers(&config).next().is_none() {
        return Err(sites::no_exchange());
    }
    let progress: Box<dyn Progress> =
        if output.is_watched() { Box::new(Bar::new()) } else { Box::new(Lines::default()) };
    let mut findings = Vec::new();
    for (name, server) in servers(&config) {
        match patient(name, server, &config, write_in.as_ref()).await {
            Err(finding) => findings.push(finding),
            Ok(patient) => {
                progress.begin(&format!("{name}: rooms"), patient.rooms.len());
                findings.extend(examine(&patient, &SystemClock, &|| progress.step()).await);
            }
        }
    }
    let report = Report::new(findings);
    output.data(&report, || report.to_string())?;
    Ok(match report.status {
        Status::Fail => Exit::Forbidden,
        Status::Pass | Status::Skip | Status::Warn => Exit::Done,
    })
}

/// What is to be examined there, or what is wrong with the configuration already.
async fn patient(
    name: &str,
    server: &Server,
    config: &Config,
    write_in: Option<&RoomAddress>,
) -> Result<Patient, Finding> {
    let settings = settings(name, server).map_err(|failure| misconfigured(name, &failure))?;
    let exchange = Exchange::new(&settings).map_err(|error| {
        misconfigured(name, &Failure::new(Exit::Usage, "the connection cannot be used").because(error))
    })?;
    let exchange = Arc::new(exchange);
    let lives_here = |room: &RoomAddress| sites::name_of(config, room) == Some(name);
    let mut rooms: Vec<RoomAddress> = config.scope.rooms().filter(|room| lives_here(room)).cloned().collect();
    if let Some(asking) = rooms.first().cloned() {
        for list in &config.room_lists {
            // A list that cannot be read shows in the first room's finding.
            let members = exchange.rooms_of(list, &asking).await.unwrap_or_default();
            rooms.extend(members.into_iter().filter(|room| lives_here(room)));
        }
    }
    rooms.dedup();
    Ok(Patient {
        exchange,
        rooms,
        outsiders: config.out_of_scope.iter().filter(|room| lives_here(room)).cloned().collect(),
        write_in: write_in.filter(|room| lives_here(room)).cloned(),
        spares_private: config.rules.exceptions.private,
        settings,
    })
}

fn misconfigured(name: &str, failure: &Failure) -> Finding {
    Finding {
        connection: Some(name.to_owned()),
        room: None,
        check: "configuration",
        status: Status::Fail,
        says: failure.message.clone(),
        remedy: Some("mend adjourn.toml, or what it names".to_owned()),
        code: failure.causes.first().cloned(),
    }
}

fn address(flag: &str, room: &str) -> Result<RoomAddress, Failure> {
    room.parse().map_err(|error| Failure::new(Exit::Usage, format!("{flag} is no address")).because(error))
}
