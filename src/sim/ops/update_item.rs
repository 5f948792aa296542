//! `UpdateItem`: what one change may do to one item, in whose sight. A stale version is a conflict, as the request's
//! mode has it; only an organizer's change goes out by mail.

use roxmltree::Node;

use super::Desk;
use super::draft::Draft;
use super::fields::{append, clear, set};
use super::ids::{Wanted, not_found, view, wanted};
use super::path::{self, Path};
use super::shape;
use crate::sim::event::{Copy, Details};
use crate::sim::ids::ItemRef;
use crate::sim::outbox::MailKind;
use crate::sim::soap_in::{Refusal, choice, elements, need_m, need_t, t};
use crate::sim::soap_out::messages;
use crate::sim::world::Folder;

const MODES: [&str; 3] = ["NeverOverwrite", "AutoResolve", "AlwaysOverwrite"];
const SENDS: [&str; 5] =
    ["SendToNone", "SendOnlyToAll", "SendOnlyToChanged", "SendToAllAndSaveCopy", "SendToChangedAndSaveCopy"];

/// How the request wants its changes made.
#[derive(Clone, Copy)]
struct Manner<'a> {
    mode: &'a str,
    send: &'a str,
}

pub(super) fn answer(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let mode = choice(request, "ConflictResolution", &MODES)?
        .ok_or_else(|| Refusal::schema(request, "The required attribute 'ConflictResolution' is missing."))?;
    let send = choice(request, "SendMeetingInvitationsOrCancellations", &SENDS)?.ok_or_else(|| {
        Refusal::new(
            "ErrorSendMeetingInvitationsOrCancellationsRequired",
            "SendMeetingInvitationsOrCancellations attribute is required for calendar items.",
        )
    })?;
    let manner = Manner { mode, send };
    let changes = need_m(request, "ItemChanges")?;
    let outcomes: Vec<_> = elements(changes).map(|change| one(desk, manner, change)).collect();
    Ok(messages("UpdateItem", &outcomes, "<m:Items/>"))
}

fn one(desk: &mut Desk<'_>, manner: Manner<'_>, change: Node<'_, '_>) -> Result<String, Refusal> {
    let id = elements(change).next().ok_or_else(|| Refusal::schema(change, "ItemChange is empty."))?;
    let wanted = wanted(desk, id)?;
    let before = view(desk, wanted.at)?;
    if before.item.folder == Folder::Deleted && manner.send != "SendToNone" {
        return Err(Refusal::new("ErrorCalendarCannotUpdateDeletedItem", "The item is in Deleted Items."));
    }
    let event = before.event.clone();
    let mut draft = Draft::of(&before, desk.zone);
    let old = draft.details.clone();
    let (properties, conflicts) = apply(desk, manner, wanted, &mut draft, need_t(change, "Updates")?)?;
    draft.finish(Some(&event))?;
    let details = draft.details.clone();
    let properties: Vec<&str> = properties.iter().map(String::as_str).collect();
    let changed =
        desk.world.change_both(wanted.at, &properties, |now| *now = details, |event| draft.apply(event));
    changed.ok_or_else(not_found)?;
    tell(desk, wanted.at, manner.send, &old);
    let after = view(desk, wanted.at)?;
    Ok(format!(
        "<m:Items>{}</m:Items><m:ConflictResults><t:Count>{conflicts}</t:Count></m:ConflictResults>",
        shape::bare(&after)
    ))
}

/// Makes the changes to the draft; says which properties, and how many were in conflict and kept as they were.
fn apply(
    desk: &Desk<'_>,
    manner: Manner<'_>,
    wanted: Wanted,
    draft: &mut Draft,
    updates: Node<'_, '_>,
) -> Result<(Vec<String>, usize), Refusal> {
    let stale = stale(desk, manner.mode, wanted)?;
    let touched = view(desk, wanted.at)?.touched;
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

/// The version the caller knows, if it is not the current one and the mode lets that pass.
fn stale(desk: &Desk<'_>, mode: &str, wanted: Wanted) -> Result<Option<u64>, Refusal> {
    let current = view(desk, wanted.at)?.item.version;
    match wanted.version {
        None => Err(Refusal::new(
            "ErrorChangeKeyRequiredForWriteOperations",
            "An item change key is required for write operations.",
        )),
        Some(known) if known == current => Ok(None),
        Some(_) if mode == "NeverOverwrite" => Err(Refusal::new(
            "ErrorIrresolvableConflict",
            "The send or update operation could not be performed because the change key passed in the request does not \
             match the current change key for the item.",
        )),
        Some(known) => Ok(Some(known)),
    }
}

fn one_update(draft: &mut Draft, update: Node<'_, '_>) -> Result<String, Refusal> {
    let path = elements(update).next().ok_or_else(|| Refusal::schema(update, "The change is empty."))?;
    match update.tag_name().name() {
        "DeleteItemField" => clear(draft, path),
        "SetItemField" => set(draft, property(update, path)?),
        "AppendToItemField" => append(draft, property(update, path)?),
        other => Err(Refusal::schema(update, &format!("'{other}' is no change."))),
    }
}

/// The one property inside a change, which must be the one its path names.
fn property<'a, 'i>(update: Node<'a, 'i>, named: Node<'_, '_>) -> Result<Node<'a, 'i>, Refusal> {
    let item = t(update, "CalendarItem").ok_or_else(|| {
        Refusal::new("ErrorIncorrectUpdatePropertyCount", "The change holds no calendar item.")
    })?;
    let mut all = elements(item);
    let (Some(property), None) = (all.next(), all.next()) else {
        return Err(Refusal::new(
            "ErrorIncorrectUpdatePropertyCount",
            "An object within a change description must contain one and only one property to modify.",
        ));
    };
    let same = match (path::read(named)?, property.tag_name().name()) {
        (Path::Field(uri), name) => uri.rsplit(':').next() == Some(name),
        (Path::Extended(wanted, _), "ExtendedProperty") => match t(property, "ExtendedFieldURI") {
            Some(found) => path::extended(found)?.0 == wanted,
            None => false,
        },
        _ => false,
    };
    match same {
        true => Ok(property),
        false => Err(Refusal::new("ErrorUpdatePropertyMismatch", "The path and the property do not match.")),
    }
}

/// Mails an organizer's change. A plain event that has attendees now has become a meeting.
fn tell(desk: &mut Desk<'_>, at: ItemRef, send: &str, old: &Details) {
    if send == "SendToNone" {
        return;
    }
    let meets = |details: &Details| details.attendees().next().is_some();
    let Ok(now) = view(desk, at) else { return };
    let (copy, any) = (now.event.copy, meets(now.details) || meets(old));
    if copy == Copy::Attendee || !any {
        return;
    }
    let first = copy == Copy::Plain;
    desk.world.change_event(at, |event, _| event.copy = Copy::Organizer);
    desk.world.uninvite(at, old);
    desk.world.deliver(at, if first { MailKind::Request } else { MailKind::Update });
    if send.ends_with("SaveCopy") {
        desk.world.keep_sent(at.mailbox);
    }
}
