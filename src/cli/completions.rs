//! `adjourn completions`: prints the script with which a shell completes commands and options. Reads and changes nothing.

use clap_complete::Shell;

use super::command_line;
use super::exit::{CommandError, Exit};
use super::output::Output;

pub(super) fn run(shell: Shell, output: &Output) -> Result<Exit, CommandError> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command_line::command(), "adjourn", &mut script);
    output.program_text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
