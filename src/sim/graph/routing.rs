//! Which resource a path names, and the name of the operation for the request log and for fault rules. Opens no
//! mailbox.

use http::{Method, StatusCode};

use super::call::GraphCall;
use super::error::GraphError;

/// An action on an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventAction {
    Accept,
    TentativelyAccept,
    Decline,
    Cancel,
}

/// A resource in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum MailboxTarget {
    Calendars,
    Calendar,
    CalendarView,
    Events,
    Event(String),
    Instances(String),
    Action(String, EventAction),
    GetSchedule,
    /// The messages of a mail folder.
    Messages(String),
    ExchangeSettings,
    TranslateIds,
}

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Batch,
    Users,
    User(String),
    Mailbox {
        user: String,
        /// The calendar in the path, if it is named by its id.
        calendar: Option<String>,
        /// Whether the path goes through `calendar` or `calendars`.
        is_below_calendar: bool,
        target: MailboxTarget,
    },
    Rooms,
    /// A room of `places`, by its id or address.
    Place(String),
    RoomLists,
    /// The rooms of a room list, by its id or address.
    RoomsOfList(String),
    /// The items of a folder, by the mailbox id of Exchange settings.
    MailboxItems {
        mailbox: String,
        folder: String,
    },
}

/// A request's resource and operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RoutedRequest {
    pub(super) route: Route,
    pub(super) operation: &'static str,
}

/// Finds the resource of a request.
pub(super) fn route(call: &GraphCall) -> Result<RoutedRequest, GraphError> {
    let lower: Vec<String> = call.segments.iter().map(|segment| segment.to_lowercase()).collect();
    let words: Vec<&str> = lower.iter().map(String::as_str).collect();
    let segment = |at: usize| call.segments.get(at).cloned().unwrap_or_default();
    let route = match words.as_slice() {
        ["$batch"] => Route::Batch,
        ["me", ..] => {
            let text = "/me request is only valid with delegated authentication flow.";
            return Err(GraphError::bad_request("BadRequest", text));
        }
        ["users"] => Route::Users,
        ["users", _] => Route::User(segment(1)),
        ["users", _, rest @ ..] => mailbox_route(call, rest)?,
        ["places", "microsoft.graph.room" | "graph.room"] => Route::Rooms,
        ["places", "microsoft.graph.roomlist" | "graph.roomlist"] => Route::RoomLists,
        ["places", _] => Route::Place(segment(1)),
        ["places", _, "microsoft.graph.roomlist" | "graph.roomlist", "rooms"] => {
            Route::RoomsOfList(segment(1))
        }
        ["admin", "exchange", "mailboxes", _, "folders", _, "items"] => {
            Route::MailboxItems { mailbox: segment(3), folder: segment(5) }
        }
        _ => return Err(unknown(call)),
    };
    let operation = operation(&route, &call.method).ok_or_else(|| {
        let text = "Specified HTTP method is not allowed for the request target.";
        GraphError::new(StatusCode::METHOD_NOT_ALLOWED, "BadRequest", text)
    })?;
    Ok(RoutedRequest { route, operation })
}

/// The path after `/users/{user}`.
fn mailbox_route(call: &GraphCall, words: &[&str]) -> Result<Route, GraphError> {
    let segment = |at: usize| call.segments.get(at).cloned().unwrap_or_default();
    let user = segment(1);
    let (calendar, rest, skipped) = match words {
        ["calendars", _, rest @ ..] => (Some(segment(3)), rest, 4),
        ["calendar", rest @ ..] => (None, rest, 3),
        rest => (None, rest, 2),
    };
    let is_below_calendar = skipped > 2;
    let id = || segment(skipped + 1);
    let target = match rest {
        [] if is_below_calendar => MailboxTarget::Calendar,
        ["calendars"] if !is_below_calendar => MailboxTarget::Calendars,
        ["calendarview"] => MailboxTarget::CalendarView,
        ["events"] => MailboxTarget::Events,
        ["events", _, ..] if is_below_calendar && call.method == Method::PATCH => {
            return Err(GraphError::parse_uri(
                "Recursive navigation is not allowed after property 'events' according to the entity schema.",
            ));
        }
        ["events", _] => MailboxTarget::Event(id()),
        ["events", _, "instances"] => MailboxTarget::Instances(id()),
        ["events", _, action] => {
            MailboxTarget::Action(id(), event_action(action).ok_or_else(|| unknown(call))?)
        }
        ["getschedule" | "microsoft.graph.getschedule"] if is_below_calendar => MailboxTarget::GetSchedule,
        ["mailfolders", _, "messages"] if !is_below_calendar => MailboxTarget::Messages(id()),
        ["settings", "exchange"] if !is_below_calendar => MailboxTarget::ExchangeSettings,
        ["translateexchangeids" | "microsoft.graph.translateexchangeids"] if !is_below_calendar => {
            MailboxTarget::TranslateIds
        }
        _ => return Err(unknown(call)),
    };
    Ok(Route::Mailbox { user, calendar, is_below_calendar, target })
}

fn event_action(word: &str) -> Option<EventAction> {
    Some(match word.strip_prefix("microsoft.graph.").unwrap_or(word) {
        "accept" => EventAction::Accept,
        "tentativelyaccept" => EventAction::TentativelyAccept,
        "decline" => EventAction::Decline,
        "cancel" => EventAction::Cancel,
        _ => return None,
    })
}

fn unknown(call: &GraphCall) -> GraphError {
    let last = call.segments.last().cloned().unwrap_or_default();
    GraphError::bad_request("BadRequest", format!("Resource not found for the segment '{last}'."))
}

/// The operation; `None` for a method that the resource does not have.
fn operation(route: &Route, method: &Method) -> Option<&'static str> {
    let (is_get, is_post) = (method == Method::GET, method == Method::POST);
    let get = |operation| is_get.then_some(operation);
    let post = |operation| is_post.then_some(operation);
    let target = match route {
        Route::Batch => return post("Batch"),
        Route::Users => return get("ListUsers"),
        Route::User(_) => return get("GetUser"),
        Route::Rooms => return get("ListRooms"),
        Route::Place(_) => return get("GetPlace"),
        Route::RoomLists => return get("ListRoomLists"),
        Route::RoomsOfList(_) => return get("ListRoomsOfList"),
        Route::MailboxItems { .. } => return get("ListMailboxItems"),
        Route::Mailbox { target, .. } => target,
    };
    match target {
        MailboxTarget::Calendars => get("ListCalendars"),
        MailboxTarget::Calendar => get("GetCalendar"),
        MailboxTarget::CalendarView => get("CalendarView"),
        MailboxTarget::Events => get("ListEvents").or_else(|| post("CreateEvent")),
        MailboxTarget::Event(_) => match *method {
            Method::GET => Some("GetEvent"),
            Method::PATCH => Some("UpdateEvent"),
            Method::DELETE => Some("DeleteEvent"),
            _ => None,
        },
        MailboxTarget::Instances(_) => get("ListInstances"),
        MailboxTarget::Action(_, EventAction::Accept) => post("AcceptEvent"),
        MailboxTarget::Action(_, EventAction::TentativelyAccept) => post("TentativelyAcceptEvent"),
        MailboxTarget::Action(_, EventAction::Decline) => post("DeclineEvent"),
        MailboxTarget::Action(_, EventAction::Cancel) => post("CancelEvent"),
        MailboxTarget::GetSchedule => post("GetSchedule"),
        MailboxTarget::Messages(_) => get("ListMessages"),
        MailboxTarget::ExchangeSettings => get("GetExchangeSettings"),
        MailboxTarget::TranslateIds => post("TranslateExchangeIds"),
    }
}
