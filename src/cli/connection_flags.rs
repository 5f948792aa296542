//! Refuses flags of the connection to Exchange on commands that do not use them: a flag without effect would mislead. Environment
//! variables may be set for all commands, so they are never refused.

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::args::{Command, ConnectionArgs};
use super::exit::{CommandError, Exit};

/// The flags by the ids of their arguments.
const FLAGS: [(&str, &str); 6] = [
    ("config", "--config"),
    ("url", "--url"),
    ("username", "--username"),
    ("ca_file", "--ca-file"),
    ("state_dir", "--state-dir"),
    ("in_scope", "--in-scope"),
];
/// Flags about Exchange's address and account.
const ACCOUNT: &[&str] = &["--url", "--username", "--ca-file"];
/// All of [`FLAGS`].
const ALL: &[&str] = &["--config", "--url", "--username", "--ca-file", "--state-dir", "--in-scope"];

/// The flags that stand on the command line.
pub(super) fn given(matches: &ArgMatches) -> Vec<&'static str> {
    let is_given = |id| matches.value_source(id) == Some(ValueSource::CommandLine);
    FLAGS.into_iter().filter(|(id, _)| is_given(id)).map(|(_, flag)| flag).collect()
}

/// Refuses the flags that this command does not use.
pub(super) fn check(command: &Command, connection: &ConnectionArgs) -> Result<(), CommandError> {
    let unused = match command {
        Command::Audit(_)
        | Command::Decisions(_)
        | Command::Display(_)
        | Command::Health(_)
        | Command::Journal(_)
        | Command::Key(_)
        | Command::Report(_)
        | Command::Webhook(_) => ACCOUNT,
        Command::Demo(_) | Command::Limits(_) | Command::Sim(_) | Command::Wire(_) => ALL,
        _ => return Ok(()),
    };
    connection.refuse_flags(unused, "this command does not connect to Exchange")
}

impl ConnectionArgs {
    /// Refuses the first of these flags that stands on the command line.
    pub(super) fn refuse_flags(&self, flags: &[&str], why: &str) -> Result<(), CommandError> {
        match self.given.iter().find(|flag| flags.contains(flag)) {
            Some(flag) => Err(CommandError::new(Exit::Usage, format!("leave {flag} out: {why}"))),
            None => Ok(()),
        }
    }
}
