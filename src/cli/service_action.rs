//! Has a running service perform the action of a command: the journal has one owner, and while the service runs it is the service.
//! Prints what the command prints without a service. Sends each request under an idempotency key, so that a connection that breaks
//! repeats nothing.

use std::time::Duration;

use http::{HeaderName, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::args::{ConnectionArgs, RequestArgs, TargetArgs, UntilArgs};
use super::connect::{self, JournalAccess, OpenedEngine};
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::recoverable_items::way_back;
use super::service_client::{ServiceClient, ServiceLost, ServiceProblem, ServiceReply};
use super::storage::directory;
use super::suggest::closest_room;
use crate::action::{IdempotencyKey, sentence};
use crate::calendar::RoomAddress;
use crate::printable::escape;
use crate::store;

/// How long a command waits for the outcome. An action ends earlier, unless Exchange hangs.
const OUTCOME_WAIT_MAX: Duration = Duration::from_secs(120);
/// Pause before a request is sent again.
const RESEND_PAUSE: Duration = Duration::from_secs(1);
/// Requests to a service at a URL that does not answer.
const ATTEMPTS_MAX: usize = 3;
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// A request for an action, as the HTTP API has it.
pub(super) struct ActionOrder {
    path: String,
    body: Map<String, Value>,
    /// The user's key, or a random one. A dry run needs none.
    key: Option<IdempotencyKey>,
    key_is_given: bool,
    room: Option<RoomAddress>,
}

/// How the command goes on.
pub(super) enum Handling {
    /// The service has answered, and the answer is printed.
    Answered(Exit),
    /// No service runs here: the command performs the action itself.
    Here(Box<OpenedEngine>),
}

impl ActionOrder {
    /// An action in a room.
    pub(super) fn in_room(room: &RoomAddress, verb: &str, request: &RequestArgs) -> Self {
        let room_in_path: String = form_urlencoded::byte_serialize(room.as_str().as_bytes()).collect();
        let order = Self::new(format!("/v1/rooms/{room_in_path}/{verb}"), request);
        Self { room: Some(room.clone()), ..order }
    }

    /// An action on an event of a room.
    pub(super) fn on_event(room: &RoomAddress, verb: &str, args: &TargetArgs) -> Self {
        let seen = args.if_start.zip(args.if_end);
        let seen = seen.map(|(start, end)| serde_json::json!({ "start": start, "end": end }));
        Self::in_room(room, verb, &args.request)
            .with("event", args.event.as_ref().map(|event| event.as_str()))
            .with("seen", seen)
            .with("all_day", args.all_day)
    }

    /// The undo of an action.
    pub(super) fn undo(of: Uuid, request: &RequestArgs) -> Self {
        Self::new(format!("/v1/actions/{of}/undo"), request)
    }

    fn new(path: String, request: &RequestArgs) -> Self {
        let random = || format!("cli-{}", Uuid::new_v4()).parse().ok();
        let given = request.idempotency_key.clone();
        let key_is_given = given.is_some();
        let key = if request.dry_run { given } else { given.or_else(random) };
        Self { path, body: Map::new(), key, key_is_given, room: None }
            .with("reason", request.reason.clone().map(String::from))
            .with("dry_run", request.dry_run)
    }

    /// Adds a member to the body. Null and false are what an absent member means.
    pub(super) fn with(mut self, member: &str, value: impl Serialize) -> Self {
        match serde_json::to_value(value) {
            Ok(Value::Null | Value::Bool(false)) | Err(_) => {}
            Ok(value) => drop(self.body.insert(member.to_owned(), value)),
        }
        self
    }

    /// Adds the end of a booking or an extension.
    pub(super) fn until(self, until: &UntilArgs) -> Self {
        self.with("minutes", until.minutes)
            .with("end", until.end)
            .with("until", until.until_next.then_some("next"))
    }

    async fn send(&self, service: &ServiceClient) -> Result<ServiceReply, ServiceLost> {
        let key = self.key.as_ref().and_then(|key| HeaderValue::try_from(key.as_str()).ok());
        let wait = (PREFER, HeaderValue::from_static("wait=60"));
        let headers: Vec<_> = key.map(|key| (IDEMPOTENCY_KEY, key)).into_iter().chain([wait]).collect();
        service.post(&self.path, &headers, &self.body).await
    }
}

/// Has the action performed by the service that the command names, or by the one that runs with this state directory. Where none runs,
/// opens the engine for the command itself.
pub(super) async fn perform_or_open(
    order: &ActionOrder,
    request: &mut RequestArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Handling, CommandError> {
    if let Some(exit) = through_service(order, request, connection, output).await? {
        return Ok(Handling::Answered(exit));
    }
    let access = if request.dry_run { JournalAccess::ReadOnly } else { JournalAccess::ReadWrite };
    let opened = match connect::open(connection, access, output).await {
        // A service may have taken the journal meanwhile.
        Err(error) if error.exit == Exit::Journal => {
            if let Some(exit) = through_service(order, request, connection, output).await? {
                return Ok(Handling::Answered(exit));
            }
            connect::open(connection, access, output).await
        }
        opened => opened,
    };
    let is_sent = !order.key_is_given && request.idempotency_key.is_some();
    let opened = opened.map_err(|error| if is_sent { order.with_key_hint(error) } else { error })?;
    Ok(Handling::Here(Box::new(opened)))
}

/// `None`: no service runs here, or it stopped before it answered.
async fn through_service(
    order: &ActionOrder,
    request: &mut RequestArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Option<Exit>, CommandError> {
    let service = match ServiceClient::named(&request.service, || connect::load(connection))? {
        Some(service) => service,
        None => match local_service(connection, output).await? {
            Some(service) => service,
            None => return Ok(None),
        },
    };
    refuse_own_connection(connection)?;
    let Some(reply) = outcome(order, &service).await? else {
        output.note("adjourn: the service stopped before it answered; this command completes the action");
        // The service may have begun it.
        request.idempotency_key.clone_from(&order.key);
        return Ok(None);
    };
    print(order, reply, &service, connection, output).await.map(Some)
}

/// The service of this machine that has the command's state directory. Refuses a configuration that the user named and that names no
/// state directory: the service with the default one may have another configuration, and so another Exchange.
pub(super) async fn local_service(
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Option<ServiceClient>, CommandError> {
    let mut config = connect::load(connection)?;
    let is_named = config.journal.directory.is_some() || store::systemd_directory().is_some();
    let Some(service) = ServiceClient::local(&directory(&mut config)?).await else {
        return Ok(None);
    };
    if connection.config.is_some() && !is_named {
        return Err(CommandError::new(
            Exit::Usage,
            "a service runs with the default state directory, and may have another configuration: \
             name its directory with --state-dir, or set journal.directory",
        ));
    }
    if connection.url.is_some() && !connection.given.contains(&"--url") {
        output
            .note("adjourn: ADJOURN_URL has no effect: the running service acts with its own configuration");
    }
    Ok(Some(service))
}

/// Refuses flags about Exchange: the service has its own connections and scope.
pub(super) fn refuse_own_connection(connection: &ConnectionArgs) -> Result<(), CommandError> {
    let flags = ["--url", "--username", "--ca-file", "--in-scope"];
    connection.refuse_flags(&flags, "the running service acts with its own configuration")
}

/// Sends the request until it has an outcome. `None`: the service of this machine has stopped.
async fn outcome(order: &ActionOrder, service: &ServiceClient) -> Result<Option<ServiceReply>, CommandError> {
    let (begun, mut attempts) = (Instant::now(), 0);
    loop {
        match order.send(service).await {
            Ok(reply) if is_pending(&reply) && begun.elapsed() < OUTCOME_WAIT_MAX => {}
            Ok(reply) => return Ok(Some(reply)),
            Err(_) if service.is_local() && !service.listens().await => return Ok(None),
            Err(lost) => {
                attempts += 1;
                if attempts >= ATTEMPTS_MAX {
                    return Err(order.with_key_hint(lost.into()));
                }
            }
        }
        sleep(RESEND_PAUSE).await;
    }
}

/// Whether the outcome is not known yet, or the service begins no action now.
fn is_pending(reply: &ServiceReply) -> bool {
    let refuses = || reply.problem().is_some_and(|problem| problem.kind_name() == "unavailable");
    reply.status == 202 || reply.status == 503 && refuses()
}

impl ActionOrder {
    /// The error of a request whose outcome is unknown, with the key for a repetition.
    fn with_key_hint(&self, mut error: CommandError) -> CommandError {
        if let Some(key) = &self.key {
            let repeat = format!(
                "if the action was begun, the same command with --idempotency-key {} \
                 repeats nothing",
                key.as_str()
            );
            error.causes.push(repeat);
        }
        error
    }
}

/// The parts of an action's view that are printed for people.
#[derive(Deserialize)]
struct PrintedAction {
    id: Uuid,
    room: String,
    state: String,
    message: String,
    repeated: bool,
    change: Option<PrintedChange>,
}

#[derive(Deserialize)]
struct PrintedChange {
    not_undoable: Option<String>,
    dry_run: bool,
}

async fn print(
    order: &ActionOrder,
    reply: ServiceReply,
    service: &ServiceClient,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    if reply.is_success() {
        return print_action(order, &reply, output);
    }
    let problem = reply.problem();
    let Some((action, problem)) = problem.and_then(|problem| Some((problem.action_id?, problem))) else {
        return Err(reply.failure());
    };
    let exit = problem.exit(reply.status);
    let room = room_of(order, action, service).await;
    let text = || format!("{room}{}\naction {action}", escape(&problem_text(&problem, exit)));
    output.document(&reply.body, text)?;
    if service.is_local() {
        print_meant(order, &problem, connection, output);
    }
    Ok(exit)
}

fn print_action(order: &ActionOrder, reply: &ServiceReply, output: &Output) -> Result<Exit, CommandError> {
    let action: PrintedAction = reply.parse()?;
    let again = if action.repeated && order.key_is_given { "Same answer as before: " } else { "" };
    let message = escape(&format!("{again}{}", action.message)).into_owned();
    output.success_document(&reply.body, || format!("{}: {message}\naction {}", action.room, action.id))?;
    let is_final = |change: &PrintedChange| {
        !change.dry_run && change.not_undoable.as_deref() == Some("server-cannot-restore")
    };
    if action.change.as_ref().is_some_and(is_final) {
        output.note(&way_back(&action.room));
    }
    Ok(if action.state == "open" { Exit::Unavailable } else { Exit::Done })
}

/// The text of an outcome that is a problem, as [`crate::action::Outcome`] prints it.
fn problem_text(problem: &ServiceProblem, exit: Exit) -> String {
    match exit {
        Exit::NeedsAttention => format!("Needs attention. {}", sentence(&problem.detail)),
        _ => format!("Refused. {}", problem.detail),
    }
}

/// `room: ` of the order. The room of an undo is that of its action.
async fn room_of(order: &ActionOrder, action: Uuid, service: &ServiceClient) -> String {
    let room = match &order.room {
        Some(room) => Some(room.to_string()),
        None => {
            let reply = service.get(&format!("/v1/actions/{action}")).await.ok();
            reply.and_then(|reply| reply.parse::<PrintedAction>().ok()).map(|action| action.room)
        }
    };
    room.map_or_else(String::new, |room| format!("{room}: "))
}

/// Prints the room or event that a refused action most likely meant.
fn print_meant(order: &ActionOrder, problem: &ServiceProblem, connection: &ConnectionArgs, output: &Output) {
    let room = order.room.as_ref().filter(|_| problem.kind_name() == "no-such-room");
    let scope = room.and_then(|_| Some(connect::load(connection).ok()?.scope));
    if let Some(meant) = room.zip(scope.as_ref()).and_then(|(room, scope)| closest_room(room, scope)) {
        output.note(&format!("did you mean {meant}?"));
    }
    if let ("event-not-found" | "invalid-event-id", [event]) = (problem.kind_name(), &*problem.candidates) {
        let start = event.start.format("%F %H:%MZ");
        output.note(&format!("did you mean --event {} (it starts at {start})?", event.id));
    }
}
