//! In whose mailbox a request is carried out: that of the `ExchangeImpersonation` header, if the management scope lets the
//! account act there; else the one that the request itself names, if the account was given Full Access to it; else the account's own.

use roxmltree::Node;

use super::ids::{self, Named};
use super::soap_in::{ActFor, Call, Refusal, t, t_text};
use super::soap_out::escape;
use super::world::{Mailbox, Scope, World, key};

/// The mailbox, or none for requests that need none. The outer error is the whole request's, the inner one its items'. `own` is
/// the account's own mailbox.
pub(super) fn mailbox(
    world: &World,
    own: Option<u32>,
    call: &Call<'_, '_>,
) -> Result<Result<Option<u32>, Refusal>, Refusal> {
    match call.act_for.clone()? {
        Some(act_for) => impersonated(world, &act_for).map(|number| Ok(Some(number))),
        None => Ok(opened(world, own, call.operation)),
    }
}

fn impersonated(world: &World, act_for: &ActFor) -> Result<u32, Refusal> {
    let found = match act_for {
        ActFor::Address(address) => world.mailbox(address),
        ActFor::PrimaryAddress(address) => by_primary_address(world, address)?,
        ActFor::Sid(sid) => world.mailboxes().find(|mailbox| mailbox.sid() == *sid),
    };
    let mailbox = found.ok_or_else(|| {
        Refusal::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
    })?;
    match &world.scope {
        Scope::Only(allowed) if !allowed.contains(&key(&mailbox.address)) => Err(Refusal::new(
            "ErrorImpersonateUserDenied",
            "The account does not have permission to impersonate the requested user.",
        )),
        _ => Ok(mailbox.number),
    }
}

fn opened(world: &World, own: Option<u32>, operation: Node<'_, '_>) -> Result<Option<u32>, Refusal> {
    let Some(mailbox) = named(world, operation)? else { return Ok(own) };
    if own == Some(mailbox.number) || world.rights_in(mailbox.number).is_some() {
        return Ok(Some(mailbox.number));
    }
    Err(Refusal::new("ErrorAccessDenied", "Access is denied. Check credentials and try again."))
}

/// Where only primary addresses are taken, a proxy address is refused with the primary one in the answer.
fn by_primary_address<'w>(world: &'w World, address: &str) -> Result<Option<&'w Mailbox>, Refusal> {
    match world.mailbox(address) {
        Some(mailbox) if key(&mailbox.address) != key(address) => {
            let primary = escape(&mailbox.address);
            Err(Refusal::new("ErrorNonPrimarySmtpAddress", "The primary SMTP address must be specified.")
                .with_xml(format!(r#"<t:Value Name="Primary">{primary}</t:Value>"#)))
        }
        found => Ok(found),
    }
}

/// Whose folder or item the request is about. An id tells which mailbox it is of.
fn named<'w>(world: &'w World, operation: Node<'_, '_>) -> Result<Option<&'w Mailbox>, Refusal> {
    let mut folders =
        operation.descendants().filter(|node| node.tag_name().name() == "DistinguishedFolderId");
    if let Some(address) = folders.find_map(|folder| t_text(t(folder, "Mailbox")?, "EmailAddress")) {
        let found = by_primary_address(world, &address)?.ok_or_else(|| {
            Refusal::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
        });
        return found.map(Some);
    }
    let ids = operation.descendants().filter_map(|node| {
        ["Id", "OccurrenceId", "RecurringMasterId"]
            .iter()
            .find_map(|name| ids::read_id(node.attribute(*name)?))
    });
    let mut numbers = ids.map(|named| match named {
        Named::Item(at) => at.mailbox,
        Named::Folder { mailbox, .. } => mailbox,
    });
    Ok(numbers.next().and_then(|number| world.mailboxes.get(&number)))
}
