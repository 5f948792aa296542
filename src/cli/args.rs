//! What can be typed. Records only; meaning comes later.

use std::net::SocketAddr;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::builder::{FalseyValueParser, PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use uuid::Uuid;

use crate::action::IdempotencyKey;
use crate::cleanup::Shard;
use crate::journal::{ActionStatus, Head};

pub use super::key_args::{KeyAddArgs, KeyArgs, KeyChangeArgs, KeyCommand};

/// Ends meetings early and deletes abandoned events on Exchange room calendars.
#[derive(Debug, Parser)]
#[command(name = "adjourn", version, after_help = super::exit::EXIT_CODES, arg_required_else_help = true)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// Let a crash write a core dump, with the passwords in it, and a debugger attach: for developers
    #[arg(long, global = true, env = "ADJOURN_KEEP_CORE_DUMPS", hide = true)]
    pub keep_core_dumps: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub connection: ConnectionArgs,
}

/// Where Exchange is and who we are there.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Connection")]
pub struct ConnectionArgs {
    /// Configuration file [default: adjourn.toml if there is one]
    #[arg(long, global = true, env = "ADJOURN_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// EWS address, such as `https://mail.example.com/EWS/Exchange.asmx`
    #[arg(long, global = true, env = "ADJOURN_URL", value_name = "URL")]
    pub url: Option<String>,
    /// Service account; its password is in ADJOURN_PASSWORD unless the configuration says otherwise
    #[arg(long, global = true, env = "ADJOURN_USERNAME", value_name = "NAME")]
    pub username: Option<String>,
    /// More certificates to trust, in PEM
    #[arg(long, global = true, env = "ADJOURN_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Where the journal is kept [default: the user's state directory, or $STATE_DIRECTORY under systemd]
    #[arg(long, global = true, env = "ADJOURN_STATE_DIR", value_name = "DIR")]
    pub state_dir: Option<PathBuf>,
    /// Use secret files and a state directory that other users of this machine can read, with a warning
    #[arg(
        long,
        global = true,
        env = "ADJOURN_ALLOW_INSECURE_PERMISSIONS",
        value_parser = FalseyValueParser::new(),
        hide_short_help = true
    )]
    pub allow_insecure_permissions: bool,
    /// Allow acting on this room, besides those in the configuration; may be repeated
    #[arg(long, global = true, env = "ADJOURN_IN_SCOPE", value_delimiter = ',', value_name = "ROOM")]
    pub in_scope: Vec<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum Command {
    /// End the meeting that is on in a room
    #[command(
        after_help = "Example:\n  adjourn end room1@example.com\n  adjourn end room1@example.com --dry-run --json"
    )]
    End(EndArgs),
    /// Take an event off a room's calendar
    #[command(
        after_help = "Example:\n  adjourn delete room1@example.com --reason \"Nobody came.\"\n  adjourn delete room1@example.com --event AAMk… --silent"
    )]
    Delete(DeleteArgs),
    /// Let the meeting that is on last longer, until the next one at most
    #[command(after_help = "Example:\n  adjourn extend room1@example.com --minutes 15")]
    Extend(ExtendArgs),
    /// Take a free room from now on, until the next event at most
    #[command(after_help = "Example:\n  adjourn book room1@example.com --minutes 30")]
    Book(BookArgs),
    /// List what a room's calendar holds
    #[command(
        after_help = "Example:\n  adjourn events room1@example.com\n  adjourn events room1@example.com --from 2026-05-06T00:00:00Z --hours 48 --json"
    )]
    Events(EventsArgs),
    /// Put back what an action changed: an early end, or a removed event
    #[command(
        after_help = "Example:\n  adjourn undo 3fa85f64-5717-4562-b3fc-2c963f66afa6\n  adjourn audit --room room1@example.com --limit 1   (names the last action)"
    )]
    Undo(UndoArgs),
    /// Show who did what to which calendar, and prove that the record is whole
    #[command(
        after_help = "Example:\n  adjourn audit --room room1@example.com --since 2026-05-01T00:00:00Z\n  adjourn audit --outcome needs-attention --json\n  adjourn audit --format csv > actions.csv\n  adjourn audit verify",
        args_conflicts_with_subcommands = true
    )]
    Audit(AuditArgs),
    /// Find abandoned events in many rooms, and act on them with --apply
    #[command(
        after_help = "Example:\n  adjourn cleanup --plan --evidence checkins.csv\n  adjourn cleanup --plan --json > plan.json && adjourn cleanup --apply --from-plan plan.json\n  adjourn cleanup --apply --evidence checkins.csv"
    )]
    Cleanup(CleanupArgs),
    /// Serve room displays over HTTP, and sweep on schedule
    #[command(
        after_help = "Example:\n  adjourn key add lobby-display --rooms 'berlin-*@example.com'\n  adjourn serve --listen 127.0.0.1:8480"
    )]
    Serve(ServeArgs),
    /// Make, list and revoke API keys
    #[command(
        after_help = "Example:\n  adjourn key add lobby-display --rooms 'berlin-*@example.com'\n  adjourn key add operator --rights all\n  adjourn key list\n  adjourn key change 1f0c9a27be --expires 90d\n  adjourn key revoke 1f0c9a27be"
    )]
    Key(KeyArgs),
    /// Show which settings hold in a room, and where each comes from
    #[command(after_help = "Example:\n  adjourn settings berlin-1@example.com")]
    Settings(ExplainArgs),
    /// Show how much Adjourn keeps and takes of everything, why, and what happens beyond it
    #[command(
        after_help = "Example:\n  adjourn limits\n  adjourn limits --json\n  adjourn limits --markdown > docs/limits.md"
    )]
    Limits(LimitsArgs),
    /// Show what was decided about meetings, and what observe mode would have released
    #[command(
        after_help = "Example:\n  adjourn report\n  adjourn report --since 2026-11-01T00:00:00Z --all --json"
    )]
    Report(ReportArgs),
    /// Make real calls to every configured Exchange, and say what is wrong with the set-up and what to do about it
    #[command(
        after_help = "Example:\n  adjourn doctor\n  adjourn doctor --out-of-scope ceo@example.com --write-test room1@example.com\n  adjourn doctor --json\n\nExit code 5 when something fails, 0 otherwise."
    )]
    Doctor(DoctorArgs),
    /// Print the commands that let Adjourn act in rooms, and only there (Exchange Server on premises, or Exchange Online)
    #[command(
        after_help = "Example:\n  adjourn setup --scope rooms\n  adjourn setup --scope group --group engine-rooms@example.com > grant.ps1\n  adjourn setup --site online --app-id 11111111-2222-4333-8444-555555555555 --object-id aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee"
    )]
    Setup(SetupArgs),
    /// Run a simulated Exchange on this machine
    #[command(after_help = "Example:\n  adjourn sim --port 8443 --tls --ca-out ca.pem")]
    Sim(SimArgs),
    /// Show everything on a simulated Exchange, without any set-up
    #[command(after_help = "Example:\n  adjourn demo\n  adjourn demo --json\n  adjourn demo --serve")]
    Demo(DemoArgs),
    /// Encode EWS requests and decode captured EWS answers
    #[command(
        after_help = "Example:\n  adjourn wire decode answer.xml\n  adjourn wire encode update-item > request.xml"
    )]
    Wire(WireArgs),
}

/// Which event, and for real or not.
#[derive(Debug, Args)]
pub struct TargetArgs {
    /// The room's SMTP address
    pub room: String,
    /// The event's id, as `adjourn events --json` prints it [default: the one that is on now]
    #[arg(long, value_name = "ID")]
    pub event: Option<String>,
    /// Leave the event alone unless it starts at this time
    #[arg(long, value_name = "TIME", requires_all = ["event", "seen_end"])]
    pub seen_start: Option<DateTime<Utc>>,
    /// Leave the event alone unless it ends at this time
    #[arg(long, value_name = "TIME", requires_all = ["event", "seen_start"])]
    pub seen_end: Option<DateTime<Utc>>,
    /// Do it to an all-day event too
    #[arg(long)]
    pub all_day: bool,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub request: RequestArgs,
}

/// `adjourn extend`.
#[derive(Debug, Args)]
pub struct ExtendArgs {
    /// By how many minutes
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1440), value_name = "N")]
    pub minutes: u16,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub target: TargetArgs,
}

/// `adjourn book`.
#[derive(Debug, Args)]
pub struct BookArgs {
    /// The room's SMTP address
    pub room: String,
    /// For how many minutes
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1440), value_name = "N")]
    pub minutes: u16,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub request: RequestArgs,
}

/// How a wish is carried out, and remembered.
#[derive(Debug, Args)]
pub struct RequestArgs {
    /// Do everything but the writes, and say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Why; kept for the audit, and told to the organizer where a message is sent
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// Your own name for this wish: asking again with it gives the first answer and does nothing
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<IdempotencyKey>,
}

/// `adjourn undo`.
#[derive(Debug, Args)]
pub struct UndoArgs {
    /// The action to undo, as it was answered or as `adjourn audit` shows it
    pub action: Uuid,
    #[command(flatten)]
    #[allow(missing_docs)]
    pub request: RequestArgs,
}

/// `adjourn audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    #[allow(missing_docs)]
    pub command: Option<AuditCommand>,
    /// Only this room
    #[arg(long, value_name = "ROOM")]
    pub room: Option<String>,
    /// Only what was asked at this time or later
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
    /// Only what was asked before this time
    #[arg(long, value_name = "TIME")]
    pub until: Option<DateTime<Utc>>,
    /// Only what this user, program or rule asked
    #[arg(long, value_name = "NAME")]
    pub actor: Option<String>,
    /// Only what sweeps did by this rule
    #[arg(long, value_name = "RULE")]
    pub rule: Option<String>,
    /// Only what ended like this
    #[arg(long, value_parser = outcome_parser())]
    pub outcome: Option<ActionStatus>,
    /// Show admin events instead of actions: keys, refused sign-ins, configuration, archives
    #[arg(long, conflicts_with_all = ["room", "actor", "rule", "outcome"])]
    pub admin: bool,
    /// The newest so many
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub limit: u32,
    /// How to print it; --json is short for --format json (one line an action)
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// What else `adjourn audit` does.
#[derive(Debug, Subcommand)]
#[allow(missing_docs)]
pub enum AuditCommand {
    /// Check every entry's hash, and the index of actions: was anything changed, taken out or put in?
    #[command(after_help = "Example:\n  adjourn audit verify\n  adjourn audit verify --head 5d41402a…")]
    Verify(VerifyArgs),
    /// Move the entries of closed years into a file, and remove them from the journal
    #[command(
        after_help = "Example:\n  adjourn audit archive --year 2025 --to journal-2025.jsonl\n\nStop the service first. What is interrupted is completed by the same command."
    )]
    Archive(ArchiveArgs),
    /// Erase what names people: actors, organizers, subjects, reasons, addresses
    #[command(
        after_help = "Example:\n  adjourn audit erase --before 2026-01-01T00:00:00Z\n  adjourn audit erase --person ada@example.com\n\nStop the service first, or let it erase by itself: journal.erase_personal_after_days."
    )]
    Erase(EraseArgs),
}

/// `adjourn audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A last hash that was printed earlier: it must still be in the chain
    #[arg(long, value_name = "HASH")]
    pub head: Option<Head>,
    /// Archive files, in the order in which they were made: they are verified together with the journal
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub archive: Vec<PathBuf>,
}

/// `adjourn audit archive`.
#[derive(Debug, Args)]
pub struct ArchiveArgs {
    /// Everything up to the end of this year (UTC) that is not archived yet
    #[arg(long, value_name = "YEAR")]
    pub year: i32,
    /// The file, as JSON lines
    #[arg(long, value_name = "FILE")]
    pub to: PathBuf,
}

/// `adjourn audit erase`.
#[derive(Debug, Args)]
#[command(group(clap::ArgGroup::new("whose").required(true).args(["before", "person"])))]
pub struct EraseArgs {
    /// Everyone's, in entries before this time
    #[arg(long, value_name = "TIME")]
    pub before: Option<DateTime<Utc>>,
    /// One person's: an address or a name, as it stands in the audit
    #[arg(long, value_name = "ADDRESS")]
    pub person: Option<String>,
}

/// `adjourn serve`.
#[derive(Debug, Args)]
pub struct ServeArgs {
    /// Where to listen [default: api.listen of the configuration, 127.0.0.1:8480]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// How to log
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log: LogFormat,
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum LogFormat {
    Text,
    Json,
}

/// How far the account shall reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ScopeKind {
    /// Every mailbox of the organization: think twice
    Everyone,
    /// Room and equipment mailboxes
    RoomsAndEquipment,
    /// Room mailboxes
    Rooms,
    /// The direct members of a group
    Group,
    /// Room mailboxes, by membership in a role group
    RoleGroup,
}

/// Where the rooms' mailboxes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Deployment {
    /// Exchange Server: a service account acts
    OnPremises,
    /// Exchange Online: an application of Entra acts; EWS ends there on 1 April 2027
    Online,
}

/// `adjourn setup`.
#[derive(Debug, Args)]
pub struct SetupArgs {
    /// Where the rooms' mailboxes are
    #[arg(long, value_enum, default_value_t = Deployment::OnPremises)]
    pub site: Deployment,
    /// How far the right shall reach; role-group is for on-premises only
    #[arg(long, value_enum, default_value_t = ScopeKind::Rooms)]
    pub scope: ScopeKind,
    /// The group, or what the role group is to be called
    #[arg(long, value_name = "GROUP", required_if_eq_any([("scope", "group"), ("scope", "role-group")]))]
    pub group: Option<String>,
    /// On premises: the service account [default: server.username of the configuration]
    #[arg(long, value_name = "ACCOUNT")]
    pub account: Option<String>,
    /// Online: the application (client) id
    #[arg(long, value_name = "ID")]
    pub app_id: Option<Uuid>,
    /// Online: the object id of the enterprise application (not that of the app registration)
    #[arg(long, value_name = "ID")]
    pub object_id: Option<Uuid>,
    /// What the scope and the assignment are to be called
    #[arg(long, default_value = "Adjourn", value_name = "NAME")]
    pub name: String,
    /// The Exchange that is set up, by its name in the configuration [default: the first of which the account, or the application,
    /// is known]
    #[arg(long, value_name = "NAME")]
    pub connection: Option<String>,
    /// A mailbox that must stay out of reach, to verify with [default: the first of doctor.out_of_scope that lives there]
    #[arg(long, value_name = "ADDRESS")]
    pub out_of_scope: Option<String>,
}

/// What `adjourn limits` prints.
#[derive(Debug, Args)]
pub struct LimitsArgs {
    /// Print the page of the documentation
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,
}

/// `adjourn settings`.
#[derive(Debug, Args)]
pub struct ExplainArgs {
    /// The room's SMTP address
    pub room: String,
}

/// The words for how an action ended, and what each means.
fn outcome_parser() -> impl TypedValueParser<Value = ActionStatus> {
    let words = PossibleValuesParser::new(ActionStatus::ALL.map(ActionStatus::as_str));
    words.try_map(|word| ActionStatus::from_name(&word).ok_or("no such outcome"))
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[allow(missing_docs)]
pub enum Format {
    Table,
    Json,
    Csv,
}

/// `adjourn end`.
#[derive(Debug, Args)]
#[allow(missing_docs)]
pub struct EndArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Do not update the attendees of a meeting that the room itself organized
    #[arg(long)]
    pub silent: bool,
}

/// `adjourn delete`.
#[derive(Debug, Args)]
#[allow(missing_docs)]
pub struct DeleteArgs {
    #[command(flatten)]
    pub target: TargetArgs,
    /// Move it to Deleted Items without telling anybody
    #[arg(long)]
    pub silent: bool,
}

/// `adjourn events`.
#[derive(Debug, Args)]
pub struct EventsArgs {
    /// The room's SMTP address
    pub room: String,
    /// From when on [default: now]
    #[arg(long, value_name = "TIME")]
    pub from: Option<DateTime<Utc>>,
    /// For how many hours
    #[arg(long, value_name = "N", default_value_t = 24, value_parser = clap::value_parser!(u32).range(1..=8784))]
    pub hours: u32,
    /// Show subjects
    #[arg(long)]
    pub subjects: bool,
}

/// `adjourn cleanup`.
#[derive(Debug, Args)]
pub struct CleanupArgs {
    /// Decide and print, touch nothing (the default)
    #[arg(long, conflicts_with = "apply")]
    pub plan: bool,
    /// Act on what was decided
    #[arg(long)]
    pub apply: bool,
    /// With --apply: do everything but the writes
    #[arg(long, requires = "apply")]
    pub dry_run: bool,
    /// With --apply: the plan to act on, as --plan --json printed it [default: plan afresh]
    #[arg(long, value_name = "FILE", requires = "apply")]
    pub from_plan: Option<PathBuf>,
    /// Check-ins and occupancy signals: CSV (room,event,at,source) or JSON, by the file's ending. It watches the time from its
    /// first to its newest sign; a meeting outside that time stays
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// The evidence is complete from this time on, although its first sign is later
    #[arg(long, value_name = "TIME", requires_all = ["evidence", "evidence_to"])]
    pub evidence_from: Option<DateTime<Utc>>,
    /// The evidence is complete until this time, although its newest sign is earlier
    #[arg(long, value_name = "TIME", requires_all = ["evidence", "evidence_from"])]
    pub evidence_to: Option<DateTime<Utc>>,
    /// Treat every meeting without a sign as abandoned, whether anything watched its room or not
    #[arg(long)]
    pub accept_no_evidence: bool,
    /// Rooms, one address a line; # begins a comment [default: the configured rooms and room lists]
    #[arg(long, value_name = "FILE")]
    pub rooms: Option<PathBuf>,
    /// Only this part of the rooms, such as 2/4: several machines sweep together without meeting
    #[arg(long, value_name = "I/N", conflicts_with = "from_plan")]
    pub shard: Option<Shard>,
    /// From when on [default: now]
    #[arg(long, value_name = "TIME")]
    pub from: Option<DateTime<Utc>>,
    /// Until when [default: cleanup.hours_ahead from now]
    #[arg(long, value_name = "TIME")]
    pub to: Option<DateTime<Utc>>,
    /// List the events that stay, too
    #[arg(long)]
    pub all: bool,
}

/// `adjourn report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// Decisions from this time on [default: seven days ago]
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
    /// List the meetings that people attended, too
    #[arg(long)]
    pub all: bool,
}

/// `adjourn doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A mailbox that must be out of reach; may be repeated [default: doctor.out_of_scope]
    #[arg(long, value_name = "ADDRESS")]
    pub out_of_scope: Vec<String>,
    /// Prove that events in this room can be changed and removed, on one that is made for it 400 days ahead; and that a
    /// meeting's end can be set, on a coming one, to the end it has
    #[arg(long, value_name = "ROOM")]
    pub write_test: Option<String>,
}

/// `adjourn sim`.
#[derive(Debug, Args)]
pub struct SimArgs {
    /// Port on 127.0.0.1; 0 takes a free one
    #[arg(long, default_value_t = 0, value_name = "PORT")]
    pub port: u16,
    /// The account's user name; one that is the address of a mailbox acts there where a request names none
    #[arg(long, default_value = "svc-adjourn@example.com", value_name = "NAME")]
    pub user: String,
    /// Serve HTTPS with a certificate made for the occasion
    #[arg(long)]
    pub tls: bool,
    /// Where to write that certificate's issuer, for clients to trust
    #[arg(long, value_name = "FILE", requires = "tls")]
    pub ca_out: Option<PathBuf>,
    /// How many rooms [default: the demo's office]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub rooms: Option<u32>,
    /// Seed of the rooms' calendars
    #[arg(long, value_name = "N", default_value_t = 1, requires = "rooms")]
    pub seed: u64,
}

/// `adjourn demo`.
#[derive(Debug, Args)]
pub struct DemoArgs {
    /// Serve the demo over HTTP instead, until Ctrl-C: the key is `adj_demo_demo`
    #[arg(long)]
    pub serve: bool,
    /// Where to listen
    #[arg(long, default_value = "127.0.0.1:8480", requires = "serve", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
}

/// `adjourn wire`.
#[derive(Debug, Args)]
pub struct WireArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: WireCommand,
}

/// `adjourn wire …`.
#[derive(Debug, Subcommand)]
pub enum WireCommand {
    /// Decode a captured answer to JSON, and say which path of the codec did it
    #[command(
        after_help = "Example:\n  adjourn wire decode answer.xml\n  cat answer.xml | adjourn wire decode -"
    )]
    Decode {
        /// Files; `-` is standard input
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
        /// Which path of the codec
        #[arg(long, value_enum, default_value_t = WirePath::Both)]
        path: WirePath,
    },
    /// Print an example of each kind of request, or write all of them to a directory
    #[command(
        after_help = "Example:\n  adjourn wire encode --list\n  adjourn wire encode find-item\n  adjourn wire encode --all requests/"
    )]
    Encode {
        /// Which example
        #[arg(value_name = "NAME", required_unless_present_any = ["list", "all"])]
        name: Option<String>,
        /// Print the names
        #[arg(long)]
        list: bool,
        /// Write every example into this directory
        #[arg(long, value_name = "DIR")]
        all: Option<PathBuf>,
    },
}

/// Which path of the codec decodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum WirePath {
    /// The fast one first, then the one that is always right: as in production
    Both,
    /// Only the fast one
    Scanner,
    /// Only the one that is always right
    Reader,
}
