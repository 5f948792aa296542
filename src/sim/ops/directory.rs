//! The address book: `ResolveNames`, `GetRoomLists`, `GetRooms`. The same for everybody who asks.

use roxmltree::Node;

use super::Desk;
use super::shape::mailbox_element;
use crate::sim::event::Person;
use crate::sim::soap_in::{Refusal, need_m, t_text, text};
use crate::sim::soap_out::{element, escape, explanation, message, response};
use crate::sim::world::key;

/// Hits of one ResolveNames.
const HITS_MAX: usize = 100;

pub(super) fn resolve_names(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let entry = text(need_m(request, "UnresolvedEntry")?);
    let entry = entry.trim();
    if entry.is_empty() {
        return Err(Refusal::schema(request, "UnresolvedEntry is empty."));
    }
    let hits = hits(desk, entry);
    let shown: String = hits.iter().take(HITS_MAX).map(resolution).collect();
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

/// An address with `smtp:` names one; anything else is compared with the beginnings of names and addresses.
fn hits(desk: &Desk<'_>, entry: &str) -> Vec<Person> {
    let wanted = key(entry);
    match wanted.strip_prefix("smtp:") {
        Some(address) => desk.world.mailbox(address).map(|mailbox| mailbox.person()).into_iter().collect(),
        None => {
            let begins = |text: &str| key(text).starts_with(&wanted);
            let people = desk.world.mailboxes().map(|mailbox| mailbox.person());
            people.filter(|person| begins(&person.name) || begins(&person.address)).collect()
        }
    }
}

fn nobody() -> Refusal {
    Refusal::new("ErrorNameResolutionNoResults", "No results were found.")
}

fn several(set: &str) -> String {
    let refusal = Refusal::new("ErrorNameResolutionMultipleResults", "Multiple results were found.");
    format!(
        r#"<m:ResolveNamesResponseMessage ResponseClass="Warning">{}{set}</m:ResolveNamesResponseMessage>"#,
        explanation(&refusal)
    )
}

fn resolution(person: &Person) -> String {
    format!("<t:Resolution>{}</t:Resolution>", mailbox_element(person, "Mailbox"))
}

pub(super) fn room_lists(desk: &Desk<'_>) -> String {
    let lists: String =
        desk.world.room_lists.iter().map(|list| address(&list.name, &list.address, "PublicDL")).collect();
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

pub(super) fn rooms(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let wanted = t_text(need_m(request, "RoomList")?, "EmailAddress").unwrap_or_default();
    let list = desk.world.room_lists.iter().find(|list| key(&list.address) == key(&wanted));
    let Some(list) = list else {
        let attributes = r#" ResponseClass="Error""#;
        return Ok(response("GetRooms", attributes, &explanation(&nobody())));
    };
    let rooms: String = list.rooms.iter().map(|room| one_room(&desk.world.person(room))).collect();
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
