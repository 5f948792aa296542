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
mod folder_context;
mod folder_row;
mod folders;
mod get_item;
mod html;
mod ids;
mod item_xml;
mod message_shape;
mod move_item;
mod occurrences;
mod paging;
mod people_xml;
mod private;
mod properties;
mod property_context;
mod property_path;
mod property_value;
mod recurrence;
mod request_context;
mod respond;
mod restriction;
mod search_values;
mod shape;
mod sort;
mod subscribe;
mod sync_items;
mod time_zones;
mod update_item;

use roxmltree::Node;

pub(crate) use self::draft::{EventDraft, RecurrenceChange};
pub(crate) use self::request_context::{OperationResponse, RequestContext, RequestOrigin};

use super::ews_error::EwsError;
use super::faults::InjectedFault;
use super::rights::DelegateRights;
use super::soap_request::{elements, m};
use super::soap_response::messages;

/// Executes a request. `fault` is a fault to inject into a stream.
pub(crate) fn dispatch(
    context: &mut RequestContext<'_>,
    request: Node<'_, '_>,
    fault: Option<&InjectedFault>,
) -> Result<OperationResponse, EwsError> {
    match request.tag_name().name() {
        "GetStreamingEvents" => subscribe::get_streaming_events(context, request, fault.cloned()),
        _ => dispatch_complete(context, request).map(OperationResponse::Complete),
    }
}

/// The error response to a write by a delegate who may only read.
fn refusal_for_reviewer(context: &RequestContext<'_>, request: Node<'_, '_>) -> Option<String> {
    if context.rights.is_none_or(DelegateRights::may_write) {
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

fn dispatch_complete(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    if let Some(refused) = refusal_for_reviewer(context, request) {
        return Ok(refused);
    }
    match request.tag_name().name() {
        "FindItem" => find_item::answer(context, request),
        "GetItem" => get_item::answer(context, request),
        "UpdateItem" => update_item::answer(context, request),
        "DeleteItem" => delete_item::answer(context, request),
        "CreateItem" => create_item::answer(context, request),
        "ConvertId" => convert_id::answer(context, request),
        "MoveItem" => move_item::answer(context, request),
        "GetFolder" => folders::get_folder(context, request),
        "FindFolder" => folders::find_folder(context, request),
        "ResolveNames" => directory::resolve_names(context, request),
        "GetRoomLists" => Ok(directory::room_lists(context)),
        "GetRooms" => directory::rooms(context, request),
        "GetUserAvailabilityRequest" => availability::answer(context, request),
        "Subscribe" => subscribe::subscribe(context, request),
        "Unsubscribe" => subscribe::unsubscribe(context, request),
        "GetEvents" => subscribe::get_events(context, request),
        "SyncFolderItems" => sync_items::answer(context, request),
        "GetUserConfiguration" => Ok(user_configuration(context)),
        "GetServerTimeZones" => time_zones::answer(request),
        other => {
            Err(EwsError::new("ErrorInvalidRequest", format!("The operation {other} is not supported here.")))
        }
    }
}

/// Always fails: no mailbox has a configuration object.
fn user_configuration(context: &RequestContext<'_>) -> String {
    let missing = || EwsError::new("ErrorItemNotFound", "The specified object was not found in the store.");
    let outcome = context.mailbox().and_then(|_| Err(missing()));
    messages("GetUserConfiguration", &[outcome], "")
}
