//! `adjourn demo`: runs the whole product on a simulated Exchange, over real HTTP, in a few seconds and without any setup: some
//! rooms over EWS, the others over Microsoft Graph. With --serve it runs until Ctrl-C, with simulated people.

mod buildings;
mod connections;
mod people;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use chrono::TimeDelta;
use serde::Serialize;

use crate::access::{Right, Rights, StoredKey};
use crate::action::{
    Action, ActionId, ActionKind, Actor, DeleteMode, Naming, Notify, ReasonText, RequestedMinutes,
};
use crate::api::{ActionView, Doctor};
use crate::calendar::{RoomAddress, Scope, Window};
use crate::cleanup::{
    AppliedAction, CancelledLeftover, CleanupMode, KeepReason, NoCheckIn, OrganizerGone, ReleaseMethod,
    Rules, Sweep, SweepPlan, Verdict,
};
use crate::cli::args::DemoArgs;
use crate::cli::cleanup::PrintedApplied;
use crate::cli::connect::{self, OpenedEngine};
use crate::cli::exit::{CommandError, Exit};
use crate::cli::output::Output;
use crate::cli::ports::Ports;
use crate::cli::progress::print_tenths;
use crate::cli::serve::{BackgroundTask, PublicUrl, ServeContext};
use crate::cli::signals::Signals;
use crate::cli::sim::rooms;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Overrides};
use crate::doctor::{DoctorReport, DoctorTarget, examine};
use crate::engine::Mode;
use crate::exchange::{Exchange, Settings};
use crate::journal::MemoryJournal;
use crate::presence::{Interval, PresenceState, Sign, SignLog};
use crate::sim::{Mail, demo_world};
use crate::store::ServiceStore;
use buildings::address;
use connections::{RequestCounts, SimulatedSite};
use people::DemoPeople;

/// The output of `--json`.
#[derive(Serialize)]
struct DemoTranscript {
    url: String,
    graph_root: String,
    actions: Vec<DemoAction>,
    plan: SweepPlan,
    applied: Vec<PrintedApplied>,
    mails: Vec<MailLine>,
    requests: RequestCounts,
}

#[derive(Serialize)]
struct DemoAction {
    what: &'static str,
    /// The protocol of the room's connection.
    over: &'static str,
    #[serde(flatten)]
    view: ActionView,
}

#[derive(Serialize)]
struct MailLine {
    from: String,
    to: Vec<String>,
    kind: String,
    subject: String,
}

/// A personal mailbox, where Adjourn must not act.
const OUTSIDER: &str = "ada.albers@example.com";
/// The room whose event is ended and restored, over Graph.
const EMBER: &str = "room-ember@example.com";
/// Minutes of the booking at the door of a free room.
const BOOKED_MINUTES: u16 = 30;
/// The API key of the served demo. It gives access to a simulated Exchange on this machine only.
const DEMO_KEY: (&str, &str) = ("demo", "demo");
/// Requests per minute: the demo may be used for benchmarks.
const DEMO_PER_MINUTE: u32 = 10_000_000;

pub(super) async fn run(args: DemoArgs, output: &Output) -> Result<Exit, CommandError> {
    let now = SystemClock.now();
    let mut world = demo_world(now);
    if args.serve {
        buildings::add_rooms(&mut world);
    }
    let room_names = rooms(&world);
    if args.serve {
        world.allow_impersonation_of(room_names.iter().map(String::as_str));
    }
    let site = SimulatedSite::start(world).await?;
    let journal = Arc::new(MemoryJournal::default());
    let router = Arc::new(site.router()?);
    let mut opened = connect::open_with(router, config(&room_names)?, journal, Arc::default()).await?;
    let exit = if args.serve {
        configure_served_demo(&mut opened.config)?;
        let doctor = Arc::new(DemoDoctor::new(&site, &opened.config)?);
        let people = DemoPeople::of(site.simulator.clone())?;
        serve(opened, args.listen, doctor, people, output).await?
    } else {
        let transcript = run_scenes(&opened, &site).await?;
        output.data(&transcript, || render(&transcript))?;
        Exit::Done
    };
    site.stop().await;
    Ok(exit)
}

/// Configures the served demo: buildings, visible subjects, and releases while one watches.
fn configure_served_demo(config: &mut Config) -> Result<(), CommandError> {
    config.service.rules.room_groups = buildings::room_groups()?;
    // Half of the demo's meetings are abandoned, which is no sign of a misconfiguration here.
    config.service.rules.limits.max_fraction = 1.0;
    config.api.options.subjects = true;
    config.service.max_state_age = TimeDelta::seconds(5);
    Ok(())
}

/// The doctor of the served demo. It examines the connection over EWS and its rooms.
struct DemoDoctor {
    settings: Settings,
    exchange: Arc<Exchange>,
    rooms: Vec<RoomAddress>,
    /// A mailbox that is out of scope.
    outsider: RoomAddress,
}

impl DemoDoctor {
    fn new(site: &SimulatedSite, config: &Config) -> Result<Self, CommandError> {
        let is_over_ews = |room: &&RoomAddress| buildings::over_graph().all(|other| other != room.as_str());
        Ok(Self {
            settings: site.settings.clone(),
            exchange: Arc::new(site.exchange()?),
            rooms: config.scope.rooms().filter(is_over_ews).cloned().collect(),
            outsider: address(OUTSIDER)?,
        })
    }
}

#[async_trait::async_trait]
impl Doctor for DemoDoctor {
    async fn examine(&self) -> DoctorReport {
        let patient = DoctorTarget {
            settings: self.settings.clone(),
            exchange: self.exchange.clone(),
            rooms: self.rooms.clone(),
            out_of_scope: vec![self.outsider.clone()],
            write_test_room: None,
            spares_private: false,
        };
        DoctorReport::new(examine(&patient, &SystemClock, None).await)
    }
}

async fn serve(
    opened: OpenedEngine,
    listen: SocketAddr,
    doctor: Arc<DemoDoctor>,
    people: DemoPeople,
    output: &Output,
) -> Result<Exit, CommandError> {
    let failed = |error| CommandError::from_error(Exit::Usage, error);
    let store = ServiceStore::in_memory().map_err(failed)?;
    let all = Rights::new("*".parse(), Right::ALL);
    let key = StoredKey::with_secret(DEMO_KEY.0, DEMO_KEY.1, all, DEMO_PER_MINUTE);
    let now = opened.engine.clock().now();
    let added = store.add_key(key.stored, now).await;
    added.map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    output.note(&format!("serving a simulated Exchange; the API key is {}", key.token));
    let background: BackgroundTask = Box::new(|service, stop| Box::pin(people.run(service, stop)));
    let context = ServeContext {
        connection: None,
        doctor,
        background: Some(background),
        console_fragment: "#key=adj_demo_demo",
        public_url: PublicUrl::Listener,
        socket: None,
        standby: None,
    };
    let ports = (Ports::open(&opened.config.api, listen).await?, Signals::listen()?);
    crate::cli::serve::serve(opened, store, ports, context, output).await
}

/// The scenes at the doors: what happens, the room, and the request.
fn scenes() -> Vec<(&'static str, &'static str, ActionKind, Mode)> {
    let end = ActionKind::End(Notify::Attendees);
    let cancel = ActionKind::Delete(DeleteMode::Notify);
    let mut scenes = vec![
        ("end the meeting (dry run)", "room-aurora@example.com", end, Mode::DryRun),
        ("end the meeting", "room-aurora@example.com", end, Mode::Perform),
        ("end it again", "room-aurora@example.com", end, Mode::Perform),
        ("end the current meeting (there are two)", "room-borealis@example.com", end, Mode::Perform),
        ("delete a meeting the room organized", "room-delta@example.com", cancel, Mode::Perform),
        ("end the event", EMBER, end, Mode::Perform),
    ];
    if let Some(minutes) = RequestedMinutes::new(BOOKED_MINUTES) {
        scenes.push((
            "book the free room",
            "room-fjord@example.com",
            ActionKind::book(minutes),
            Mode::Perform,
        ));
    }
    scenes.push(("end a meeting in a personal mailbox", OUTSIDER, end, Mode::Perform));
    scenes
}

async fn run_scenes(opened: &OpenedEngine, site: &SimulatedSite) -> Result<DemoTranscript, CommandError> {
    let mut actions = Vec::new();
    for (what, room, ask, mode) in scenes() {
        let (id, done) = perform(opened, what, action(room, ask)?, mode).await?;
        actions.push(done);
        if room == EMBER {
            let undo = action(room, ActionKind::Undo { of: id })?;
            actions.push(perform(opened, "undo that", undo, Mode::Perform).await?.1);
        }
    }
    let (plan, applied) = clean_up(opened).await?;
    Ok(DemoTranscript {
        url: site.simulator.url(),
        graph_root: site.simulator.graph_root(),
        actions,
        plan,
        applied: applied.iter().map(PrintedApplied::new).collect(),
        mails: site.simulator.outbox().iter().map(mail_line).collect(),
        requests: site.request_counts(),
    })
}

async fn perform(
    opened: &OpenedEngine,
    what: &'static str,
    action: Action,
    mode: Mode,
) -> Result<(ActionId, DemoAction), CommandError> {
    let over = protocol(action.room.as_str());
    let answer = opened.engine.perform(action.clone(), mode).await.map_err(journal_failed)?;
    let view = ActionView::answered(&action, &answer.outcome, answer.repeated, Naming::Named);
    Ok((action.id, DemoAction { what, over, view }))
}

/// The protocol that a room is reached over.
fn protocol(room: &str) -> &'static str {
    if buildings::over_graph().any(|other| other == room) { "Microsoft Graph" } else { "EWS" }
}

async fn clean_up(opened: &OpenedEngine) -> Result<(SweepPlan, Vec<AppliedAction>), CommandError> {
    let now = opened.engine.clock().now();
    let window = Window::new(now, now + opened.config.service.horizon)
        .map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    let seen_at = now - TimeDelta::minutes(50);
    let mut signs = SignLog::default();
    signs.push(Sign::new(address("room-ember@example.com")?, seen_at, "motion sensor"));
    let watched = Interval::new(now - TimeDelta::hours(12), now).into_iter().collect();
    let books = PresenceState::covering(signs, watched);
    let sweep = Sweep::new(
        opened.engine.clone(),
        opened.config.service.rules.clone(),
        books,
        opened.config.service.max_concurrent_rooms,
    )
    .with_progress(Box::new(print_tenths));
    let rooms: Vec<_> = opened.engine.scope().rooms().cloned().collect();
    let plan = sweep.plan(&rooms, window).await;
    let swept = sweep
        .apply(&plan, Mode::Perform)
        .await
        .map_err(|error| CommandError::from_error(Exit::Stopped, error))?;
    match swept.journal_error {
        None => Ok((plan, swept.applied)),
        Some(error) => Err(CommandError::from_error(Exit::Journal, error)),
    }
}

fn config(rooms: &[String]) -> Result<Config, CommandError> {
    let rooms = rooms.iter().map(|room| address(room)).collect::<Result<Vec<_>, _>>()?;
    let mut config = Config::parse(None, "", Overrides::default())
        .map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    config.scope = Scope::new(rooms, []);
    config.service.rules = Rules {
        // The demo really acts.
        mode: Some(CleanupMode::Act),
        no_check_in: Some(NoCheckIn::default()),
        cancelled_leftover: Some(CancelledLeftover),
        organizer_gone: Some(OrganizerGone {
            domains: BTreeSet::from(["example.com".to_owned()]),
            release_by: ReleaseMethod::Remove,
        }),
        ..Rules::default()
    };
    Ok(config)
}

fn action(room: &str, ask: ActionKind) -> Result<Action, CommandError> {
    let action = Action::new(ActionId::random(), address(room)?, ask, Actor::program("adjourn demo"));
    Ok(action.reason(ReasonText::truncated("The room is needed.".to_owned())))
}

fn journal_failed(error: crate::journal::JournalError) -> CommandError {
    CommandError::from_error(Exit::NeedsAttention, error)
}

fn mail_line(mail: &Mail) -> MailLine {
    MailLine {
        from: mail.from.clone(),
        to: mail.to.clone(),
        kind: format!("{:?}", mail.kind).to_lowercase(),
        subject: mail.subject.clone(),
    }
}

fn render(transcript: &DemoTranscript) -> String {
    let mut text = format!(
        "A simulated Exchange runs on {} (EWS) and {} (Microsoft Graph).\n\nActions at the doors:\n",
        transcript.url, transcript.graph_root
    );
    for DemoAction { what, over, view } in &transcript.actions {
        text += &format!("  {} — {what}, over {over}\n      {}\n", view.room, view.message);
    }
    text += "\nPlan of a sweep over all rooms:\n";
    for room in &transcript.plan.rooms {
        for judged in &room.events {
            let verdict = match &judged.verdict {
                Verdict::Act { how, why, .. } => format!("{how}: {why}"),
                Verdict::Keep { why: KeepReason::Over } => continue,
                Verdict::Keep { why } => format!("keep: {why}"),
            };
            text += &format!("  {} {}  {verdict}\n", room.room, judged.event.start.format("%F %H:%MZ"));
        }
    }
    text += "\nThe plan is applied; every event is read and evaluated again first:\n";
    for one in &transcript.applied {
        text += &format!("  {}\n      {}\n", one.view.room, one.view.message);
    }
    text += "\nMessages that Exchange sent:\n";
    for mail in &transcript.mails {
        text += &format!("  {} from {} to {}: {}\n", mail.kind, mail.from, mail.to.join(", "), mail.subject);
    }
    let RequestCounts { ews, graph } = &transcript.requests;
    text + &format!("\nRequests over HTTP: {ews} over EWS, {graph} over Microsoft Graph.")
}
