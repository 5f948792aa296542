//! The command line: parses arguments, dispatches to a command, prints the result. Commands decide nothing about calendars.
//!
//! Results go to stdout, messages to stderr; `--json` makes results machine-readable; no colour is used. Exit codes are in
//! [`exit`].

pub mod args;
mod audit;
mod cleanup;
mod config_command;
mod connect;
mod core_dumps;
mod demo;
mod doctor;
mod events;
mod evidence;
pub mod exit;
mod explain;
mod exposure;
mod file_mode;
mod key;
mod key_args;
mod limit_table;
mod limits;
mod log_lines;
mod migrate;
mod migration_report;
mod output;
mod perform;
mod process_limits;
mod progress;
mod reload;
mod report;
mod room_time_zones;
mod secrets;
mod serve;
mod setup;
mod sim;
mod spreadsheet;
mod suggest;
mod undo;
mod wire;

use std::ffi::OsString;
use std::io::IsTerminal;

use clap::Parser;

use args::{Command, CommandLine};
use exit::{CommandError, Exit};
use output::Output;

/// Runs one command line and returns the exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let line = match CommandLine::try_parse_from(args) {
        Ok(line) => line,
        Err(usage) => {
            let exit = if usage.use_stderr() { Exit::Usage } else { Exit::Done };
            // A closed pipe is no error.
            let _ = usage.print();
            return exit;
        }
    };
    let output = Output::new(line.json, std::io::stderr().is_terminal());
    if !line.keep_core_dumps
        && let Err(error) = core_dumps::forbid()
    {
        return output.fail(&CommandError::new(Exit::Usage, "cannot forbid core dumps").caused_by(error));
    }
    file_mode::restrict();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            return output
                .fail(&CommandError::new(Exit::Usage, "cannot start worker threads").caused_by(error));
        }
    };
    match runtime.block_on(dispatch(line, &output)) {
        Ok(exit) => exit,
        Err(failure) => output.fail(&failure),
    }
}

async fn dispatch(line: CommandLine, output: &Output) -> Result<Exit, CommandError> {
    let connection = &line.connection;
    process_limits::handle_file_size_signal()
        .map_err(|error| CommandError::new(Exit::Usage, "cannot handle SIGXFSZ").caused_by(error))?;
    match line.command {
        Command::End(args) => perform::end(args, connection, output).await,
        Command::Delete(args) => perform::delete(args, connection, output).await,
        Command::Extend(args) => perform::extend(args, connection, output).await,
        Command::Book(args) => perform::book(args, connection, output).await,
        Command::Undo(args) => undo::run(args, connection, output).await,
        Command::Audit(args) => audit::run(args, connection, output).await,
        Command::Events(args) => events::run(args, connection, output).await,
        Command::Cleanup(args) => cleanup::run(args, connection, output).await,
        Command::Serve(args) => serve::run(args, connection, output).await,
        Command::Key(args) => key::run(args, connection, output).await,
        Command::Doctor(args) => doctor::run(args, connection, output).await,
        Command::Migrate(args) => migrate::run(args, connection, output).await,
        Command::Setup(args) => setup::run(args, connection, output),
        Command::Report(args) => report::run(args, connection, output).await,
        Command::Config(args) => config_command::run(&args, connection, output),
        Command::Limits(args) => limits::run(&args, output),
        Command::Sim(args) => sim::run(args, output).await,
        Command::Demo(args) => demo::run(args, output).await,
        Command::Wire(args) => wire::run(args, output),
    }
}
