//! `adjourn config explain`: prints the settings that apply to a room, and where each comes from.

use super::args::{ConnectionArgs, ExplainArgs};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use super::suggest::closest_room;
use crate::config::{self, Config};

/// Prints the configuration's warnings, a missing rule included.
pub(super) fn print_warnings(config: &Config, output: &Output) {
    if !config::has_rule(&config.service.rules)
        && !config.warnings.iter().any(|warning| warning == config::NO_RULE)
    {
        output.warn(config::NO_RULE);
    }
    config.warnings.iter().for_each(|warning| output.warn(warning));
}

pub(super) fn run(
    args: &ExplainArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let room = connect::parse_address("ROOM", &args.room)?;
    let config = connect::load(connection)?;
    print_warnings(&config, output);
    if let Some(meant) = closest_room(&room, &config.scope).filter(|_| !config.scope.contains(&room)) {
        output.note(&format!("{room} is not in the configured scope; did you mean {meant}?"));
    }
    let settings = config.service.rules.explain(&room);
    output.data(&settings, || {
        let mut table = table(&["SETTING", "VALUE", "FROM"]);
        for setting in &settings {
            table.add_row([setting.name, &setting.value, &setting.from]);
        }
        table.to_string()
    })?;
    Ok(Exit::Done)
}
