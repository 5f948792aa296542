//! `adjourn man`: the manual pages (man(7)), made of the same definitions as `--help`. The text depends on the version alone: no date,
//! no setting of this machine.

use std::io;
use std::path::Path;

use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::command_line;
use super::exit::{CommandError, Exit};
use super::output::Output;

/// Environment variables that no option names.
const VARIABLES: [(&str, &str); 8] = [
    ("ADJOURN_PASSWORD", "Password of the service account, unless the configuration names another source."),
    ("ADJOURN_KEY", "API key of commands that send requests to a running service."),
    ("ADJOURN_LOG", "Levels of the service's log, such as debug or adjourn::http=trace."),
    ("NO_COLOR", "No colour in output, unless --color always demands it."),
    ("CLICOLOR_FORCE", "Colour also where no terminal is, unless --color never forbids it."),
    ("COLUMNS", "Width of tables and help on a terminal, instead of the width that the terminal reports."),
    ("STATE_DIRECTORY", "Directory of the journal, set by systemd for a unit with StateDirectory=."),
    (
        "CREDENTIALS_DIRECTORY",
        "Directory of the secrets that the configuration names as { credential = ... }, set by systemd.",
    ),
];

/// Files that Adjourn reads and writes.
const FILES: [(&str, &str); 4] = [
    ("adjourn.toml", "Configuration, in the current directory unless --config names another file."),
    (
        "$STATE_DIRECTORY or ~/.local/state/adjourn",
        "The state directory, unless --state-dir or journal.directory names another one.",
    ),
    ("journal.sqlite, journal.head", "In the state directory: the journal, and the hash of its last entry."),
    (
        "service.sqlite",
        "In the state directory: API keys, displays, signs, decisions, and notices to be sent.",
    ),
];

/// Writes every page into a directory, or prints the page of `adjourn` itself.
pub(super) fn run(directory: Option<&Path>, output: &Output) -> Result<Exit, CommandError> {
    let mut program = command_line::command().disable_help_subcommand(true);
    program.build();
    let unwritten = |at: &Path, error: io::Error| {
        CommandError::new(Exit::Usage, format!("cannot write {}", at.display())).caused_by(error)
    };
    let Some(directory) = directory else {
        let page = page(&program, true).map_err(|error| unwritten(Path::new("the page"), error))?;
        output.program_text(&page)?;
        return Ok(Exit::Done);
    };
    std::fs::create_dir_all(directory).map_err(|error| unwritten(directory, error))?;
    for command in with_subcommands(&program) {
        let path = directory.join(format!("{}.1", command.get_display_name().unwrap_or("adjourn")));
        let is_main = command.get_name() == program.get_name();
        page(command, is_main)
            .and_then(|page| std::fs::write(&path, page))
            .map_err(|error| unwritten(&path, error))?;
    }
    Ok(Exit::Done)
}

/// A command and everything below it.
fn with_subcommands(command: &Command) -> Vec<&Command> {
    let below = command.get_subcommands().filter(|one| !one.is_hide_set());
    std::iter::once(command).chain(below.flat_map(with_subcommands)).collect()
}

/// One page. The main page has the sections that concern every command.
fn page(command: &Command, is_main: bool) -> io::Result<String> {
    let version = command_line::command().get_version().unwrap_or_default().to_owned();
    // A page shows every option, also those that only `--help` shows and `-h` does not.
    let command = command.clone().mut_args(|option| option.hide_short_help(false));
    let man = Man::new(command.clone()).source(format!("adjourn {version}")).manual("Adjourn");
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    // Narrow lines with long words cannot be justified.
    Roff::new().control("ad", ["l"]).to_writer(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    man.render_options_section(&mut page)?;
    if command.has_subcommands() {
        man.render_subcommands_section(&mut page)?;
    }
    let mut further = Roff::new();
    if let Some(text) = command.get_after_help() {
        after_help(&mut further, &text.to_string());
    }
    if is_main {
        definitions(&mut further, "ENVIRONMENT", variables(&command));
        let files = FILES.iter().map(|(file, text)| ((*file).to_owned(), (*text).to_owned()));
        definitions(&mut further, "FILES", files.collect());
    } else {
        further.control("SH", ["SEE ALSO"]);
        further.text([
            bold("adjourn"),
            roman("(1) has the exit codes, the environment variables and the files."),
        ]);
    }
    further.to_writer(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

/// The text below the options in `--help`: examples and exit codes as they are, sentences as paragraphs.
fn after_help(roff: &mut Roff, text: &str) {
    for paragraph in text.split("\n\n") {
        let (title, lines) = paragraph.split_once('\n').unwrap_or(("", paragraph));
        let heading = match title {
            "Example:" => "EXAMPLES",
            "Exit codes:" => "EXIT STATUS",
            "Times:" => {
                roff.control("SH", ["TIMES"]);
                lines.lines().for_each(|line| _ = roff.text([roman(line.trim())]));
                continue;
            }
            _ => {
                roff.control("SH", ["NOTES"]);
                paragraph.lines().for_each(|line| _ = roff.text([roman(line)]));
                continue;
            }
        };
        roff.control("SH", [heading]).control("nf", []);
        for line in lines.lines() {
            roff.text([roman(line.strip_prefix("  ").unwrap_or(line))]);
        }
        roff.control("fi", []);
    }
}

/// A section of terms, each with its text.
fn definitions(roff: &mut Roff, heading: &str, terms: Vec<(String, String)>) {
    roff.control("SH", [heading]);
    for (term, text) in terms {
        roff.control("TP", []).text([bold(term)]).text([roman(text)]);
    }
}

/// The variables that an option reads, and all others.
fn variables(command: &Command) -> Vec<(String, String)> {
    let options = command.get_arguments().filter(|option| !option.is_hide_set());
    let of_options = options.filter_map(|option| {
        let text = option.get_help().map(ToString::to_string).unwrap_or_default();
        Some((option.get_env()?.to_string_lossy().into_owned(), format!("{text}.")))
    });
    let others = VARIABLES.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    of_options.chain(others).collect()
}
