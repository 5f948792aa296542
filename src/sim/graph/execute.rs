//! Executes one routed request on the locked world: permissions first, then the mailbox, then the operation.

use http::Method;

use super::access::{open, require, require_directory};
use super::context::GraphContext;
use super::error::GraphError;
use super::options::{GraphOptions, GraphPermission as Permission};
use super::reply::GraphReply;
use super::routing::{MailboxTarget, Route};
use super::{
    calendar_view, calendars, events, get_schedule, mailbox_items, messages, places, respond, series,
    translate_ids, update, users,
};

/// Permissions that allow reading calendars.
const READS_CALENDARS: &[Permission] = &[Permission::CalendarsRead, Permission::CalendarsReadWrite];

pub(super) fn execute(context: &mut GraphContext<'_>, route: &Route) -> Result<GraphReply, GraphError> {
    let options = context.options;
    match route {
        Route::Batch => Err(GraphError::bad_request("BadRequest", "Batch requests cannot be nested.")),
        Route::Users => require_users(options).and_then(|()| users::list(context)),
        Route::User(user) => require_users(options).and_then(|()| users::get(context, user)),
        Route::Rooms => require_places(options).and_then(|()| places::rooms(context)),
        Route::Place(place) => require_places(options).and_then(|()| places::room(context, place)),
        Route::RoomLists => require_places(options).and_then(|()| places::room_lists(context)),
        Route::RoomsOfList(list) => {
            require_places(options).and_then(|()| places::rooms_of_list(context, list))
        }
        Route::MailboxItems { mailbox, folder } => {
            require(options, &[Permission::MailboxItemRead])?;
            let user = mailbox_items::user_of(mailbox)?;
            let number = open(context, user)?;
            mailbox_items::list(context, number, folder)
        }
        Route::Mailbox { user, calendar, target, .. } => {
            require(options, permissions(target, &context.call.method))?;
            if *target == MailboxTarget::TranslateIds {
                require_directory(options, &[Permission::UserReadAll])?;
            }
            let number = open(context, user)?;
            calendars::check_id(context, number, calendar.as_deref())?;
            in_mailbox(context, number, target)
        }
    }
}

fn require_users(options: &GraphOptions) -> Result<(), GraphError> {
    require_directory(options, &[Permission::UserReadBasicAll, Permission::UserReadAll])
}

fn require_places(options: &GraphOptions) -> Result<(), GraphError> {
    require_directory(options, &[Permission::PlaceReadAll])
}

fn permissions(target: &MailboxTarget, method: &Method) -> &'static [Permission] {
    match target {
        MailboxTarget::Messages(_) => &[Permission::MailReadBasic],
        MailboxTarget::ExchangeSettings => &[Permission::MailboxItemRead],
        MailboxTarget::TranslateIds => &Permission::ALL,
        MailboxTarget::GetSchedule => READS_CALENDARS,
        _ if *method == Method::GET => READS_CALENDARS,
        _ => &[Permission::CalendarsReadWrite],
    }
}

fn in_mailbox(
    context: &mut GraphContext<'_>,
    mailbox: u32,
    target: &MailboxTarget,
) -> Result<GraphReply, GraphError> {
    let fragment = users::fragment(context);
    let events_fragment = format!("{fragment}/events");
    match target {
        MailboxTarget::Calendars => calendars::list(context, mailbox, &fragment),
        MailboxTarget::Calendar => calendars::get(context, mailbox, &fragment),
        MailboxTarget::CalendarView => {
            calendar_view::list(context, mailbox, &format!("{fragment}/calendarView"))
        }
        MailboxTarget::Events if context.call.method == Method::POST => {
            events::create(context, mailbox, &events_fragment)
        }
        MailboxTarget::Events => events::list(context, mailbox, &events_fragment),
        MailboxTarget::Event(id) => {
            let at = events::locate(context, mailbox, id)?;
            match context.call.method {
                Method::PATCH => update::update(context, at, &events_fragment),
                Method::DELETE => events::delete(context, at),
                _ => events::get(context, at, &events_fragment),
            }
        }
        MailboxTarget::Instances(id) => {
            let at = events::locate(context, mailbox, id)?;
            series::instances(
                context,
                at,
                &format!("{events_fragment}('{}')/instances", id.replace('\'', "''")),
            )
        }
        MailboxTarget::Action(id, action) => {
            let at = events::locate(context, mailbox, id)?;
            respond::answer(context, at, *action)
        }
        MailboxTarget::GetSchedule => get_schedule::answer(context),
        MailboxTarget::Messages(folder) => messages::list(context, mailbox, folder, &fragment),
        MailboxTarget::ExchangeSettings => mailbox_items::settings(context, mailbox),
        MailboxTarget::TranslateIds => translate_ids::answer(context, mailbox),
    }
}
