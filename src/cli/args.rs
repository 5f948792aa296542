//! The command line's arguments. Types only; the commands' modules give them meaning. An option whose value is named `TIME` takes every
//! form of a time (`command_line`).

use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::builder::{FalseyValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use uuid::Uuid;

use crate::action::{BookingSubject, IdempotencyKey, ReasonText, RequestedMinutes};
use crate::api::DEFAULT_LISTEN;
use crate::calendar::EventId;
use crate::cleanup::Shard;
use crate::journal::{ActionStatus, Head};
use crate::report::Dimension;

pub use super::display_args::{DisplayArgs, DisplayCommand, DisplayPairArgs};
pub use super::init_args::{Deployment, InitArgs, InitAuth, InitProtocol};
pub use super::key_args::{KeyAddArgs, KeyArgs, KeyChangeArgs, KeyCommand};
pub use super::service_args::ServiceArgs;
pub use super::terminal::ColorWhen;
pub use super::webhook_args::{RedeliverArgs, WebhookArgs, WebhookCommand};

/// Ends meetings early and deletes abandoned events on Exchange room calendars.
#[derive(Debug, Parser)]
#[command(name = "adjourn", version, after_help = super::exit::EXIT_CODES, arg_required_else_help = true)]
pub struct CommandLine {
    /// The command.
    #[command(subcommand)]
    pub command: Command,
    /// Print results and errors as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// When output has colour; NO_COLOR and CLICOLOR_FORCE count with auto
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorWhen::Auto)]
    pub color: ColorWhen,
    /// Print results and errors only: no notes, no warnings, no progress, and nothing when an action succeeds
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log each request to Exchange with its time to stderr
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// For developers: allow core dumps, which contain passwords, and debuggers
    #[arg(long, global = true, env = "ADJOURN_KEEP_CORE_DUMPS", hide = true)]
    pub keep_core_dumps: bool,
    /// The connection to Exchange.
    #[command(flatten)]
    pub connection: ConnectionArgs,
}

/// Where Exchange is, and the account to use.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Configuration file [default: adjourn.toml if it exists]
    #[arg(long, global = true, env = "ADJOURN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// EWS URL, such as `https://mail.example.com/EWS/Exchange.asmx`
    #[arg(long, global = true, env = "ADJOURN_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Service account. Its password is read from ADJOURN_PASSWORD unless the configuration names another source
    #[arg(long, global = true, env = "ADJOURN_USERNAME", value_name = "NAME")]
    pub username: Option<String>,
    /// Additional CA certificates to trust, in PEM
    #[arg(long, global = true, env = "ADJOURN_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Directory of the journal [default: the user's state directory, or $STATE_DIRECTORY under systemd]
    #[arg(long, global = true, env = "ADJOURN_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Accept secret files and a state directory that other users can read, with a warning
    #[arg(
        long,
        global = true,
        env = "ADJOURN_ALLOW_INSECURE_PERMISSIONS",
        value_parser = FalseyValueParser::new(),
        hide_short_help = true
    )]
    pub allow_insecure_permissions: bool,
    /// Also act in this room, in addition to the configured ones; may be repeated
    #[arg(long, global = true, env = "ADJOURN_IN_SCOPE", value_delimiter = ',', value_name = "ROOM")]
    pub in_scope: Vec<String>,
    /// The flags of these that stand on the command line.
    #[arg(skip)]
    pub given: Vec<&'static str>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// End the current event in a room, now
    #[command(
        after_help = "Example:\n  adjourn end room1@example.com\n  adjourn end room1@example.com --dry-run --json"
    )]
    End(EndArgs),
    /// Remove an event from a room's calendar: decline, cancel or delete it
    #[command(
        after_help = "Example:\n  adjourn delete room1@example.com --reason \"Nobody came.\"\n  adjourn delete room1@example.com --event AAMk… --silent"
    )]
    Delete(DeleteArgs),
    /// Extend the current event, until the next event at most
    #[command(
        after_help = "Example:\n  adjourn extend room1@example.com --minutes 15\n  adjourn extend room1@example.com --until-next"
    )]
    Extend(ExtendArgs),
    /// Book a free room, from now on or at a later time
    #[command(
        after_help = "Example:\n  adjourn book room1@example.com --minutes 30\n  adjourn book room1@example.com --start 2026-05-06T14:00:00Z --end 2026-05-06T15:30:00Z\n  adjourn book room1@example.com --until-next"
    )]
    Book(BookArgs),
    /// List the events of a room's calendar
    #[command(
        after_help = "Example:\n  adjourn events room1@example.com\n  adjourn events room1@example.com --from 2026-05-06T00:00:00Z --hours 48 --json"
    )]
    Events(EventsArgs),
    /// Undo an action: restore an event's end, or a removed event
    #[command(
        after_help = "Example:\n  adjourn undo 3fa85f64-5717-4562-b3fc-2c963f66afa6\n  adjourn audit --room room1@example.com --limit 1   (shows the last action)"
    )]
    Undo(UndoArgs),
    /// Show who changed which calendar, and verify the journal
    #[command(
        after_help = "Example:\n  adjourn audit --room room1@example.com --since 2026-05-01T00:00:00Z\n  adjourn audit --outcome needs-attention --json\n  adjourn audit --format csv > actions.csv\n  adjourn audit verify",
        args_conflicts_with_subcommands = true
    )]
    Audit(AuditArgs),
    /// Move the journal and the service store between the state directory and the database
    #[command(
        after_help = "Example:\n  adjourn journal move --to database\n\nStop the service first, and back up both places."
    )]
    Journal(JournalArgs),
    /// Find abandoned events in many rooms, and release them with --apply
    #[command(
        after_help = "Example:\n  adjourn cleanup --plan --evidence checkins.csv\n  adjourn cleanup --plan --json > plan.json && adjourn cleanup --apply --from-plan plan.json\n  adjourn cleanup --apply --evidence checkins.csv"
    )]
    Cleanup(CleanupArgs),
    /// Run the service: HTTP API, console, scheduled sweeps
    #[command(
        after_help = "Example:\n  adjourn key add lobby-display --rooms 'berlin-*@example.com'\n  adjourn serve --listen 127.0.0.1:8480\n  ADJOURN_LOG=warn,adjourn::action=info adjourn serve --log json\n\nEnvironment:\n  ADJOURN_LOG  What the log contains [default: info]: a level (off, error, warn, info, debug, trace), or directives\n               TARGET=LEVEL, separated by commas. Targets: adjourn::request (a line per HTTP request), adjourn::action\n               (a line per action), adjourn::sweep, and the modules, such as adjourn::live. An invalid directive ends\n               the command with exit code 2."
    )]
    Serve(ServeArgs),
    /// Create, list, change and revoke API keys
    #[command(
        after_help = "Example:\n  adjourn key add lobby-display --rooms 'berlin-*@example.com'\n  adjourn key add operator --rights all\n  adjourn key list\n  adjourn key change 1f0c9a27be --expires 90d\n  adjourn key revoke 1f0c9a27be"
    )]
    Key(KeyArgs),
    /// Pair, list and remove door displays
    #[command(
        after_help = "Example:\n  adjourn display pair 482913 --room room1@example.com --key-file operator.key\n  adjourn display list\n  adjourn display remove 'Room 1, door'"
    )]
    Display(DisplayArgs),
    /// List and test webhooks, and send dropped notices again
    #[command(
        after_help = "Example:\n  adjourn webhook list\n  adjourn webhook test facility\n  adjourn webhook redeliver facility --since 2026-05-06T00:00:00Z"
    )]
    Webhook(WebhookArgs),
    /// Check and explain the configuration
    #[command(
        after_help = "Example:\n  adjourn config check\n  adjourn config explain berlin-1@example.com\n  adjourn config schema > adjourn.schema.json"
    )]
    Config(ConfigArgs),
    /// Show every limit: its value, its reason, and what happens when it is reached
    #[command(
        after_help = "Example:\n  adjourn limits\n  adjourn limits --json\n  adjourn limits --markdown > docs/limits.md"
    )]
    Limits(LimitsArgs),
    /// Report hours released, no-shows, early ends, extensions and undos of a period
    #[command(
        after_help = "Example:\n  adjourn report\n  adjourn report --since 2026-11-01T00:00:00Z --until 2026-12-01T00:00:00Z --by weekday\n  adjourn report --rooms 'berlin-*@example.com' --by series --csv > series.csv\n\nExit code 0 when the report is made, 1 when organizers may not be named, 2 when the period is invalid or there is no journal, 8 or 9 when the journal cannot be read."
    )]
    Report(ReportArgs),
    /// Show decisions about meetings, and what observe mode would have released
    #[command(
        after_help = "Example:\n  adjourn decisions\n  adjourn decisions --since 2026-11-01T00:00:00Z --all --json"
    )]
    Decisions(DecisionsArgs),
    /// Check every configured Exchange with real requests, and report problems with their remedies
    #[command(
        after_help = "Example:\n  adjourn doctor\n  adjourn doctor --out-of-scope ceo@example.com --write-test room1@example.com\n  adjourn doctor --json\n\nExit code 5 when something fails, 0 otherwise."
    )]
    Doctor(DoctorArgs),
    /// Rehearse the move of rooms from EWS to Microsoft Graph: compare their calendars, and change nothing
    #[command(
        after_help = "Example:\n  adjourn migrate room1@example.com --to graph\n  adjourn migrate --all --to graph --days 90 --json\n\nExit code 0 when every room is ready, 3 when calendars or undos differ, 4 when an action is not finished or a server is unavailable, 5 when a server refuses."
    )]
    Migrate(MigrateArgs),
    /// Print the commands that grant Adjourn access to rooms and nothing else (Exchange Server or Exchange Online)
    #[command(
        after_help = "Example:\n  adjourn setup --scope rooms\n  adjourn setup --scope group --group engine-rooms@example.com > grant.ps1\n  adjourn setup --deployment online --app-id 11111111-2222-4333-8444-555555555555 --object-id aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    )]
    Setup(SetupArgs),
    /// Run a simulated Exchange on this machine
    #[command(after_help = "Example:\n  adjourn sim --port 8443 --tls --ca-out ca.pem")]
    Sim(SimArgs),
    /// Demonstrate everything on a simulated Exchange, without any setup
    #[command(after_help = "Example:\n  adjourn demo\n  adjourn demo --json\n  adjourn demo --serve")]
    Demo(DemoArgs),
    /// Decode captured EWS responses
    #[command(after_help = "Example:\n  adjourn wire decode response.xml")]
    Wire(WireArgs),
    /// Check a running service: whether it is ready, or whether it runs
    #[command(
        after_help = "Example:\n  adjourn health\n  adjourn health --live --server http://127.0.0.1:8481\n\nSends GET /readyz, or GET /healthz with --live, and prints the answer. Exit code 0 when the service is ready, or runs with --live; 4 otherwise."
    )]
    Health(HealthArgs),
    /// Write a first configuration file: ask for its values, or take them from flags, and check it
    #[command(
        after_help = "Example:\n  adjourn init\n  adjourn init --deployment on-premises --url https://mail.example.com/EWS/Exchange.asmx --username 'EXAMPLE\\svc-rooms' --secret file:/etc/adjourn/password --room room1@example.com\n  adjourn init --deployment online --tenant example.onmicrosoft.com --client-id 11111111-2222-4333-8444-555555555555 --secret env:CLIENT_SECRET --domain rooms.example.com --config /etc/adjourn/adjourn.toml\n\nNothing is sent over the network. The file is readable by its owner and group. Exit code 0 when the file is written and valid, 2 when a flag is missing, the file exists, or a secret that it names cannot be read."
    )]
    Init(InitArgs),
    /// Print the script with which a shell completes commands and options
    #[command(
        after_help = "Example:\n  adjourn completions bash > /etc/bash_completion.d/adjourn\n  adjourn completions zsh > /usr/local/share/zsh/site-functions/_adjourn\n  adjourn completions fish > ~/.config/fish/completions/adjourn.fish\n  adjourn completions powershell >> $PROFILE\n  adjourn completions elvish >> ~/.config/elvish/rc.elv"
    )]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Print the manual page, or write a page for each command with --out
    #[command(
        after_help = "Example:\n  adjourn man | man -l -\n  adjourn man --out /usr/local/share/man/man1"
    )]
    Man {
        /// Directory to write adjourn.1, adjourn-end.1 and all others to; it is created
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
}

/// `adjourn health`.
#[derive(Debug, Args)]
pub struct HealthArgs {
    /// Only check whether the process answers: not its journal, its keys and Exchange
    #[arg(long)]
    pub live: bool,
    /// URL of the service [default: the socket in the state directory; without one, api.health_listen or else api.listen of the
    /// configuration]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

/// The event of an action.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The room's SMTP address
    pub room: String,
    /// The event's id, from `adjourn events --json` [default: the current event]
    #[arg(long, value_name = "ID")]
    pub event: Option<EventId>,
    /// Refuse unless the event starts at this time
    #[arg(long, value_name = "TIME", requires_all = ["event", "if_end"])]
    pub if_start: Option<DateTime<Utc>>,
    /// Refuse unless the event ends at this time
    #[arg(long, value_name = "TIME", requires_all = ["event", "if_start"])]
    pub if_end: Option<DateTime<Utc>>,
    /// Also act on an all-day event
    #[arg(long)]
    pub all_day: bool,
    /// Options of the request.
    #[command(flatten)]
    pub request: RequestArgs,
}

/// `adjourn extend`.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// The new end.
    #[command(flatten)]
    pub until: UntilArgs,
    /// The room and the event.
    #[command(flatten)]
    pub target: TargetArgs,
}

/// `adjourn book`.
#[derive(Debug, Args)]
pub struct BookArgs {
    /// The room's SMTP address
    pub room: String,
    /// Start, at most engine.booking_horizon_minutes ahead [default: now]
    #[arg(long, value_name = "TIME")]
    pub start: Option<DateTime<Utc>>,
    /// The end.
    #[command(flatten)]
    pub until: UntilArgs,
    /// Subject of the event [default: engine.booking_subject]
    #[arg(long, value_name = "TEXT")]
    pub subject: Option<BookingSubject>,
    /// Options of the request.
    #[command(flatten)]
    pub request: RequestArgs,
}

/// The end of a booking or an extension.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct UntilArgs {
    /// Minutes to book or to add, until the next event at most; with --start, exactly
    #[arg(long, value_parser = minutes_parser(), value_name = "N")]
    pub minutes: Option<RequestedMinutes>,
    /// End; refused if another event is in the way
    #[arg(long, value_name = "TIME")]
    pub end: Option<DateTime<Utc>>,
    /// Until the next event, for at most engine.booking_horizon_minutes
    #[arg(long)]
    pub until_next: bool,
}

/// Options of every request for an action.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Check the request and show what would be changed, without changing anything
    #[arg(long)]
    pub dry_run: bool,
    /// Reason: stored in the audit, and included in the message where Exchange sends one
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<ReasonText>,
    /// Idempotency key: a second request with the same key returns the first result and changes nothing
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<IdempotencyKey>,
    /// The running service that performs the request.
    #[command(flatten)]
    pub service: ServiceArgs,
}

/// `adjourn undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// Id of the action to undo, as printed by the action or by `adjourn audit`
    pub action: Uuid,
    /// Options of the request.
    #[command(flatten)]
    pub request: RequestArgs,
}

/// `adjourn audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    /// A subcommand instead of the list.
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// Only actions in this room
    #[arg(long, value_name = "ROOM")]
    pub room: Option<String>,
    /// Only entries at this time or later
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
    /// Only entries before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<DateTime<Utc>>,
    /// Only actions of this user, program or rule
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only actions of sweeps by this rule
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Only actions with this outcome
    #[arg(long, value_parser = outcome_parser())]
    pub outcome: Option<ActionStatus>,
    /// Show admin events instead of actions: keys, failed authentication, configuration, archives
    #[arg(long, conflicts_with_all = ["room", "actor", "rule", "outcome"])]
    pub admin: bool,
    /// Number of entries, newest first
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub limit: u32,
    /// Output format; --json is short for --format json (one line per action)
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Subcommands of `adjourn audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify the hash chain and the index of actions: detects changed, removed and inserted entries
    #[command(after_help = "Example:\n  adjourn audit verify\n  adjourn audit verify --head 5d41402a…")]
    Verify(VerifyArgs),
    /// Move the entries of past years into a file, and remove them from the journal
    #[command(
        after_help = "Example:\n  adjourn audit archive --year 2025 --to journal-2025.jsonl\n\nStop the service first, unless the journal is in a database (journal.url): then it may run. What is interrupted is completed by\nthe same command.\n\nExit code 0 when the entries have moved, 1 when nothing can be archived, 2 when the year is not over or FILE has something else, 8\nwhen the journal is in use or cannot be reached, 9 when the journal or the file was changed."
    )]
    Archive(ArchiveArgs),
    /// Erase personal data: actors, organizers, subjects, reasons, addresses
    #[command(
        after_help = "Example:\n  adjourn audit erase --before 2026-01-01T00:00:00Z\n  adjourn audit erase --person ada@example.com\n\nStop the service first, or let it erase by itself: journal.erase_personal_after_days."
    )]
    Erase(EraseArgs),
}

/// `adjourn journal`.
#[derive(Debug, Args)]
pub struct JournalArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: JournalCommand,
}

/// Subcommands of `adjourn journal`.
#[derive(Debug, Subcommand)]
pub enum JournalCommand {
    /// Move everything from the one place to the other; the files or tables that are left stay, and refuse new entries
    #[command(
        after_help = "Example:\n  adjourn journal move --to database\n  adjourn journal move --to directory --state-dir /var/lib/adjourn\n\nThe configuration names both places: `journal.directory` (or --state-dir) and `journal.url`. Stop the service first, and\nback up both places. A move that was interrupted is continued by the same command; until then no process opens the\ndatabase. The hash of every entry stays: `adjourn audit verify --head HASH` finds an earlier one afterwards.\n\nExit code 0 when everything has moved, 1 when an action is not finished or the other place is not empty, 2 when the\nconfiguration names only one place, 8 when a place is in use or cannot be reached, 9 when the journal was changed."
    )]
    Move(MoveArgs),
}

/// `adjourn journal move`.
#[derive(Debug, Args)]
pub struct MoveArgs {
    /// Where the journal goes
    #[arg(long, value_enum, value_name = "PLACE")]
    pub to: JournalPlace,
}

/// A place of the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum JournalPlace {
    /// The PostgreSQL database of `journal.url`
    Database,
    /// The state directory (`journal.directory`, or --state-dir)
    Directory,
}

/// `adjourn audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A hash of an earlier last entry, which must still be in the chain
    #[arg(long, value_name = "HASH")]
    pub head: Option<Head>,
    /// Archive files, oldest first, to verify together with the journal
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub archive: Vec<PathBuf>,
}

/// `adjourn audit archive`.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// Archive everything up to the end of this year (UTC)
    #[arg(long, value_name = "YEAR")]
    pub year: i32,
    /// Archive file to write (JSON lines)
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// `adjourn audit erase`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["before", "person"])))]
pub struct EraseArgs {
    /// Erase personal data in all entries before this time
    #[arg(long, value_name = "TIME")]
    pub before: Option<DateTime<Utc>>,
    /// Erase one person's data: an address or a name as shown in the audit
    #[arg(long, value_name = "ADDRESS")]
    pub person: Option<String>,
}

/// `adjourn serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Address to listen on [default: api.listen of the configuration, 127.0.0.1:8480]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Log format
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log: LogFormat,
}

/// Formats of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// Lines of text
    Text,
    /// JSON lines
    Json,
}

/// The mailboxes that access is granted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeKind {
    /// Every mailbox of the organization (not recommended)
    Everyone,
    /// Room and equipment mailboxes
    RoomsAndEquipment,
    /// Room mailboxes
    Rooms,
    /// Direct members of a group
    Group,
    /// Room mailboxes that are members of a new role group
    RoleGroup,
}

/// Protocol by which Adjourn reaches the rooms
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum SetupProtocol {
    /// Exchange Web Services
    Ews,
    /// Microsoft Graph; Exchange Online only
    Graph,
    /// Both, while rooms move from EWS to Graph; Exchange Online only
    Both,
}

/// `adjourn setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Kind of Exchange deployment
    #[arg(long, value_enum, default_value_t = Deployment::OnPremises)]
    pub deployment: Deployment,
    /// Protocol to grant access over [default: that of the connection in the configuration, else ews]
    #[arg(long, value_enum)]
    pub protocol: Option<SetupProtocol>,
    /// Mailboxes to grant access to; role-group is for on-premises only
    #[arg(long, value_enum, default_value_t = ScopeKind::Rooms)]
    pub scope: ScopeKind,
    /// Name of the group, or of the role group to create
    #[arg(long, value_name = "GROUP", required_if_eq_any([("scope", "group"), ("scope", "role-group")]))]
    pub group: Option<String>,
    /// On premises: service account [default: server.username of the configuration]
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Online: application (client) id
    #[arg(long, value_name = "ID")]
    pub app_id: Option<Uuid>,
    /// Online: object id of the enterprise application (not of the app registration)
    #[arg(long, value_name = "ID")]
    pub object_id: Option<Uuid>,
    /// Name of the management scope and the role assignment
    #[arg(long, default_value = "Adjourn", value_name = "NAME")]
    pub name: String,
    /// Connection to set up, by its name in the configuration [default: the first one with an account or application]
    #[arg(long, value_name = "NAME")]
    pub connection: Option<String>,
    /// A mailbox without access, used for verification [default: the first of doctor.out_of_scope on that connection]
    #[arg(long, value_name = "ADDRESS")]
    pub out_of_scope: Option<String>,
}

/// `adjourn limits`.
#[derive(Debug, Args)]
pub struct LimitsArgs {
    /// Print docs/limits.md
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}

/// `adjourn config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    /// The command.
    #[command(subcommand)]
    pub command: ConfigCommand,
}

/// Subcommands of `adjourn config`.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Show the settings that apply in a room, and where each comes from
    #[command(after_help = "Example:\n  adjourn config explain berlin-1@example.com")]
    Explain(ExplainArgs),
    /// Print every configuration key with its type, default, limits and an example, as a page in Markdown
    #[command(
        after_help = "Example:\n  adjourn config reference > docs/configuration.md\n  adjourn config reference --json"
    )]
    Reference,
    /// Check a configuration file, and the secrets and files that it names: every error with its line
    #[command(
        after_help = "Example:\n  adjourn config check\n  adjourn config check /etc/adjourn/adjourn.toml --json\n  adjourn config check new.toml --without-secrets\n\nNothing is sent over the network; adjourn doctor finds out whether Exchange accepts the account. Exit code 0 when the file is valid, 2 when it is not."
    )]
    Check(CheckArgs),
    /// Print the JSON Schema of the configuration file, for editors
    #[command(
        after_help = "Example:\n  adjourn config schema > adjourn.schema.json\n\nEditors with Taplo (Even Better TOML) read it when the file begins with the line `#:schema ./adjourn.schema.json`."
    )]
    Schema,
}

/// `adjourn config check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// Configuration file [default: that of --config, else adjourn.toml]
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Check the text alone: read no secret and no file that it names
    #[arg(long)]
    pub without_secrets: bool,
}

/// `adjourn config explain`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The room's SMTP address
    pub room: String,
}

/// Parses minutes within the limits of a request.
fn minutes_parser() -> impl TypedValueParser<Value = RequestedMinutes> {
    let range = i64::from(RequestedMinutes::MIN)..=i64::from(RequestedMinutes::MAX);
    clap::value_parser!(u16).range(range).try_map(RequestedMinutes::try_from)
}

/// Parses the name of an outcome.
fn outcome_parser() -> impl TypedValueParser<Value = ActionStatus> {
    let words = PossibleValuesParser::new(ActionStatus::ALL.map(ActionStatus::as_str));
    words.try_map(|word| ActionStatus::from_name(&word).ok_or("no such outcome"))
}

/// Output formats of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A table
    Table,
    /// JSON lines
    Json,
    /// CSV
    Csv,
}

/// `adjourn end`.
#[derive(Debug, Args)]
pub struct EndArgs {
    /// The room and the event.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Do not send updates to the attendees of a meeting that the room organized
    #[arg(long)]
    pub silent: bool,
}

/// `adjourn delete`.
#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// The room and the event.
    #[command(flatten)]
    pub target: TargetArgs,
    /// Move the event to Deleted Items without sending any message
    #[arg(long)]
    pub silent: bool,
}

/// `adjourn events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// The room's SMTP address
    pub room: String,
    /// Start of the time range [default: now]
    #[arg(long, value_name = "TIME")]
    pub from: Option<DateTime<Utc>>,
    /// Hours to list
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8784))]
    pub hours: u32,
    /// Show subjects
    #[arg(long)]
    pub subjects: bool,
}

/// `adjourn cleanup`.
#[derive(Debug, Args)]
pub struct CleanupArgs {
    /// Print the plan and change nothing (the default)
    #[arg(long, conflicts_with = "apply")]
    pub plan: bool,
    /// Apply the plan
    #[arg(long)]
    pub apply: bool,
    /// With --apply: change nothing, show what would be changed
    #[arg(long, requires = "apply")]
    pub dry_run: bool,
    /// With --apply: apply this plan, from --plan --json [default: a new plan]
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub from_plan: Option<PathBuf>,
    /// Check-ins and occupancy signals as CSV (room,event,at,source) or JSON, by file extension. The file covers the time from
    /// its first to its last sign; meetings outside that time are kept
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// The evidence is complete from this time on, although its first sign is later
    #[arg(long, value_name = "TIME", requires_all = ["evidence", "evidence_to"])]
    pub evidence_from: Option<DateTime<Utc>>,
    /// The evidence is complete until this time, although its last sign is earlier
    #[arg(long, value_name = "TIME", requires_all = ["evidence", "evidence_from"])]
    pub evidence_to: Option<DateTime<Utc>>,
    /// Treat every meeting without a sign as abandoned, even where nothing watched the room
    #[arg(long)]
    pub accept_no_evidence: bool,
    /// File of rooms, one address per line, # for comments [default: the configured rooms and room lists]
    #[arg(long, value_name = "FILE")]
    pub rooms: Option<PathBuf>,
    /// Sweep only this part of the rooms, such as 2/4, so that several machines can share the work
    #[arg(long, value_name = "I/N", conflicts_with = "from_plan")]
    pub shard: Option<Shard>,
    /// Start of the time range [default: now]
    #[arg(long, value_name = "TIME")]
    pub from: Option<DateTime<Utc>>,
    /// End of the time range [default: cleanup.horizon_hours from now]
    #[arg(long, value_name = "TIME")]
    pub to: Option<DateTime<Utc>>,
    /// Also list the events that are kept
    #[arg(long)]
    pub all: bool,
}

/// `adjourn report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Only actions at this time or later [default: 30 days before --until]
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
    /// Only actions before this time, at most 366 days after --since [default: now]
    #[arg(long, value_name = "TIME")]
    pub until: Option<DateTime<Utc>>,
    /// Only actions in these rooms: addresses, with * as a wildcard
    #[arg(long, value_delimiter = ',', default_value = "*", value_name = "PATTERN")]
    pub rooms: Vec<String>,
    /// How the rows are grouped; organizer needs report.organizers = true
    #[arg(long, value_parser = dimension_parser(), default_value = Dimension::Room.as_str())]
    pub by: Dimension,
    /// Print the rows as CSV
    #[arg(long, conflicts_with = "json")]
    pub csv: bool,
}

/// Parses the name of a dimension.
fn dimension_parser() -> impl TypedValueParser<Value = Dimension> {
    let words = PossibleValuesParser::new(Dimension::ALL.map(Dimension::as_str));
    words.try_map(|word| Dimension::from_name(&word).ok_or("no such dimension"))
}

/// `adjourn decisions`.
#[derive(Debug, Args)]
pub struct DecisionsArgs {
    /// Only decisions at this time or later [default: seven days ago]
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
    /// Also list the meetings that people attended
    #[arg(long)]
    pub all: bool,
}

/// `adjourn doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A mailbox that Adjourn must not be able to open; may be repeated [default: doctor.out_of_scope]
    #[arg(long, value_name = "ADDRESS")]
    pub out_of_scope: Vec<String>,
    /// Test writing in this room: create, change and remove a test event 400 days ahead, and set a future meeting's end to its
    /// present value
    #[arg(long, value_name = "ROOM")]
    pub write_test: Option<String>,
}

/// `adjourn migrate`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("which").required(true).multiple(false).args(["rooms", "all"])))]
pub struct MigrateArgs {
    /// SMTP addresses of the rooms
    #[arg(value_name = "ROOM")]
    pub rooms: Vec<String>,
    /// Every configured room, and the members of the configured room lists
    #[arg(long)]
    pub all: bool,
    /// Connection that the rooms move to, by its name in the configuration; `graph` suffices if one connection is over Graph
    #[arg(long, value_name = "CONNECTION")]
    pub to: String,
    /// Days from now that are compared, besides the last day
    #[arg(long, value_name = "N", default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=365))]
    pub days: u32,
}

/// `adjourn sim`.
#[derive(Debug, Args)]
pub struct SimArgs {
    /// Port on 127.0.0.1; 0 for a free port
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub port: u16,
    /// User name of the account. An account that is a mailbox's address acts in that mailbox when a request names none
    #[arg(long, default_value = "svc-adjourn@example.com", value_name = "NAME")]
    pub user: String,
    /// Serve HTTPS with a generated certificate
    #[arg(long)]
    pub tls: bool,
    /// Write the issuer's certificate to this file, for clients to trust
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_out: Option<PathBuf>,
    /// Number of rooms [default: the demo's rooms]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rooms: Option<u32>,
    /// Seed of the generated calendars
    #[arg(long, value_name = "N", default_value_t = 1, requires = "rooms")]
    pub seed: u64,
}

/// `adjourn demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Serve the demo over HTTP until Ctrl-C; the key is `adj_demo_demo`
    #[arg(long)]
    pub serve: bool,
    /// Address to listen on
    #[arg(long, default_value = DEFAULT_LISTEN, requires = "serve", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
}

/// `adjourn wire`.
#[derive(Debug, Args)]
pub struct WireArgs {
    /// The command.
    #[command(subcommand)]
    pub command: WireCommand,
}

/// `adjourn wire …`.
#[derive(Debug, Subcommand)]
pub enum WireCommand {
    /// Decode a captured response to JSON, and show which decoder read it
    #[command(
        after_help = "Example:\n  adjourn wire decode response.xml\n  cat response.xml | adjourn wire decode -"
    )]
    Decode {
        /// Files; `-` for standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// The decoder to use
        #[arg(long, value_enum, default_value_t = WirePath::Both)]
        path: WirePath,
    },
}

/// The decoders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WirePath {
    /// The scanner first, then the reader where it declines, as in production
    Both,
    /// The fast scanner only
    Scanner,
    /// The complete reader only
    Reader,
}
