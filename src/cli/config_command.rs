//! `adjourn config`: explains the configuration. Its subcommands never change it.

use super::args::{ConfigArgs, ConfigCommand, ConnectionArgs};
use super::exit::{CommandError, Exit};
use super::explain;
use super::output::Output;
use crate::config::reference::{markdown, reference};

pub(super) fn run(
    args: &ConfigArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    match &args.command {
        ConfigCommand::Explain(args) => explain::run(args, connection, output),
        ConfigCommand::Reference => {
            let tables = reference();
            output.data(&tables, || markdown(&tables).trim_end().to_owned())?;
            Ok(Exit::Done)
        }
    }
}
