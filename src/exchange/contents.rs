//! What a success must carry, operation by operation. Pure.
//!
//! A success without its content is none: no room is free, and no write is done, because an element is missing. After a read
//! that is an error, after a write a doubt.

use super::classify::Verdict;
use super::messages::{only, strange, successful};
use crate::calendar::EventId;
use crate::ews::op::{Effect, Folder, ResolutionSet, RootFolder, SyncFolderItemsPayload, UpdateItemPayload};
use crate::ews::types::{CalendarItem, CalendarItemType, Item, ResponseClass, ResponseMessage};

type Messages<'m, 'a, T> = &'m [ResponseMessage<'a, T>];

/// The content, which a success has.
pub(super) fn content<'m, T>(effect: Effect, content: &'m Option<T>, name: &str) -> Result<&'m T, Verdict> {
    content.as_ref().ok_or_else(|| strange(effect, format!("a success without {name}")))
}

fn root_folder<'m, 'a>(
    messages: Messages<'m, 'a, Option<RootFolder<'a>>>,
) -> Result<(&'m RootFolder<'a>, &'m [Item<'a>]), Verdict> {
    let folder = content(Effect::Read, &only(Effect::Read, messages)?.payload, "RootFolder")?;
    let items = content(Effect::Read, &folder.items, "Items")?;
    if items.is_empty() && folder.includes_last_item_in_range == Some(false) {
        return Err(strange(Effect::Read, "more items announced, and none sent".to_owned()));
    }
    Ok((folder, items))
}

/// Everything in a CalendarView; `None` when there is more in it than the server sent.
pub(super) fn view<'m, 'a>(
    messages: Messages<'m, 'a, Option<RootFolder<'a>>>,
) -> Result<Option<&'m [Item<'a>]>, Verdict> {
    let (folder, items) = root_folder(messages)?;
    if folder.includes_last_item_in_range == Some(false) {
        return Ok(None);
    }
    match folder.total_items_in_view {
        Some(total) if as_count(total) > items.len() => {
            Err(strange(Effect::Read, format!("{total} items announced, {} sent", items.len())))
        }
        _ => Ok(Some(items)),
    }
}

/// One page of a folder from `offset` on, and whether another follows.
pub(super) fn page<'m, 'a>(
    messages: Messages<'m, 'a, Option<RootFolder<'a>>>,
    offset: u32,
    max: u32,
) -> Result<(&'m [Item<'a>], bool), Verdict> {
    let (folder, items) = root_folder(messages)?;
    if items.len() > as_count(max) {
        return Err(strange(Effect::Read, format!("{} items, more than asked for", items.len())));
    }
    let end = as_count(offset).saturating_add(items.len());
    let announces_more = folder.total_items_in_view.is_some_and(|total| as_count(total) > end);
    match folder.includes_last_item_in_range {
        Some(true) if announces_more => {
            Err(strange(Effect::Read, "more items announced than sent, and the last one sent".to_owned()))
        }
        None if announces_more && items.is_empty() => {
            Err(strange(Effect::Read, "items announced, and none sent".to_owned()))
        }
        includes_last => Ok((items, includes_last.map_or(announces_more, |includes| !includes))),
    }
}

/// The calendar item of this id. A date of a series that was changed since may answer to its id with another one.
pub(super) fn item<'m, 'a>(
    messages: Messages<'m, 'a, Option<Vec<Item<'a>>>>,
    id: &str,
) -> Result<&'m CalendarItem<'a>, Verdict> {
    let item = calendar_item(messages)?;
    let asked = EventId::new(id);
    let is_another = item.item_id.as_ref().is_some_and(|got| !EventId::new(&*got.id).is_same(&asked));
    if is_another && item.calendar_item_type != Some(CalendarItemType::Exception) {
        return Err(strange(Effect::Read, ANOTHER_ITEM.to_owned()));
    }
    Ok(item)
}

/// What it is called when the server returns an item that nobody asked for.
pub(super) const ANOTHER_ITEM: &str = "another item than the one asked for";

/// The one calendar item.
pub(super) fn calendar_item<'m, 'a>(
    messages: Messages<'m, 'a, Option<Vec<Item<'a>>>>,
) -> Result<&'m CalendarItem<'a>, Verdict> {
    let items = content(Effect::Read, &only(Effect::Read, messages)?.payload, "Items")?;
    match one(Effect::Read, items)? {
        Item::Calendar(item) => Ok(item),
        Item::Other(_) => Err(strange(Effect::Read, "an item that is no calendar item".to_owned())),
    }
}

/// The id of the one item that was updated, without a conflict.
pub(super) fn updated<'a>(messages: Messages<'_, 'a, UpdateItemPayload<'a>>) -> Result<EventId, Verdict> {
    let updated = &only(Effect::Write, messages)?.payload;
    if let Some(conflicts @ 1..) = updated.conflict_count {
        return Err(strange(Effect::Write, format!("a success with {conflicts} conflicts")));
    }
    let items = content(Effect::Write, &updated.items, "Items")?;
    id_of_calendar_item(items).map(EventId::new)
}

/// The item that was made or moved, under its new id.
pub(super) fn placed<'a>(messages: Messages<'_, 'a, Option<Vec<Item<'a>>>>) -> Result<(), Verdict> {
    let items = content(Effect::Write, &only(Effect::Write, messages)?.payload, "Items")?;
    id_of_calendar_item(items).map(drop)
}

/// A response that was sent: the list is there, and mostly empty.
pub(super) fn responded<'a>(messages: Messages<'_, 'a, Option<Vec<Item<'a>>>>) -> Result<(), Verdict> {
    content(Effect::Write, &only(Effect::Write, messages)?.payload, "Items").map(drop)
}

/// The one folder.
pub(super) fn folder<'m, 'a>(
    messages: Messages<'m, 'a, Option<Vec<Folder<'a>>>>,
) -> Result<&'m Folder<'a>, Verdict> {
    let folders = content(Effect::Read, &only(Effect::Read, messages)?.payload, "Folders")?;
    one(Effect::Read, folders)
}

/// The hits of a name in the directory; `None` where it has none. Several are a warning, and hits.
pub(super) fn resolved<'m, 'a>(
    messages: Messages<'m, 'a, Option<ResolutionSet<'a>>>,
) -> Result<Option<&'m ResolutionSet<'a>>, Verdict> {
    let message = one(Effect::Read, messages)?;
    let found = match (message.class, &*message.code.0) {
        (ResponseClass::Error, NO_RESULTS) if message.payload.as_ref().is_none_or(is_empty) => {
            return Ok(None);
        }
        (_, NO_RESULTS) => return Err(strange(Effect::Read, "no results, with a Resolution".to_owned())),
        (ResponseClass::Error | ResponseClass::Warning, SEVERAL_RESULTS) => message,
        _ => successful(Effect::Read, message)?,
    };
    let set = content(Effect::Read, &found.payload, "ResolutionSet")?;
    match set.resolutions.is_empty() {
        true => Err(strange(Effect::Read, "a success without a Resolution".to_owned())),
        false => Ok(Some(set)),
    }
}

/// The other codes of a failed resolution prove less than this: with `ErrorNameResolutionNoMailbox` there is an entry, without
/// a mailbox.
const NO_RESULTS: &str = "ErrorNameResolutionNoResults";
const SEVERAL_RESULTS: &str = "ErrorNameResolutionMultipleResults";

/// One page of changes: the state after it, whether it holds any, and whether another follows.
pub(super) fn changes<'m, 'a>(
    messages: Messages<'m, 'a, SyncFolderItemsPayload<'a>>,
) -> Result<(&'m str, bool, bool), Verdict> {
    let page = &only(Effect::Read, messages)?.payload;
    let state = content(Effect::Read, &page.sync_state, "SyncState")?;
    if state.is_empty() {
        return Err(strange(Effect::Read, "an empty SyncState".to_owned()));
    }
    let changes = content(Effect::Read, &page.changes, "Changes")?;
    Ok((state, !changes.is_empty(), page.includes_last_item_in_range == Some(false)))
}

fn one<T>(effect: Effect, all: &[T]) -> Result<&T, Verdict> {
    match all {
        [one] => Ok(one),
        _ => Err(strange(effect, format!("a success with {} entries instead of one", all.len()))),
    }
}

/// The id of the one item, which is a calendar item as the one written to.
fn id_of_calendar_item<'m>(items: &'m [Item<'_>]) -> Result<&'m str, Verdict> {
    let Item::Calendar(item) = one(Effect::Write, items)? else {
        return Err(strange(Effect::Write, "an item that is no calendar item".to_owned()));
    };
    let id = content(Effect::Write, &item.item_id, "ItemId")?;
    if id.id.is_empty() { Err(strange(Effect::Write, "an empty ItemId".to_owned())) } else { Ok(&id.id) }
}

fn is_empty(found: &ResolutionSet<'_>) -> bool {
    found.resolutions.is_empty() && found.total_items_in_view.is_none_or(|total| total == 0)
}

fn as_count(total: u32) -> usize {
    usize::try_from(total).unwrap_or(usize::MAX)
}
