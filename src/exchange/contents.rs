//! The content that a successful response must have, operation by operation. Pure.
//!
//! A success without its content does not count: a missing element must not free a room or complete a write. A read
//! fails then, and a write is in doubt.

use super::classify::RetryDecision;
use super::response_messages::{require_success, single_message, unexpected_response};
use crate::calendar::EventId;
use crate::ews::op::{Effect, Folder, ResolutionSet, RootFolder, SyncFolderItemsPayload, UpdateItemPayload};
use crate::ews::types::{CalendarItem, CalendarItemType, Item, ResponseClass, ResponseMessage};

type MessagesOf<'m, 'a, T> = &'m [ResponseMessage<'a, T>];

/// The content of a successful response.
pub(super) fn content<'m, T>(
    effect: Effect,
    content: &'m Option<T>,
    name: &str,
) -> Result<&'m T, RetryDecision> {
    content.as_ref().ok_or_else(|| unexpected_response(effect, format!("a success without {name}")))
}

fn root_folder<'m, 'a>(
    messages: MessagesOf<'m, 'a, Option<RootFolder<'a>>>,
) -> Result<(&'m RootFolder<'a>, &'m [Item<'a>]), RetryDecision> {
    let folder = content(Effect::Read, &single_message(Effect::Read, messages)?.payload, "RootFolder")?;
    let items = content(Effect::Read, &folder.items, "Items")?;
    if items.is_empty() && folder.includes_last_item_in_range == Some(false) {
        return Err(unexpected_response(
            Effect::Read,
            "the server announced more items and sent none".to_owned(),
        ));
    }
    Ok((folder, items))
}

/// All items of a CalendarView; `None` if the server has more than it sent.
pub(super) fn view<'m, 'a>(
    messages: MessagesOf<'m, 'a, Option<RootFolder<'a>>>,
) -> Result<Option<&'m [Item<'a>]>, RetryDecision> {
    let (folder, items) = root_folder(messages)?;
    if folder.includes_last_item_in_range == Some(false) {
        return Ok(None);
    }
    match folder.total_items_in_view {
        Some(total) if as_count(total) > items.len() => Err(unexpected_response(
            Effect::Read,
            format!("the server announced {total} items and sent {}", items.len()),
        )),
        _ => Ok(Some(items)),
    }
}

/// One page of a folder from `offset` on, and whether another follows.
pub(super) fn page<'m, 'a>(
    messages: MessagesOf<'m, 'a, Option<RootFolder<'a>>>,
    offset: u32,
    max: u32,
) -> Result<(&'m [Item<'a>], bool), RetryDecision> {
    let (folder, items) = root_folder(messages)?;
    if items.len() > as_count(max) {
        return Err(unexpected_response(Effect::Read, format!("{} items, more than requested", items.len())));
    }
    let end = as_count(offset).saturating_add(items.len());
    let announces_more = folder.total_items_in_view.is_some_and(|total| as_count(total) > end);
    match folder.includes_last_item_in_range {
        Some(true) if announces_more => Err(unexpected_response(
            Effect::Read,
            "the server announced more items than it sent, and marked the page as the last".to_owned(),
        )),
        None if announces_more && items.is_empty() => {
            Err(unexpected_response(Effect::Read, "the server announced items and sent none".to_owned()))
        }
        includes_last => Ok((items, includes_last.map_or(announces_more, |includes| !includes))),
    }
}

/// The calendar item of this id. A date of a series that was changed meanwhile may be returned under another id.
pub(super) fn item<'m, 'a>(
    messages: MessagesOf<'m, 'a, Option<Vec<Item<'a>>>>,
    id: &str,
) -> Result<&'m CalendarItem<'a>, RetryDecision> {
    let item = calendar_item(messages)?;
    let requested = EventId::new(id);
    let is_another = item.item_id.as_ref().is_some_and(|got| !EventId::new(&*got.id).is_same(&requested));
    if is_another && item.calendar_item_type != Some(CalendarItemType::Exception) {
        return Err(unexpected_response(Effect::Read, ANOTHER_ITEM.to_owned()));
    }
    Ok(item)
}

/// Reported when the server returns another item than the requested one.
pub(super) const ANOTHER_ITEM: &str = "another item than the requested one";

/// The one calendar item.
pub(super) fn calendar_item<'m, 'a>(
    messages: MessagesOf<'m, 'a, Option<Vec<Item<'a>>>>,
) -> Result<&'m CalendarItem<'a>, RetryDecision> {
    let items = content(Effect::Read, &single_message(Effect::Read, messages)?.payload, "Items")?;
    match exactly_one(Effect::Read, items)? {
        Item::Calendar(item) => Ok(item),
        Item::Other(_) => {
            Err(unexpected_response(Effect::Read, "an item that is not a calendar item".to_owned()))
        }
    }
}

/// The id of the one item that was updated, without a conflict.
pub(super) fn updated<'a>(
    messages: MessagesOf<'_, 'a, UpdateItemPayload<'a>>,
) -> Result<EventId, RetryDecision> {
    let updated = &single_message(Effect::Write, messages)?.payload;
    if let Some(conflicts @ 1..) = updated.conflict_count {
        return Err(unexpected_response(Effect::Write, format!("a success with {conflicts} conflicts")));
    }
    let items = content(Effect::Write, &updated.items, "Items")?;
    id_of_calendar_item(items).map(EventId::new)
}

/// Checks that the response shows the new id of the created or moved item.
pub(super) fn created_or_moved<'a>(
    messages: MessagesOf<'_, 'a, Option<Vec<Item<'a>>>>,
) -> Result<(), RetryDecision> {
    let items = content(Effect::Write, &single_message(Effect::Write, messages)?.payload, "Items")?;
    id_of_calendar_item(items).map(drop)
}

/// Checks the response to a sent decline or cancellation: the list is present, and mostly empty.
pub(super) fn responded<'a>(
    messages: MessagesOf<'_, 'a, Option<Vec<Item<'a>>>>,
) -> Result<(), RetryDecision> {
    content(Effect::Write, &single_message(Effect::Write, messages)?.payload, "Items").map(drop)
}

/// The one folder.
pub(super) fn folder<'m, 'a>(
    messages: MessagesOf<'m, 'a, Option<Vec<Folder<'a>>>>,
) -> Result<&'m Folder<'a>, RetryDecision> {
    let folders = content(Effect::Read, &single_message(Effect::Read, messages)?.payload, "Folders")?;
    exactly_one(Effect::Read, folders)
}

/// The directory entries that match a name; `None` if there are none. Several matches are reported as a warning.
pub(super) fn resolved<'m, 'a>(
    messages: MessagesOf<'m, 'a, Option<ResolutionSet<'a>>>,
) -> Result<Option<&'m ResolutionSet<'a>>, RetryDecision> {
    let message = exactly_one(Effect::Read, messages)?;
    let found = match (message.class, &*message.code.0) {
        (ResponseClass::Error, NO_RESULTS) if message.payload.as_ref().is_none_or(is_empty) => {
            return Ok(None);
        }
        (_, NO_RESULTS) => {
            return Err(unexpected_response(Effect::Read, "no results, with a Resolution".to_owned()));
        }
        (ResponseClass::Error | ResponseClass::Warning, SEVERAL_RESULTS) => message,
        _ => require_success(Effect::Read, message)?,
    };
    let set = content(Effect::Read, &found.payload, "ResolutionSet")?;
    match set.resolutions.is_empty() {
        true => Err(unexpected_response(Effect::Read, "a success without a Resolution".to_owned())),
        false => Ok(Some(set)),
    }
}

/// The other codes of a failed resolution prove less: `ErrorNameResolutionNoMailbox` means an entry without a mailbox.
const NO_RESULTS: &str = "ErrorNameResolutionNoResults";
const SEVERAL_RESULTS: &str = "ErrorNameResolutionMultipleResults";

/// One page of changes: the state after it, whether it holds changes, and whether another page follows.
pub(super) fn changes<'m, 'a>(
    messages: MessagesOf<'m, 'a, SyncFolderItemsPayload<'a>>,
) -> Result<(&'m str, bool, bool), RetryDecision> {
    let page = &single_message(Effect::Read, messages)?.payload;
    let state = content(Effect::Read, &page.sync_state, "SyncState")?;
    if state.is_empty() {
        return Err(unexpected_response(Effect::Read, "an empty SyncState".to_owned()));
    }
    let changes = content(Effect::Read, &page.changes, "Changes")?;
    Ok((state, !changes.is_empty(), page.includes_last_item_in_range == Some(false)))
}

fn exactly_one<T>(effect: Effect, all: &[T]) -> Result<&T, RetryDecision> {
    match all {
        [one] => Ok(one),
        _ => Err(unexpected_response(effect, format!("a success with {} entries instead of one", all.len()))),
    }
}

/// The id of the one returned item, which must be a calendar item.
fn id_of_calendar_item<'m>(items: &'m [Item<'_>]) -> Result<&'m str, RetryDecision> {
    let Item::Calendar(item) = exactly_one(Effect::Write, items)? else {
        return Err(unexpected_response(Effect::Write, "an item that is not a calendar item".to_owned()));
    };
    let id = content(Effect::Write, &item.item_id, "ItemId")?;
    if id.id.is_empty() {
        Err(unexpected_response(Effect::Write, "an empty ItemId".to_owned()))
    } else {
        Ok(&id.id)
    }
}

fn is_empty(found: &ResolutionSet<'_>) -> bool {
    found.resolutions.is_empty() && found.total_items_in_view.is_none_or(|total| total == 0)
}

fn as_count(total: u32) -> usize {
    usize::try_from(total).unwrap_or(usize::MAX)
}
