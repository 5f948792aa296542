//! `FindItem`: a CalendarView, which expands series into their occurrences, or a page of a folder, with series as
//! masters, filtered by a restriction and sorted. Reads only.

use chrono::{DateTime, Months, Utc};
use roxmltree::Node;

use super::folder_row::FolderRow;
use super::ids::folder;
use super::property_context::ReadOperation;
use super::request_context::RequestContext;
use super::search_values::is_searchable;
use super::shape::{self, ItemShape};
use super::sort::SortOrder;
use super::{paging, private, restriction};
use crate::sim::event::{Event, StoredItem};
use crate::sim::ews_error::EwsError;
use crate::sim::folder::MailboxFolder;
use crate::sim::ids::ItemLocator;
use crate::sim::mailbox::Mailbox;
use crate::sim::soap_request::{elements, enum_attribute, instant, is_date_time, m, require_m, text};
use crate::sim::soap_response::messages;
use crate::sim::views::{self, EventInstance};

/// `EWSFindCountLimit` of the default throttling policy.
const FIND_COUNT_LIMIT: usize = 1_000;
/// Limit of a CalendarView: two years (`ErrorCalendarViewRangeTooBig`).
const VIEW_SPAN_MAX: Months = Months::new(24);

/// One page of results.
struct FindItemPage {
    items: String,
    total: usize,
    next_offset: Option<usize>,
    last: bool,
}

pub(super) fn answer(context: &mut RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let shape = ItemShape::read(require_m(request, "ItemShape")?)?;
    let folders = require_m(request, "ParentFolderIds")?;
    let traversal = enum_attribute(request, "Traversal", &["Shallow", "SoftDeleted", "Associated"])?;
    let traversal = traversal.ok_or_else(|| {
        EwsError::schema_violation(request, "The required attribute 'Traversal' is missing.")
    })?;
    let find = FindItemRequest { request, shape, rows: traversal == "Shallow" };
    let outcomes: Vec<_> = elements(folders).map(|id| one(context, &find, id)).collect();
    Ok(messages("FindItem", &outcomes, ""))
}

/// A parsed request.
struct FindItemRequest<'a, 'i> {
    request: Node<'a, 'i>,
    shape: ItemShape,
    /// Whether the traversal is shallow. The other traversals (soft-deleted, associated) find nothing here.
    rows: bool,
}

fn one(
    context: &RequestContext<'_>,
    find: &FindItemRequest<'_, '_>,
    id: Node<'_, '_>,
) -> Result<String, EwsError> {
    let (request, folder) = (find.request, folder(context, id)?);
    if m(request, "QueryString").is_some_and(|query| !text(query).trim().is_empty()) {
        return Err(EwsError::new(
            "ErrorUnsupportedQueryFilter",
            "The simulator does not support QueryString.",
        ));
    }
    let page = match m(request, "CalendarView") {
        Some(_) if m(request, "Restriction").is_some() || m(request, "SortOrder").is_some() => {
            return Err(EwsError::new(
                "ErrorInvalidOperation",
                "Restrictions and sort order may not be specified for a CalendarView.",
            ));
        }
        Some(view) => calendar_view(context, &find.shape, folder, view)?,
        None => item_page(context, find, folder)?,
    };
    let next = page.next_offset.map(|offset| format!(r#" IndexedPagingOffset="{offset}""#));
    Ok(format!(
        r#"<m:RootFolder{} TotalItemsInView="{}" IncludesLastItemInRange="{}"><t:Items>{}</t:Items></m:RootFolder>"#,
        next.unwrap_or_default(),
        page.total,
        page.last,
        page.items
    ))
}

fn calendar_view(
    context: &RequestContext<'_>,
    shape: &ItemShape,
    folder: MailboxFolder,
    view: Node<'_, '_>,
) -> Result<FindItemPage, EwsError> {
    if folder != MailboxFolder::Calendar {
        return Err(EwsError::new(
            "ErrorCalendarFolderIsInvalidForCalendarView",
            "The folder is not a calendar, so it has no calendar view.",
        ));
    }
    let (from, to) = (edge(view, "StartDate")?, edge(view, "EndDate")?);
    if to < from {
        return Err(EwsError::new(
            "ErrorCalendarEndDateIsEarlierThanStartDate",
            "EndDate is earlier than StartDate",
        ));
    }
    if from.checked_add_months(VIEW_SPAN_MAX).is_none_or(|last| to > last) {
        return Err(EwsError::new(
            "ErrorCalendarViewRangeTooBig",
            "The specified view range exceeds the maximum range of two years.",
        ));
    }
    let found = views::calendar_view(context.mailbox()?, from, to);
    let max = paging::entries_max(view)?;
    if max.is_none() && found.len() > FIND_COUNT_LIMIT {
        return Err(EwsError::new(
            "ErrorExceededFindCountLimit",
            "You have exceeded the maximum number of objects that can be returned for the find operation. Use paging to reduce the result size and try your request again.",
        ));
    }
    let max = max.unwrap_or(FIND_COUNT_LIMIT).min(FIND_COUNT_LIMIT);
    let last = found.len() <= max;
    let items = found.iter().take(max).map(|view| listed(context, *view, shape)).collect();
    Ok(FindItemPage { items, total: found.len(), next_offset: None, last })
}

fn edge(view: Node<'_, '_>, name: &str) -> Result<DateTime<Utc>, EwsError> {
    let bad = || EwsError::schema_violation(view, &format!("The '{name}' attribute is missing or invalid."));
    let text = view.attribute(name).ok_or_else(bad)?;
    instant(text).ok_or_else(|| match is_date_time(text) {
        true => EwsError::new("ErrorValueOutOfRange", "The value is out of range."),
        false => bad(),
    })
}

fn item_page(
    context: &RequestContext<'_>,
    find: &FindItemRequest<'_, '_>,
    folder: MailboxFolder,
) -> Result<FindItemPage, EwsError> {
    let request = find.request;
    let restriction = m(request, "Restriction").map(restriction::read).transpose()?;
    let order = m(request, "SortOrder").map(|order| SortOrder::read(order, is_searchable)).transpose()?;
    if let Some(restriction) = &restriction {
        restriction.check(is_searchable)?;
    }
    if m(request, "GroupBy").is_some() || m(request, "DistinguishedGroupBy").is_some() {
        return Err(EwsError::new(
            "ErrorUnsupportedPathForSortGroup",
            "The simulator does not support grouping.",
        ));
    }
    let mailbox = context.mailbox()?;
    let items: Vec<&StoredItem> = mailbox.folder(folder).filter(|_| find.rows).collect();
    let masks: Vec<Option<Event>> = items.iter().map(|item| mask(context, mailbox, item)).collect();
    let mut rows = Vec::new();
    for (item, mask) in items.into_iter().zip(&masks) {
        let Some(row) = FolderRow::of(context.world, mailbox, item) else { continue };
        let row = row.apply_mask(mask.as_ref());
        if restriction.as_ref().map_or(Ok(true), |restriction| restriction.holds(&row))? {
            rows.push(row);
        }
    }
    if let Some(order) = order {
        order.apply(&mut rows);
    }
    let slice = paging::slice(request, rows.len(), FIND_COUNT_LIMIT)?;
    let items = rows.get(slice.range.clone()).unwrap_or_default();
    let items = items.iter().map(|row| row.show(&find.shape)).collect();
    Ok(FindItemPage { items, total: rows.len(), next_offset: Some(slice.next), last: slice.last })
}

fn mask(context: &RequestContext<'_>, mailbox: &Mailbox, item: &StoredItem) -> Option<Event> {
    let at = ItemLocator { mailbox: mailbox.number, item: item.number, occurrence: None };
    private::mask_for(context, &views::view(mailbox, at).ok()?)
}

/// An event in a list, masked for callers who may not read it.
fn listed(context: &RequestContext<'_>, view: EventInstance<'_>, shape: &ItemShape) -> String {
    let mask = private::mask_for(context, &view);
    shape::calendar_item(context.world, private::apply_mask(view, mask.as_ref()), shape, ReadOperation::Find)
}

/// A row of a folder, of any kind.
pub(super) fn row(context: &RequestContext<'_>, mailbox: &Mailbox, shape: &ItemShape, number: u64) -> String {
    let Some(item) = mailbox.items.get(&number) else { return String::new() };
    let mask = mask(context, mailbox, item);
    let row = FolderRow::of(context.world, mailbox, item).map(|row| row.apply_mask(mask.as_ref()));
    row.map(|row| row.show(shape)).unwrap_or_default()
}
