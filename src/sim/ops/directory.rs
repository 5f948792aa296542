//! The address book: `ResolveNames`, `GetRoomLists`, `GetRooms`. Mailboxes that are hidden, or outside the caller's
//! address book policy, do not resolve. Changes nothing.

use roxmltree::Node;

use super::people_xml::mailbox_element;
use super::request_context::RequestContext;
use crate::sim::details::Person;
use crate::sim::ews_error::EwsError;
use crate::sim::mailbox::{Mailbox, key};
use crate::sim::soap_request::{boolean, require_m, t_text, text};
use crate::sim::soap_response::{element, error_elements, message, response};
use crate::sim::xml::escape;

/// Limit of results of one `ResolveNames`.
const HITS_MAX: usize = 100;
/// Number of e-mail addresses in a contact.
const ADDRESSES_MAX: usize = 3;

pub(super) fn resolve_names(context: &RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let entry = text(require_m(request, "UnresolvedEntry")?);
    let entry = entry.trim();
    if entry.is_empty() {
        return Err(EwsError::schema_violation(request, "UnresolvedEntry is empty."));
    }
    let full = request.attribute("ReturnFullContactData").and_then(boolean).unwrap_or(false);
    let hits = context.world.resolve(context.acting, entry);
    let shown: String = hits.iter().take(HITS_MAX).map(|hit| resolution(hit, full)).collect();
    let set = format!(
        r#"<m:ResolutionSet TotalItemsInView="{}" IncludesLastItemInRange="{}">{shown}</m:ResolutionSet>"#,
        hits.len(),
        hits.len() <= HITS_MAX
    );
    let outcome = match hits.len() {
        0 => message("ResolveNames", &Err(nobody()), ""),
        1 => message("ResolveNames", &Ok(set), ""),
        _ => several(&set),
    };
    Ok(response("ResolveNames", "", &format!("<m:ResponseMessages>{outcome}</m:ResponseMessages>")))
}

fn nobody() -> EwsError {
    EwsError::new("ErrorNameResolutionNoResults", "No results were found.")
}

fn several(set: &str) -> String {
    let refusal = EwsError::new("ErrorNameResolutionMultipleResults", "Multiple results were found.");
    format!(
        r#"<m:ResolveNamesResponseMessage ResponseClass="Warning">{}{set}</m:ResolveNamesResponseMessage>"#,
        error_elements(&refusal)
    )
}

fn resolution(mailbox: &Mailbox, full: bool) -> String {
    let contact = if full { contact(mailbox) } else { String::new() };
    format!("<t:Resolution>{}{contact}</t:Resolution>", mailbox_element(&mailbox.person(), "Mailbox"))
}

/// The contact data of a mailbox: `smtp:` before proxy addresses, `SMTP:` before the primary one.
fn contact(mailbox: &Mailbox) -> String {
    let proxies = mailbox.entry.proxies.iter().map(|proxy| format!("smtp:{proxy}"));
    let addresses = proxies.chain([format!("SMTP:{}", mailbox.address)]).enumerate();
    let entries: String = addresses
        .take(ADDRESSES_MAX)
        .map(|(at, address)| {
            format!(r#"<t:Entry Key="EmailAddress{}">{}</t:Entry>"#, at + 1, escape(&address))
        })
        .collect();
    format!(
        "<t:Contact>{}<t:EmailAddresses>{entries}</t:EmailAddresses><t:ContactSource>ActiveDirectory</t:ContactSource></t:Contact>",
        element("DisplayName", &mailbox.name)
    )
}

pub(super) fn room_lists(context: &RequestContext<'_>) -> String {
    let lists: String =
        context.world.room_lists.iter().map(|list| address(&list.name, &list.address, "PublicDL")).collect();
    response(
        "GetRoomLists",
        r#" ResponseClass="Success""#,
        &format!("<m:ResponseCode>NoError</m:ResponseCode><m:RoomLists>{lists}</m:RoomLists>"),
    )
}

fn address(name: &str, address: &str, kind: &str) -> String {
    format!(
        "<t:Address>{}{}{}{}</t:Address>",
        element("Name", name),
        element("EmailAddress", address),
        element("RoutingType", "SMTP"),
        element("MailboxType", kind)
    )
}

pub(super) fn rooms(context: &RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let wanted = t_text(require_m(request, "RoomList")?, "EmailAddress").unwrap_or_default();
    let list = context.world.room_lists.iter().find(|list| key(&list.address) == key(&wanted));
    let Some(list) = list else {
        let attributes = r#" ResponseClass="Error""#;
        return Ok(response("GetRooms", attributes, &error_elements(&nobody())));
    };
    let is_listed =
        |room: &&String| !context.world.mailbox(room).is_some_and(|mailbox| mailbox.entry.is_hidden);
    let rooms: String =
        list.rooms.iter().filter(is_listed).map(|room| one_room(&context.world.person(room))).collect();
    Ok(response(
        "GetRooms",
        r#" ResponseClass="Success""#,
        &format!("<m:ResponseCode>NoError</m:ResponseCode><m:Rooms>{rooms}</m:Rooms>"),
    ))
}

fn one_room(room: &Person) -> String {
    format!(
        "<t:Room><t:Id><t:Name>{}</t:Name><t:EmailAddress>{}</t:EmailAddress><t:RoutingType>SMTP</t:RoutingType>\
         <t:MailboxType>Mailbox</t:MailboxType></t:Id></t:Room>",
        escape(&room.name),
        escape(&room.address)
    )
}
