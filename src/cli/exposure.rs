//! Refuses files that other users of this machine can read or replace, and prints the command that fixes them. With
//! `allow_insecure_permissions` it warns instead.

use std::path::Path;

use super::args::ConnectionArgs;
use super::exit::{CommandError, Exit};
use crate::config::Config;
use crate::doctor::{DoctorFinding, FindingId, FindingStatus};
use crate::permissions::{self, ConfigOrigin, InsecureFile};
use crate::store;

/// How to override a refusal.
const INSIST: &str = "or override with --allow-insecure-permissions (allow_insecure_permissions = true)";
/// Prefix of each warning when the override is set.
const INSISTED: &str = "allow_insecure_permissions: ";

/// Refuses secret files that other users can read, or adds a warning for each.
pub(super) fn check_secret_files(config: &mut Config) -> Result<(), CommandError> {
    let exposed = exposed_secrets(config);
    if let (false, Some(insecure)) = (config.allow_insecure_permissions, exposed.first()) {
        return Err(refused(Exit::Usage, insecure));
    }
    config.warnings.extend(exposed.iter().map(warning));
    Ok(())
}

/// Refuses a configuration file that other users can write or could have placed, or adds a warning. Its own
/// `allow_insecure_permissions` counts only if the file was named: an untrusted file cannot vouch for itself.
pub(super) fn check_configuration(
    path: &Path,
    connection: &ConnectionArgs,
    config: &mut Config,
) -> Result<(), CommandError> {
    let chosen = if connection.config.is_some() { ConfigOrigin::Named } else { ConfigOrigin::Found };
    let Some(insecure) = permissions::configuration_file(path, chosen) else { return Ok(()) };
    let vouched = chosen == ConfigOrigin::Named && config.allow_insecure_permissions;
    if !vouched && !connection.allow_insecure_permissions {
        return Err(refused(Exit::Usage, &insecure));
    }
    config.warnings.push(warning(&insecure));
    Ok(())
}

/// Refuses a state directory that other users can read or change, or adds a warning.
pub(super) fn check_state_directory(path: &Path, config: &mut Config) -> Result<(), CommandError> {
    match permissions::state_directory(path, store::is_state_file) {
        Some(insecure) if !config.allow_insecure_permissions => Err(refused(Exit::Journal, &insecure)),
        insecure => {
            config.warnings.extend(insecure.iter().map(warning));
            Ok(())
        }
    }
}

/// The warnings that these checks added.
pub(super) fn warnings(config: &Config) -> impl Iterator<Item = &String> {
    config.warnings.iter().filter(|warning| warning.starts_with(INSISTED))
}

/// The doctor's findings about the files: each exposed secret, and the state directory.
pub(super) fn findings(config: &Config) -> Vec<DoctorFinding> {
    let status = if config.allow_insecure_permissions { FindingStatus::Warn } else { FindingStatus::Fail };
    let directory = config.journal.directory.clone().or_else(store::default_directory);
    let state = directory.and_then(|path| permissions::state_directory(&path, store::is_state_file));
    let finding = |insecure: InsecureFile| DoctorFinding {
        connection: None,
        room: None,
        check: "permissions",
        id: Some(FindingId::FilePermissions),
        status,
        message: insecure.to_string(),
        remedy: Some(insecure.remedy),
        code: None,
    };
    exposed_secrets(config).into_iter().chain(state).map(finding).collect()
}

/// Every secret file of the configuration that other users can read.
fn exposed_secrets(config: &Config) -> Vec<InsecureFile> {
    let files = config.private_files();
    files.into_iter().filter_map(|(what, path)| permissions::secret_file(what, path)).collect()
}

fn refused(exit: Exit, insecure: &InsecureFile) -> CommandError {
    CommandError::new(exit, format!("{insecure}: {}, {INSIST}", insecure.remedy))
}

fn warning(insecure: &InsecureFile) -> String {
    format!("{INSISTED}{insecure}: {}", insecure.remedy)
}
