//! `UpdateItem`: changes properties of items. A stale change key is a conflict, resolved by the request's mode; only an
//! organizer's change sends mail.

use roxmltree::Node;

use super::draft::EventDraft;
use super::fields::{append, clear, set};
use super::ids::{RequestedItem, not_found, view, wanted};
use super::property_path::{self, PropertyPath};
use super::request_context::RequestContext;
use super::shape;
use crate::sim::ews_error::EwsError;
use crate::sim::folder::MailboxFolder;
use crate::sim::soap_request::{elements, enum_attribute, require_m, require_t, t};
use crate::sim::soap_response::messages;

const MODES: [&str; 3] = ["NeverOverwrite", "AutoResolve", "AlwaysOverwrite"];
const SENDS: [&str; 5] =
    ["SendToNone", "SendOnlyToAll", "SendOnlyToChanged", "SendToAllAndSaveCopy", "SendToChangedAndSaveCopy"];

/// Conflict resolution and sending mode of a request.
#[derive(Clone, Copy)]
struct UpdateOptions<'a> {
    mode: &'a str,
    send: &'a str,
}

pub(super) fn answer(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let mode = enum_attribute(request, "ConflictResolution", &MODES)?.ok_or_else(|| {
        EwsError::schema_violation(request, "The required attribute 'ConflictResolution' is missing.")
    })?;
    let send =
        enum_attribute(request, "SendMeetingInvitationsOrCancellations", &SENDS)?.ok_or_else(|| {
            EwsError::new(
                "ErrorSendMeetingInvitationsOrCancellationsRequired",
                "SendMeetingInvitationsOrCancellations attribute is required for calendar items.",
            )
        })?;
    let manner = UpdateOptions { mode, send };
    let changes = require_m(request, "ItemChanges")?;
    let outcomes: Vec<_> = elements(changes).map(|change| one(context, manner, change)).collect();
    Ok(messages("UpdateItem", &outcomes, "<m:Items/>"))
}

fn one(
    context: &mut RequestContext<'_>,
    manner: UpdateOptions<'_>,
    change: Node<'_, '_>,
) -> Result<String, EwsError> {
    let id =
        elements(change).next().ok_or_else(|| EwsError::schema_violation(change, "ItemChange is empty."))?;
    let wanted = wanted(context, id)?;
    let before = view(context, wanted.at)?;
    if before.item.folder == MailboxFolder::Deleted && manner.send != "SendToNone" {
        return Err(EwsError::new("ErrorCalendarCannotUpdateDeletedItem", "The item is in Deleted Items."));
    }
    let event = before.event.clone();
    let mut draft = EventDraft::of(&before, context.zone);
    let old = draft.details.clone();
    let (properties, conflicts) = apply(context, manner, wanted, &mut draft, require_t(change, "Updates")?)?;
    draft.finish(Some(&event))?;
    let details = draft.details.clone();
    let properties: Vec<&str> = properties.iter().map(String::as_str).collect();
    let changed =
        context.world.change_both(wanted.at, &properties, |now| *now = details, |event| draft.apply(event));
    changed.ok_or_else(not_found)?;
    if manner.send != "SendToNone"
        && context.world.send_update(wanted.at, &old)
        && manner.send.ends_with("SaveCopy")
    {
        context.world.save_to_sent_items(wanted.at.mailbox);
    }
    let after = view(context, wanted.at)?;
    Ok(format!(
        "<m:Items>{}</m:Items><m:ConflictResults><t:Count>{conflicts}</t:Count></m:ConflictResults>",
        shape::bare(&after)
    ))
}

/// Applies the changes to the draft. Returns the changed properties, and the number of conflicting ones that were
/// skipped.
fn apply(
    context: &RequestContext<'_>,
    manner: UpdateOptions<'_>,
    wanted: RequestedItem,
    draft: &mut EventDraft,
    updates: Node<'_, '_>,
) -> Result<(Vec<String>, usize), EwsError> {
    let stale = stale(context, manner.mode, wanted)?;
    let touched = view(context, wanted.at)?.touched;
    let (mut properties, mut conflicts) = (Vec::new(), 0);
    for update in elements(updates) {
        let mut changed = draft.clone();
        let property = one_update(&mut changed, update)?;
        let since = touched.get(&property).copied().unwrap_or(0);
        if manner.mode == "AutoResolve" && stale.is_some_and(|known| since > known) {
            conflicts += 1;
            continue;
        }
        *draft = changed;
        properties.push(property);
    }
    Ok((properties, conflicts))
}

/// The caller's version, if it is stale and the mode permits that.
fn stale(context: &RequestContext<'_>, mode: &str, wanted: RequestedItem) -> Result<Option<u64>, EwsError> {
    let current = view(context, wanted.at)?.item.version;
    match wanted.version {
        None => Err(EwsError::new(
            "ErrorChangeKeyRequiredForWriteOperations",
            "An item change key is required for write operations.",
        )),
        Some(known) if known == current => Ok(None),
        Some(_) if mode == "NeverOverwrite" => Err(EwsError::new(
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does not \
             match the current change key for the item.",
        )),
        Some(known) => Ok(Some(known)),
    }
}

fn one_update(draft: &mut EventDraft, update: Node<'_, '_>) -> Result<String, EwsError> {
    let path =
        elements(update).next().ok_or_else(|| EwsError::schema_violation(update, "The change is empty."))?;
    match update.tag_name().name() {
        "DeleteItemField" => clear(draft, path),
        "SetItemField" => set(draft, property(update, path)?),
        "AppendToItemField" => append(draft, property(update, path)?),
        other => Err(EwsError::schema_violation(
            update,
            &format!("The element 'Updates' has invalid child element '{other}'."),
        )),
    }
}

/// The property in a change, which must match its path.
fn property<'a, 'i>(update: Node<'a, 'i>, named: Node<'_, '_>) -> Result<Node<'a, 'i>, EwsError> {
    let item = t(update, "CalendarItem").ok_or_else(|| {
        EwsError::new("ErrorIncorrectUpdatePropertyCount", "The change contains no calendar item.")
    })?;
    let mut all = elements(item);
    let (Some(property), None) = (all.next(), all.next()) else {
        return Err(EwsError::new(
            "ErrorIncorrectUpdatePropertyCount",
            "An object within a change description must contain one and only one property to modify.",
        ));
    };
    let same = match (property_path::read(named)?, property.tag_name().name()) {
        (PropertyPath::Field(uri), name) => uri.rsplit(':').next() == Some(name),
        (PropertyPath::Extended(wanted, _), "ExtendedProperty") => match t(property, "ExtendedFieldURI") {
            Some(found) => property_path::extended(found)?.0 == wanted,
            None => false,
        },
        _ => false,
    };
    match same {
        true => Ok(property),
        false => Err(EwsError::new("ErrorUpdatePropertyMismatch", "The path and the property do not match.")),
    }
}
