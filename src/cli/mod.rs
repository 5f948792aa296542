//! The command line: parses arguments, dispatches to a command, prints the result. Commands decide nothing about calendars.
//!
//! Results go to stdout, messages to stderr; `--json` makes results machine-readable, with the types of the API. Exit codes are in
//! [`exit`].

pub mod args;
mod audit;
mod cleanup;
pub mod command_line;
mod completions;
mod config_check;
mod config_command;
mod connect;
mod connection_flags;
mod core_dumps;
#[cfg(feature = "postgres")]
mod database_check;
mod decisions;
mod demo;
mod display;
mod display_args;
mod doctor;
mod events;
mod evidence;
pub mod exit;
mod explain;
mod exposure;
mod file_mode;
mod health;
mod indented_json;
mod init;
mod init_args;
mod journal;
mod key;
mod key_args;
mod limit_table;
mod limits;
mod log_filter;
mod log_lines;
mod logos;
mod man;
mod migrate;
mod migration_report;
mod migration_view;
mod output;
mod perform;
mod ports;
mod problem;
mod process_limits;
mod progress;
mod recoverable_items;
mod reload;
mod report;
mod room_time_zones;
mod secrets;
mod serve;
mod service_action;
mod service_args;
mod service_client;
mod service_sweep;
mod setup;
mod signals;
mod sim;
mod spreadsheet;
mod standby;
mod storage;
mod suggest;
mod sweep_rooms;
mod terminal;
mod time_argument;
mod time_zone;
mod undo;
mod verbose;
mod webhook;
mod webhook_args;
mod wire;

use std::ffi::OsString;
use std::io::IsTerminal;

use chrono::{DateTime, Utc};
use clap::error::ErrorKind;

use crate::clock::{Clock as _, SystemClock};
use args::{Command, CommandLine};
use command_line::Parsed;
use exit::{CommandError, Exit};
use output::Output;
use time_zone::OptionTimeZone;

/// Runs one command line and returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let args: Vec<OsString> = args.into_iter().collect();
    terminal::apply_color(&args);
    let now = SystemClock.now();
    let Parsed { line, local_times } = match command_line::parse(&args, now, &OptionTimeZone::Utc) {
        Ok(parsed) => parsed,
        Err(usage) => return refuse_command_line(&usage, args.iter().any(|arg| arg == "--json")),
    };
    let output = Output::new(line.json, std::io::stderr().is_terminal()).quiet(line.quiet);
    if !line.keep_core_dumps
        && let Err(error) = core_dumps::forbid()
    {
        return output.fail(&CommandError::new(Exit::Usage, "cannot forbid core dumps").caused_by(error));
    }
    if let Some(ended) = write_for_everyone(&line.command, &output) {
        return ended.unwrap_or_else(|failure| output.fail(&failure));
    }
    file_mode::restrict();
    let line = match local_times.is_empty() {
        true => line,
        false => match in_time_zone(&args, &line, now, &output) {
            Ok(line) => line,
            Err(exit) => return exit,
        },
    };
    if line.verbose && !matches!(line.command, Command::Serve(_)) {
        verbose::log_requests();
    }
    run_async(line, &output)
}

fn run_async(line: CommandLine, output: &Output) -> Exit {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return output
                .fail(&CommandError::new(Exit::Usage, "cannot start worker threads").caused_by(error));
        }
    };
    match runtime.block_on(dispatch(line, output)) {
        Ok(exit) => exit,
        Err(failure) => output.fail(&failure),
    }
}

/// Parses a command line with times of day again, in the time zone of its room. Prints what each time means.
fn in_time_zone(
    args: &[OsString],
    line: &CommandLine,
    now: DateTime<Utc>,
    output: &Output,
) -> Result<CommandLine, Exit> {
    let config = connect::load(&line.connection).map_err(|failure| output.fail(&failure))?;
    // A room that is no address is refused by its command.
    let room = command_line::room(&line.command).and_then(|room| room.parse().ok());
    let zone = OptionTimeZone::choose(&config.service.rules, room.as_ref());
    let Parsed { line, local_times } = command_line::parse(args, now, &zone)
        .map_err(|usage| refuse_command_line(&usage, output.is_json()))?;
    for (option, time) in local_times {
        if let Ok(at) = zone.resolve(time, now) {
            output.note(&format!("adjourn: {option} is {} ({zone})", zone.show(at)));
        }
    }
    Ok(line)
}

/// Runs a command whose files other users may read, if this is one.
fn write_for_everyone(command: &Command, output: &Output) -> Option<Result<Exit, CommandError>> {
    match command {
        Command::Completions { shell } => Some(completions::run(*shell, output)),
        Command::Man { out } => Some(man::run(out.as_deref(), output)),
        _ => None,
    }
}

/// Prints help, or the error in the command line, and returns the exit code. A closed pipe is no error.
fn refuse_command_line(usage: &clap::Error, json: bool) -> Exit {
    let _ = usage.print();
    if !usage.use_stderr() {
        return Exit::Done;
    }
    Output::new(json, false).problem(&CommandError::new(Exit::Usage, one_sentence(usage)));
    Exit::Usage
}

/// The error, and what was probably meant, without the usage that follows.
fn one_sentence(usage: &clap::Error) -> String {
    if usage.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a subcommand or an argument is missing: --help shows them".to_owned();
    }
    let shown = usage.render().to_string();
    let error =
        shown.lines().take_while(|line| !line.is_empty()).map(str::trim).collect::<Vec<_>>().join(" ");
    let error = error.trim_start_matches("error: ").to_owned();
    let tips = shown.lines().filter_map(|line| line.trim_start().strip_prefix("tip: "));
    tips.fold(error, |sentence, tip| format!("{sentence}; {tip}"))
}

async fn dispatch(line: CommandLine, output: &Output) -> Result<Exit, CommandError> {
    let connection = &line.connection;
    connection_flags::check(&line.command, connection)?;
    process_limits::handle_file_size_signal()
        .map_err(|error| CommandError::new(Exit::Usage, "cannot handle SIGXFSZ").caused_by(error))?;
    match line.command {
        Command::End(args) => perform::end(args, connection, output).await,
        Command::Delete(args) => perform::delete(args, connection, output).await,
        Command::Extend(args) => perform::extend(args, connection, output).await,
        Command::Book(args) => perform::book(args, connection, output).await,
        Command::Undo(args) => undo::run(args, connection, output).await,
        Command::Audit(args) => audit::run(args, connection, output).await,
        Command::Journal(args) => journal::run(&args, connection, output).await,
        Command::Events(args) => events::run(args, connection, output).await,
        Command::Cleanup(args) => cleanup::run(args, connection, output).await,
        Command::Serve(args) => serve::run(args, connection, output).await,
        Command::Key(args) => key::run(args, connection, output).await,
        Command::Display(args) => display::run(args, connection, output).await,
        Command::Webhook(args) => webhook::run(args, connection, output).await,
        Command::Doctor(args) => doctor::run(args, connection, output).await,
        Command::Migrate(args) => migrate::run(args, connection, output).await,
        Command::Setup(args) => setup::run(args, connection, output),
        Command::Report(args) => report::run(args, connection, output).await,
        Command::Decisions(args) => decisions::run(args, connection, output).await,
        Command::Config(args) => config_command::run(&args, connection, output).await,
        Command::Limits(args) => limits::run(&args, output),
        Command::Sim(args) => sim::run(args, output).await,
        Command::Demo(args) => demo::run(args, output).await,
        Command::Wire(args) => wire::run(args, output),
        Command::Health(args) => health::run(args, connection, output).await,
        Command::Init(args) => init::run(args, connection, output).await,
        // They ran before: see `write_for_everyone`.
        Command::Completions { .. } | Command::Man { .. } => Ok(Exit::Done),
    }
}
