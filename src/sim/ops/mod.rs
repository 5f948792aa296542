//! The EWS operations: one file per operation or family, from the request's element to the complete response.
//! Synchronous; works on a [`RequestContext`] and never on a socket.
//!
//! Like Exchange, it rejects at three levels: HTTP (in `service`), the whole request (`Err`, sent as a SOAP fault), and
//! one item of a batch (an error message among the others).

mod aliases;
mod availability;
mod contains;
mod convert_id;
mod create_item;
mod delete_item;
mod directory;
mod draft;
mod fields;
mod find_item;
mod folder_row;
mod folders;
mod get_item;
mod html;
mod ids;
mod message_shape;
mod move_item;
mod occurrences;
mod paging;
mod people_xml;
mod private;
mod properties;
mod property_path;
mod property_value;
mod recurrence;
mod respond;
mod restriction;
mod shape;
mod sort;
mod subscribe;
mod sync_items;
mod time_zones;
mod update_item;

use roxmltree::Node;
use tokio::time::Instant;

use super::faults::InjectedFault;
use super::notify::{Hub, StreamHandle};
use super::rights::DelegateRights;
use super::soap_request::{EwsError, elements, m};
use super::soap_response::messages;
use super::world::{Mailbox, World};
use super::zones::Zone;

/// The world and the caller of one request.
pub(crate) struct RequestContext<'w> {
    pub(crate) world: &'w mut World,
    /// The target mailbox, if the request names one or the account has one.
    pub(crate) acting: Option<u32>,
    /// Whether the account acts as a delegate, without impersonation.
    pub(crate) is_delegate: bool,
    /// The delegate's rights in the target mailbox; `None` for its owner and under impersonation.
    pub(crate) rights: Option<DelegateRights>,
    /// The subscriptions.
    pub(crate) hub: &'w mut Hub,
    pub(crate) caller: RequestOrigin,
    /// The time zone for times without an offset.
    pub(crate) zone: &'static Zone,
}

/// Where and when a request arrived.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RequestOrigin {
    /// The back end that received it.
    pub(crate) back_end: usize,
    pub(crate) now: Instant,
}

/// The result of an operation.
pub(crate) enum OperationResponse {
    Complete(String),
    /// A stream of events, for so many minutes.
    Streaming(StreamHandle, u32),
}

impl RequestContext<'_> {
    /// The target mailbox.
    pub(crate) fn mailbox(&self) -> Result<&Mailbox, EwsError> {
        self.acting.and_then(|number| self.world.mailboxes.get(&number)).ok_or_else(|| {
            EwsError::new(
                "ErrorMissingEmailAddress",
                "When making a request as an account that does not have a mailbox, you must specify the mailbox \
                 primary SMTP address for any distinguished folder Ids.",
            )
        })
    }
}

/// Executes a request. `wrong` is a fault to inject into a stream.
pub(crate) fn dispatch(
    desk: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    wrong: Option<&InjectedFault>,
) -> Result<OperationResponse, EwsError> {
    match request.tag_name().name() {
        "GetStreamingEvents" => {
            let opened = subscribe::get_streaming_events(desk, request, wrong.cloned())?;
            Ok(opened.map_or_else(OperationResponse::Complete, |(opening, minutes)| {
                OperationResponse::Streaming(opening, minutes)
            }))
        }
        _ => dispatch_complete(desk, request).map(OperationResponse::Complete),
    }
}

/// The error response to a write by a delegate who may only read.
fn refusal_for_reviewer(desk: &RequestContext<'_>, request: Node<'_, '_>) -> Option<String> {
    if desk.rights.is_none_or(DelegateRights::may_write) {
        return None;
    }
    let (name, list, empty) = match request.tag_name().name() {
        name @ "CreateItem" => (name, "Items", "<m:Items/>"),
        name @ "UpdateItem" => (name, "ItemChanges", "<m:Items/>"),
        name @ "MoveItem" => (name, "ItemIds", "<m:Items/>"),
        name @ "DeleteItem" => (name, "ItemIds", ""),
        _ => return None,
    };
    let denied = |item: Node<'_, '_>| {
        let code = match item.tag_name().name() {
            "CalendarItem" => "ErrorCreateItemAccessDenied",
            _ => "ErrorAccessDenied",
        };
        Err(EwsError::new(code, "Access is denied. Check credentials and try again."))
    };
    let all: Vec<_> = m(request, list).into_iter().flat_map(elements).map(denied).collect();
    Some(messages(name, &all, empty))
}

fn dispatch_complete(desk: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    if let Some(refused) = refusal_for_reviewer(desk, request) {
        return Ok(refused);
    }
    match request.tag_name().name() {
        "FindItem" => find_item::answer(desk, request),
        "GetItem" => get_item::answer(desk, request),
        "UpdateItem" => update_item::answer(desk, request),
        "DeleteItem" => delete_item::answer(desk, request),
        "CreateItem" => create_item::answer(desk, request),
        "ConvertId" => convert_id::answer(desk, request),
        "MoveItem" => move_item::answer(desk, request),
        "GetFolder" => folders::get_folder(desk, request),
        "FindFolder" => folders::find_folder(desk, request),
        "ResolveNames" => directory::resolve_names(desk, request),
        "GetRoomLists" => Ok(directory::room_lists(desk)),
        "GetRooms" => directory::rooms(desk, request),
        "GetUserAvailabilityRequest" => availability::answer(desk, request),
        "Subscribe" => subscribe::subscribe(desk, request),
        "Unsubscribe" => subscribe::unsubscribe(desk, request),
        "GetEvents" => subscribe::get_events(desk, request),
        "SyncFolderItems" => sync_items::answer(desk, request),
        "GetUserConfiguration" => Ok(user_configuration(desk)),
        "GetServerTimeZones" => time_zones::answer(request),
        other => {
            Err(EwsError::new("ErrorInvalidRequest", format!("The operation {other} is not supported here.")))
        }
    }
}

/// Always fails: no mailbox has a configuration object.
fn user_configuration(desk: &RequestContext<'_>) -> String {
    let missing = || EwsError::new("ErrorItemNotFound", "The specified object was not found in the store.");
    let outcome = desk.mailbox().and_then(|_| Err(missing()));
    messages("GetUserConfiguration", &[outcome], "")
}
