//! `adjourn config`: checks and explains the configuration. Its subcommands never change it.

use super::args::{ConfigArgs, ConfigCommand, ConnectionArgs};
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::{config_check, explain};
use crate::config::reference::{markdown, reference};
use crate::config::schema::schema;

pub(super) async fn run(
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
        ConfigCommand::Check(args) => config_check::run(args, connection, output).await,
        ConfigCommand::Schema => {
            let schema = serde_json::to_string_pretty(&schema()).map_err(|error| {
                CommandError::new(Exit::Usage, "cannot serialize the schema as JSON").caused_by(error)
            })?;
            output.json(&schema)?;
            Ok(Exit::Done)
        }
    }
}
