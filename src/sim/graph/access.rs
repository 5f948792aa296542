//! Which mailbox a request opens, and whether it may: the application's permissions, the management scope, access
//! policies and mailboxes on premises.

use std::collections::BTreeSet;

use http::StatusCode;

use super::context::GraphContext;
use super::error::GraphError;
use super::options::{GraphOptions, GraphPermission};
use crate::sim::ids;
use crate::sim::mailbox::{Mailbox, key};
use crate::sim::world::{ImpersonationScope, World};

/// The mailbox with this address or object id.
pub(super) fn mailbox_of<'w>(world: &'w World, user: &str) -> Option<&'w Mailbox> {
    world.mailbox(user).or_else(|| world.mailboxes().find(|mailbox| ids::guid(mailbox.number) == key(user)))
}

/// Opens a mailbox, or returns the error of a refusal.
pub(super) fn open(context: &GraphContext<'_>, user: &str) -> Result<u32, GraphError> {
    let mailbox = mailbox_of(context.world, user).ok_or_else(|| {
        GraphError::of_code("ErrorInvalidUser", format!("The requested user '{user}' is invalid."))
    })?;
    let address = key(&mailbox.address);
    let contains = |addresses: &BTreeSet<String>| addresses.iter().any(|one| key(one) == address);
    if contains(&context.options.on_premises) {
        let text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise.";
        return Err(GraphError::of_code("MailboxNotEnabledForRESTAPI", text));
    }
    if contains(&context.options.blocked_by_policy) {
        let text = "Access to OData is disabled: [RAOP] : Blocked by tenant configured AppOnly AccessPolicy \
                    settings.";
        return Err(GraphError::new(StatusCode::FORBIDDEN, "ErrorAccessDenied", text));
    }
    match &context.world.scope {
        ImpersonationScope::Only(allowed) if !allowed.contains(&address) => Err(GraphError::access_denied()),
        _ => Ok(mailbox.number),
    }
}

/// Requires one of these permissions in mailboxes.
pub(super) fn require(options: &GraphOptions, any: &[GraphPermission]) -> Result<(), GraphError> {
    match is_permitted(options, any) {
        true => Ok(()),
        false => Err(GraphError::access_denied()),
    }
}

/// Requires one of these permissions in the directory.
pub(super) fn require_directory(options: &GraphOptions, any: &[GraphPermission]) -> Result<(), GraphError> {
    match is_permitted(options, any) {
        true => Ok(()),
        false => Err(GraphError::new(
            StatusCode::FORBIDDEN,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )),
    }
}

fn is_permitted(options: &GraphOptions, any: &[GraphPermission]) -> bool {
    any.iter().any(|permission| options.permissions.contains(permission))
}
