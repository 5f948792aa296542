//! `FindItem`: a CalendarView of the calendar, with series taken apart into their dates, or an ordinary page of a folder,
//! with series as their masters, of the rows that a restriction leaves and in the order that the request wants.

use chrono::{DateTime, Months, Utc};
use roxmltree::Node;

use super::Desk;
use super::ids::folder;
use super::properties::is_searchable;
use super::row::Row;
use super::shape::{self, Shape, Where};
use super::sort::Order;
use super::{paging, private, restriction};
use crate::sim::event::{Event, Item};
use crate::sim::ids::ItemRef;
use crate::sim::soap_in::{Refusal, choice, elements, instant, is_date_time, m, need_m, text};
use crate::sim::soap_out::messages;
use crate::sim::views::{self, View};
use crate::sim::world::{Folder, Mailbox};

/// `EWSFindCountLimit` of a server in its default policy.
const FIND_COUNT_LIMIT: usize = 1_000;
/// The longest CalendarView: two years (`ErrorCalendarViewRangeTooBig`).
const VIEW_SPAN_MAX: Months = Months::new(24);

/// One page: what is shown, how many there are, and whether this is the last of them.
struct Page {
    items: String,
    total: usize,
    next_offset: Option<usize>,
    last: bool,
}

pub(super) fn answer(desk: &mut Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let shape = Shape::read(need_m(request, "ItemShape")?)?;
    let folders = need_m(request, "ParentFolderIds")?;
    let traversal = choice(request, "Traversal", &["Shallow", "SoftDeleted", "Associated"])?;
    let traversal = traversal
        .ok_or_else(|| Refusal::schema(request, "The required attribute 'Traversal' is missing."))?;
    let find = Find { request, shape, rows: traversal == "Shallow" };
    let outcomes: Vec<_> = elements(folders).map(|id| one(desk, &find, id)).collect();
    Ok(messages("FindItem", &outcomes, ""))
}

/// A request.
struct Find<'a, 'i> {
    request: Node<'a, 'i>,
    shape: Shape,
    /// Whether rows are wanted, of which there are some, rather than what was deleted softly or is hidden, of which there is
    /// nothing.
    rows: bool,
}

fn one(desk: &Desk<'_>, find: &Find<'_, '_>, id: Node<'_, '_>) -> Result<String, Refusal> {
    let (request, folder) = (find.request, folder(desk, id)?);
    if m(request, "QueryString").is_some_and(|query| !text(query).trim().is_empty()) {
        return Err(Refusal::new("ErrorUnsupportedQueryFilter", "The simulator has no index to query."));
    }
    let page = match m(request, "CalendarView") {
        Some(_) if m(request, "Restriction").is_some() || m(request, "SortOrder").is_some() => {
            return Err(Refusal::new(
                "ErrorInvalidOperation",
                "Restrictions and sort order may not be specified for a CalendarView.",
            ));
        }
        Some(view) => calendar_view(desk, &find.shape, folder, view)?,
        None => listing(desk, find, folder)?,
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
    desk: &Desk<'_>,
    shape: &Shape,
    folder: Folder,
    view: Node<'_, '_>,
) -> Result<Page, Refusal> {
    if folder != Folder::Calendar {
        return Err(Refusal::new(
            "ErrorCalendarFolderIsInvalidForCalendarView",
            "The folder is not a calendar, so it has no calendar view.",
        ));
    }
    let (from, to) = (edge(view, "StartDate")?, edge(view, "EndDate")?);
    if to < from {
        return Err(Refusal::new(
            "ErrorCalendarEndDateIsEarlierThanStartDate",
            "The view ends before it starts.",
        ));
    }
    if from.checked_add_months(VIEW_SPAN_MAX).is_none_or(|last| to > last) {
        return Err(Refusal::new("ErrorCalendarViewRangeTooBig", "The view is longer than two years."));
    }
    let found = views::calendar_view(desk.mailbox()?, from, to);
    let max = paging::entries_max(view)?;
    if max.is_none() && found.len() > FIND_COUNT_LIMIT {
        return Err(Refusal::new(
            "ErrorExceededFindCountLimit",
            "The number of items found exceeds the limit of your policy; use paging or a smaller view.",
        ));
    }
    let max = max.unwrap_or(FIND_COUNT_LIMIT).min(FIND_COUNT_LIMIT);
    let last = found.len() <= max;
    let items = found.iter().take(max).map(|view| listed(desk, *view, shape)).collect();
    Ok(Page { items, total: found.len(), next_offset: None, last })
}

fn edge(view: Node<'_, '_>, name: &str) -> Result<DateTime<Utc>, Refusal> {
    let bad = || Refusal::schema(view, &format!("The '{name}' attribute is missing or no date."));
    let text = view.attribute(name).ok_or_else(bad)?;
    instant(text).ok_or_else(|| match is_date_time(text) {
        true => {
            Refusal::new("ErrorValueOutOfRange", "The value is outside of the range that a calendar has.")
        }
        false => bad(),
    })
}

fn listing(desk: &Desk<'_>, find: &Find<'_, '_>, folder: Folder) -> Result<Page, Refusal> {
    let request = find.request;
    let restriction = m(request, "Restriction").map(restriction::read).transpose()?;
    let order = m(request, "SortOrder").map(|order| Order::read(order, is_searchable)).transpose()?;
    if let Some(restriction) = &restriction {
        restriction.check(is_searchable)?;
    }
    if m(request, "GroupBy").is_some() || m(request, "DistinguishedGroupBy").is_some() {
        return Err(Refusal::new("ErrorUnsupportedPathForSortGroup", "The simulator does not group items."));
    }
    let mailbox = desk.mailbox()?;
    let items: Vec<&Item> = mailbox.folder(folder).filter(|_| find.rows).collect();
    let masks: Vec<Option<Event>> = items.iter().map(|item| mask(desk, mailbox, item)).collect();
    let mut rows = Vec::new();
    for (item, mask) in items.into_iter().zip(&masks) {
        let Some(row) = Row::of(desk.world, mailbox, item) else { continue };
        let row = row.behind(mask.as_ref());
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
    Ok(Page { items, total: rows.len(), next_offset: Some(slice.next), last: slice.last })
}

fn mask(desk: &Desk<'_>, mailbox: &Mailbox, item: &Item) -> Option<Event> {
    let at = ItemRef { mailbox: mailbox.number, item: item.number, occurrence: None };
    private::masked(desk, &views::view(mailbox, at).ok()?)
}

/// An event in a list, as much of it as the caller may see.
fn listed(desk: &Desk<'_>, view: View<'_>, shape: &Shape) -> String {
    let mask = private::masked(desk, &view);
    shape::calendar_item(desk.world, private::behind(view, mask.as_ref()), shape, Where::Find)
}

/// A row of a folder, whatever it holds.
pub(super) fn row(desk: &Desk<'_>, mailbox: &Mailbox, shape: &Shape, number: u64) -> String {
    let Some(item) = mailbox.items.get(&number) else { return String::new() };
    let mask = mask(desk, mailbox, item);
    let row = Row::of(desk.world, mailbox, item).map(|row| row.behind(mask.as_ref()));
    row.map(|row| row.show(shape)).unwrap_or_default()
}
