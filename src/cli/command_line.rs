//! Parses the command line: the definitions of `args`, with times as people write them and help that fits the terminal. A time of day
//! needs a time zone, which only the configuration knows, so a command line with one is parsed once more with it.

use std::ffi::OsString;

use chrono::{DateTime, Utc};
use clap::builder::{StringValueParser, TypedValueParser as _};
use clap::{Arg, ArgMatches, Command, CommandFactory as _, FromArgMatches as _};
use thiserror::Error;

use super::args::{self, CommandLine};
use super::time_argument::{FORMS, LocalTimeError, TimeArgument, TimeArgumentError};
use super::time_zone::OptionTimeZone;
use super::{connection_flags, terminal};

/// The name of a value that is a time.
const TIME: &str = "TIME";

/// A parsed command line.
pub(super) struct Parsed {
    pub(super) line: CommandLine,
    /// The options whose times need a time zone, with those times.
    pub(super) local_times: Vec<(String, TimeArgument)>,
}

/// A value is not a time, or its time zone has no such time.
#[derive(Debug, Clone, Error)]
enum TimeError {
    #[error(transparent)]
    Form(#[from] TimeArgumentError),
    #[error(transparent)]
    Local(#[from] LocalTimeError),
}

/// The definitions of the command line, for manual pages and completion too.
pub fn command() -> Command {
    with_times(CommandLine::command(), DateTime::UNIX_EPOCH, &OptionTimeZone::Utc)
}

/// Parses the arguments; times of day are meant in this time zone.
pub(super) fn parse(
    args: &[OsString],
    now: DateTime<Utc>,
    zone: &OptionTimeZone,
) -> Result<Parsed, clap::Error> {
    // 0: no line of help is broken, in a file or a pipe.
    let width = terminal::width().map_or(0, usize::from);
    let mut command = with_times(CommandLine::command(), now, zone).term_width(width);
    let matches = command.try_get_matches_from_mut(args)?;
    let mut line = CommandLine::from_arg_matches(&matches).map_err(|error| error.format(&mut command))?;
    line.connection.given = connection_flags::given(&matches);
    let mut local_times = Vec::new();
    find_local_times(&command, &matches, &mut local_times);
    Ok(Parsed { line, local_times })
}

/// Gives every option that takes a time the parser of times, and each command with such an option a note on their forms.
fn with_times(command: Command, now: DateTime<Utc>, zone: &OptionTimeZone) -> Command {
    let parse = {
        let zone = zone.clone();
        move |text: String| -> Result<DateTime<Utc>, TimeError> {
            Ok(zone.resolve(text.parse::<TimeArgument>()?, now)?)
        }
    };
    let parser = StringValueParser::new().try_map(parse);
    let takes_times = command.get_arguments().any(is_time);
    let command = if takes_times { with_note_on_times(command) } else { command };
    let command = command.mut_args(|arg| if is_time(&arg) { arg.value_parser(parser.clone()) } else { arg });
    command.mut_subcommands(|command| with_times(command, now, zone))
}

fn with_note_on_times(command: Command) -> Command {
    let before = command.get_after_help().map(|text| format!("{text}\n\n")).unwrap_or_default();
    let note = format!(
        "{before}Times:\n  {FORMS}.\n  Times of day are meant in the room's time zone, else in this machine's."
    );
    command.after_help(note)
}

fn is_time(arg: &Arg) -> bool {
    arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == TIME))
}

/// Collects the times whose meaning depends on the time zone.
fn find_local_times(command: &Command, matches: &ArgMatches, found: &mut Vec<(String, TimeArgument)>) {
    for arg in command.get_arguments().filter(|arg| is_time(arg)) {
        let texts = matches.try_get_raw(arg.get_id().as_str()).ok().flatten();
        let times = texts.into_iter().flatten().filter_map(|text| text.to_str()?.parse().ok());
        let local = times.filter(|time: &TimeArgument| time.needs_zone());
        let name = format!("--{}", arg.get_long().unwrap_or_default());
        found.extend(local.map(|time| (name.clone(), time)));
    }
    if let Some((name, within)) = matches.subcommand()
        && let Some(command) = command.find_subcommand(name)
    {
        find_local_times(command, within, found);
    }
}

/// The room that a command is about, as it was written.
pub(super) fn room(command: &args::Command) -> Option<&str> {
    match command {
        args::Command::End(args) => Some(&args.target.room),
        args::Command::Delete(args) => Some(&args.target.room),
        args::Command::Extend(args) => Some(&args.target.room),
        args::Command::Book(args) => Some(&args.room),
        args::Command::Events(args) => Some(&args.room),
        args::Command::Audit(args) => args.room.as_deref(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(args: &[&str], zone: &OptionTimeZone) -> Result<Parsed, String> {
        let args: Vec<OsString> = args.iter().map(Into::into).collect();
        parse(&args, "2026-11-30T12:30:00Z".parse().unwrap(), zone).map_err(|error| error.to_string())
    }

    #[test]
    fn only_times_of_day_need_a_time_zone() {
        let local = |args: &[&str]| -> Vec<String> {
            let times = parsed(args, &OptionTimeZone::Utc).unwrap().local_times;
            times.into_iter().map(|(option, _)| option).collect()
        };
        assert_eq!(
            local(&["adjourn", "audit", "--since", "2h ago", "--until", "2026-11-30T12:00:00Z"]),
            [""; 0]
        );
        assert_eq!(
            local(&["adjourn", "audit", "--since", "yesterday", "--until", "14:00"]),
            ["--since", "--until"]
        );
        assert_eq!(local(&["adjourn", "audit", "erase", "--before", "2026-01-01"]), ["--before"]);
        assert_eq!(local(&["adjourn", "limits"]), [""; 0]);
    }

    #[test]
    fn a_time_of_day_is_meant_in_the_zone() {
        let berlin = OptionTimeZone::AllRooms(chrono_tz::Europe::Berlin);
        let line =
            parsed(&["adjourn", "events", "r@example.com", "--from", "today 14:00"], &berlin).unwrap().line;
        let args::Command::Events(events) = line.command else { panic!("{line:?}") };
        assert_eq!(events.from.unwrap().to_rfc3339(), "2026-11-30T13:00:00+00:00");
        let book = ["adjourn", "book", "r@example.com", "--start", "2026-03-29 02:30", "--minutes", "30"];
        let error = parsed(&book, &berlin).err().unwrap();
        assert!(
            error.contains("--start <TIME>") && error.contains("does not exist in Europe/Berlin"),
            "{error}"
        );
    }

    /// An option of another name would take times in one form only.
    #[test]
    fn every_time_in_the_definitions_is_named_so() {
        fn check(command: &Command) {
            for arg in command.get_arguments() {
                let instants = arg.get_value_parser().type_id() == std::any::TypeId::of::<DateTime<Utc>>();
                assert_eq!(instants, is_time(arg), "{} {arg}", command.get_name());
            }
            command.get_subcommands().for_each(check);
        }
        check(&CommandLine::command());
    }

    #[test]
    fn the_definitions_are_consistent() {
        command().debug_assert();
    }
}
