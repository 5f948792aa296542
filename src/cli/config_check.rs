//! `adjourn config check`: checks a configuration file and the files and secrets that it names, and lists every error with its line. Sends
//! nothing over the network and changes nothing; whether a server accepts the account, `adjourn doctor` finds out.

use std::path::Path;

use serde::Serialize;

use super::args::{CheckArgs, ConnectionArgs};
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::{connect, exposure, logos, ports, webhook};
use crate::clock::SystemClock;
use crate::config::Config;

/// The output of `--json`.
#[derive(Debug, Serialize)]
pub(super) struct ConfigCheck {
    file: String,
    pub(super) valid: bool,
    /// Each with its file, line and key where it has one.
    errors: Vec<String>,
    warnings: Vec<String>,
}

pub(super) async fn run(
    args: &CheckArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let named = args.file.as_deref().or_else(|| connect::config_file(connection));
    let Some(path) = named else {
        let message = "there is no adjourn.toml here: name the file, adjourn config check FILE, or write one with adjourn init";
        return Err(CommandError::new(Exit::Usage, message));
    };
    let (found, config) = check(path, connection, !args.without_secrets, output).await;
    output.success(&found, || summary(&found, config.as_ref()))?;
    Ok(if found.valid { Exit::Done } else { Exit::Usage })
}

/// Checks the file, and prints its errors and warnings to stderr. There is no configuration if the text of the file is wrong.
pub(super) async fn check(
    path: &Path,
    connection: &ConnectionArgs,
    with_secrets: bool,
    output: &Output,
) -> (ConfigCheck, Option<Config>) {
    let connection = ConnectionArgs { config: Some(path.to_owned()), ..connection.clone() };
    let (errors, config) = match Config::load_or_every_error(path, &connect::overrides(&connection)) {
        Ok(mut config) => (faults(path, &connection, &mut config, with_secrets).await, Some(config)),
        Err(errors) => {
            let errors = errors.into_iter().map(|error| CommandError::from_error(Exit::Usage, error));
            (errors.collect(), None)
        }
    };
    errors.iter().for_each(|error| output.error(error));
    let warnings = config.as_ref().map(|config| config.warnings.clone()).unwrap_or_default();
    warnings.iter().for_each(|warning| output.warn(warning));
    let found = ConfigCheck {
        file: path.display().to_string(),
        valid: errors.is_empty(),
        errors: errors.iter().map(CommandError::one_line).collect(),
        warnings,
    };
    (found, config)
}

fn summary(found: &ConfigCheck, config: Option<&Config>) -> String {
    let count = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        number => format!("{number} {what}s"),
    };
    let file = &found.file;
    match config {
        Some(config) if found.valid => format!(
            "{file} is valid: {}, {}, {}",
            count(config.exchanges().count(), "connection"),
            count(config.scope.rooms().count(), "room"),
            count(found.warnings.len(), "warning")
        ),
        _ => format!("{file} has {}", count(found.errors.len(), "error")),
    }
}

/// What is wrong although the file itself is valid: no Exchange, files that other users can read, secrets and other files that cannot be
/// used.
async fn faults(
    path: &Path,
    connection: &ConnectionArgs,
    config: &mut Config,
    with_secrets: bool,
) -> Vec<CommandError> {
    let mut faults = Vec::new();
    let without_exchange = config.require_exchange();
    faults.extend(without_exchange.err().map(|error| CommandError::from_error(Exit::Usage, error)));
    faults.extend(exposure::check_configuration(path, connection, config).err());
    if !with_secrets {
        return faults;
    }
    faults.extend(exposure::check_secret_files(config).err());
    faults.extend(connect::unusable_connections(config));
    faults.extend(webhook::open_all(config, std::sync::Arc::new(SystemClock)).await.err());
    faults.extend(ports::tls(&config.api, config.api.listen).err());
    faults.extend(logos::read(config).err());
    faults
}
