//! `adjourn events`: lists the events of a room's calendar. Shows subjects only with --subjects.

use chrono::TimeDelta;
use serde::Serialize;

use super::args::{ConnectionArgs, EventsArgs};
use super::connect::{self, JournalAccess};
use super::exit::{CommandError, Exit};
use super::output::{Output, table};
use super::suggest::{closest_room, did_you_mean};
use crate::api::EventView;
use crate::calendar::{Copy, Event, FreeBusy, Window};
use crate::timestamp::Timestamp;

/// The output of `--json`: as `GET /v1/rooms/{room}/events` returns it, with the events that do not take the room.
#[derive(Serialize)]
struct PrintedEvents {
    room: String,
    from: Timestamp,
    to: Timestamp,
    read_at: Timestamp,
    events: Vec<PrintedEvent>,
}

#[derive(Serialize)]
struct PrintedEvent {
    #[serde(flatten)]
    view: EventView,
    /// Null: the server's properties do not show whose copy it is.
    copy: Option<Copy>,
    cancelled: bool,
    declined: bool,
    free_busy: FreeBusy,
}

impl PrintedEvent {
    fn new(event: &Event) -> Self {
        Self {
            // Subjects that were not asked for are gone already.
            view: EventView::of(event, true),
            copy: event.copy,
            cancelled: event.is_cancelled,
            declined: event.is_declined,
            free_busy: event.free_busy,
        }
    }
}

pub(super) async fn run(
    args: EventsArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let room = connect::parse_address("ROOM", &args.room)?;
    let opened = connect::open(connection, JournalAccess::ReadOnly, output).await?;
    let engine = opened.engine;
    if !engine.scope().contains(&room) {
        let meant = did_you_mean(closest_room(&room, &engine.scope()));
        let message = format!("{room} is not in the configured scope: add it to [scope]{meant}");
        return Err(CommandError::new(Exit::Refused, message));
    }
    let from = args.from.unwrap_or_else(|| engine.clock().now());
    let window = Window::new(from, from + TimeDelta::hours(i64::from(args.hours)))
        .map_err(|error| CommandError::from_error(Exit::Usage, error))?;
    let view = engine.calendar().events(&room, window).await.map_err(connect::calendar_failure)?;
    for item in &view.unreadable {
        output.note(&format!("skipped an unreadable item: {item}"));
    }
    let mut events = view.events;
    events.sort_by_key(|event| event.start);
    if !args.subjects {
        events.iter_mut().for_each(|event| event.subject = None);
    }
    let printed = PrintedEvents {
        room: room.to_string(),
        from: window.start().into(),
        to: window.end().into(),
        read_at: engine.clock().now().into(),
        events: events.iter().map(PrintedEvent::new).collect(),
    };
    output.data(&printed, || render(&events))?;
    Ok(Exit::Done)
}

fn render(events: &[Event]) -> String {
    if events.is_empty() {
        return "no events".to_owned();
    }
    let mut table = table(&["START", "END", "COPY", "KIND", "STATE", "ORGANIZER", "SUBJECT"]);
    for event in events {
        let copy = event.copy.map_or_else(|| "unknown".to_owned(), |copy| format!("{copy:?}").to_lowercase());
        let state = match event {
            _ if event.is_cancelled => "cancelled",
            _ if event.is_declined => "declined",
            _ if event.free_busy == FreeBusy::Free => "free",
            _ if event.is_all_day => "all day",
            _ => "",
        };
        let organizer =
            event.organizer.as_ref().and_then(|person| person.address.as_deref().or(person.name.as_deref()));
        table.add_row([
            event.start.format("%F %H:%MZ").to_string(),
            event.end.format("%F %H:%MZ").to_string(),
            copy,
            format!("{:?}", event.kind).to_lowercase(),
            state.to_owned(),
            organizer.unwrap_or_default().to_owned(),
            event.subject.clone().unwrap_or_default(),
        ]);
    }
    table.to_string()
}
