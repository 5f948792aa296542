//! Chooses the mailbox that a request acts on: the impersonated one, if the management scope covers it; else the mailbox
//! that the request names, if the account holds Full Access or a calendar permission there; else the account's own.
//! Reads no item.

use roxmltree::Node;

use super::ews_error::EwsError;
use super::ids::{self, DecodedId};
use super::mailbox::{Mailbox, key};
use super::soap_request::{ConnectingSid, SoapRequest, t, t_text};
use super::world::{ImpersonationScope, World};
use super::xml::escape;

/// The target mailbox; `None` for a request that needs none. The outer error fails the whole request, the inner one each
/// of its items. `own` is the account's own mailbox.
pub(super) fn target_mailbox(
    world: &World,
    own: Option<u32>,
    call: &SoapRequest<'_, '_>,
) -> Result<Result<Option<u32>, EwsError>, EwsError> {
    match call.impersonated.clone()? {
        Some(act_for) => impersonated(world, &act_for).map(|number| Ok(Some(number))),
        None => Ok(mailbox_for_delegate(world, own, call.operation)),
    }
}

fn impersonated(world: &World, act_for: &ConnectingSid) -> Result<u32, EwsError> {
    let found = match act_for {
        ConnectingSid::SmtpAddress(address) => world.mailbox(address),
        ConnectingSid::PrimarySmtpAddress(address) => by_primary_address(world, address)?,
        ConnectingSid::Sid(sid) => world.mailboxes().find(|mailbox| mailbox.sid() == *sid),
    };
    let mailbox = found.ok_or_else(|| {
        EwsError::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
    })?;
    match &world.scope {
        ImpersonationScope::Only(allowed) if !allowed.contains(&key(&mailbox.address)) => Err(EwsError::new(
            "ErrorImpersonateUserDenied",
            "The account does not have permission to impersonate the requested user.",
        )),
        _ => Ok(mailbox.number),
    }
}

fn mailbox_for_delegate(
    world: &World,
    own: Option<u32>,
    operation: Node<'_, '_>,
) -> Result<Option<u32>, EwsError> {
    let Some(mailbox) = mailbox_in_request(world, operation)? else { return Ok(own) };
    if own == Some(mailbox.number) || world.rights_in(mailbox.number).is_some() {
        return Ok(Some(mailbox.number));
    }
    Err(EwsError::new("ErrorAccessDenied", "Access is denied. Check credentials and try again."))
}

/// Where Exchange accepts primary addresses only, a proxy address is rejected, and the error carries the primary one.
fn by_primary_address<'w>(world: &'w World, address: &str) -> Result<Option<&'w Mailbox>, EwsError> {
    match world.mailbox(address) {
        Some(mailbox) if key(&mailbox.address) != key(address) => {
            let primary = escape(&mailbox.address);
            Err(EwsError::new("ErrorNonPrimarySmtpAddress", "The primary SMTP address must be specified.")
                .with_xml(format!(r#"<t:Value Name="Primary">{primary}</t:Value>"#)))
        }
        found => Ok(found),
    }
}

/// The mailbox of the first folder or item in the request. An item id contains its mailbox.
fn mailbox_in_request<'w>(
    world: &'w World,
    operation: Node<'_, '_>,
) -> Result<Option<&'w Mailbox>, EwsError> {
    let mut folders =
        operation.descendants().filter(|node| node.tag_name().name() == "DistinguishedFolderId");
    if let Some(address) = folders.find_map(|folder| t_text(t(folder, "Mailbox")?, "EmailAddress")) {
        let found = by_primary_address(world, &address)?.ok_or_else(|| {
            EwsError::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
        });
        return found.map(Some);
    }
    let ids = operation.descendants().filter_map(|node| {
        ["Id", "OccurrenceId", "RecurringMasterId"]
            .iter()
            .find_map(|name| ids::read_id(node.attribute(*name)?))
    });
    let mut numbers = ids.map(|named| match named {
        DecodedId::Item(at) => at.mailbox,
        DecodedId::Folder { mailbox, .. } => mailbox,
    });
    Ok(numbers.next().and_then(|number| world.mailboxes.get(&number)))
}
