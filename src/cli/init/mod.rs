//! `adjourn init`: asks for what a first configuration needs, or takes it from flags, writes a commented file and checks it. Sends nothing
//! over the network, and replaces a file only with --force.

mod answers;
mod file;
mod questions;
mod template;

use std::io::IsTerminal as _;
use std::path::Path;

use serde::Serialize;

use super::args::{ConnectionArgs, Deployment, InitArgs};
use super::config_check::{self, ConfigCheck};
use super::exit::{CommandError, Exit};
use super::output::Output;
use crate::config::{Config, Overrides};
use answers::Answers;
pub(super) use questions::{ANSWER_BYTES_MAX, ATTEMPTS_MAX};
use questions::{NoQuestions, Questions, TerminalQuestions};
use template::configuration;

/// The file that is written unless --config names another one.
const DEFAULT_FILE: &str = "adjourn.toml";

/// The output of `--json`.
#[derive(Serialize)]
struct Written {
    #[serde(flatten)]
    check: ConfigCheck,
    /// The commands that come next.
    next: Vec<String>,
}

pub(super) async fn run(
    args: InitArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let path = connection.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
    file::require_absent(path, args.force)?;
    let mut questions: Box<dyn Questions> =
        if std::io::stdin().is_terminal() { Box::new(TerminalQuestions) } else { Box::new(NoQuestions) };
    let force = args.force;
    let answers = Answers::collect(args, connection, &mut *questions)?;
    let text = configuration(&answers);
    require_valid(&text)?;
    file::write(path, &text, force)?;
    let (check, _) = config_check::check(path, connection, true, output).await;
    let exit = if check.valid { Exit::Done } else { Exit::Usage };
    let written = Written { next: next_commands(&answers, connection), check };
    output.success(&written, || report(path, &written))?;
    Ok(exit)
}

/// Refuses answers that make no valid file, before anything is written.
fn require_valid(text: &str) -> Result<(), CommandError> {
    let errors = Config::parse_or_every_error(None, text, &Overrides::default()).err().unwrap_or_default();
    let mut errors = errors.into_iter();
    let Some(first) = errors.next() else { return Ok(()) };
    let mut failure =
        CommandError::new(Exit::Usage, "these values make no configuration; nothing was written");
    failure.causes = std::iter::once(first).chain(errors).map(|error| error.to_string()).collect();
    Err(failure)
}

fn next_commands(answers: &Answers, connection: &ConnectionArgs) -> Vec<String> {
    let config = match &connection.config {
        Some(path) => format!(" --config {}", path.display()),
        None => String::new(),
    };
    let setup = match answers.deployment() {
        Deployment::OnPremises => "setup --scope rooms > grant.ps1",
        Deployment::Online => "setup --deployment online --object-id ID > grant.ps1",
    };
    vec![
        format!("adjourn{config} {setup}"),
        format!("adjourn{config} doctor"),
        format!("adjourn{config} serve"),
    ]
}

fn report(path: &Path, written: &Written) -> String {
    let file = path.display();
    let mut text = match written.check.valid {
        true => format!("{file} is written and valid.\n\nNext:\n"),
        false => {
            format!("{file} is written. Correct the errors above, and run adjourn config check.\n\nThen:\n")
        }
    };
    for command in &written.next {
        text += &format!("  {command}\n");
    }
    text
}
