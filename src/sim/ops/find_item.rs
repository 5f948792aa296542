//! `FindItem`: a CalendarView of the calendar, with series taken apart into their dates, or an ordinary page of a folder,
//! with series as their masters. Restrictions are not evaluated, and a request that has one is refused rather than
//! answered with too much.

use chrono::{DateTime, TimeDelta, Utc};
use roxmltree::Node;

use super::Desk;
use super::ids::folder;
use super::shape::{self, Shape, Where};
use crate::sim::event::Content;
use crate::sim::ids::ItemRef;
use crate::sim::soap_in::{Refusal, elements, instant, m, need_m};
use crate::sim::soap_out::messages;
use crate::sim::views::{self, View};
use crate::sim::world::{Folder, Mailbox};

/// `EWSFindCountLimit` of a server in its default policy.
const FIND_COUNT_LIMIT: usize = 1_000;
/// The longest CalendarView: two years (`ErrorCalendarViewRangeTooBig`).
const VIEW_SPAN_MAX: TimeDelta = TimeDelta::days(2 * 366);

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
    let outcomes: Vec<_> = elements(folders).map(|id| one(desk, request, &shape, id)).collect();
    Ok(messages("FindItem", &outcomes, ""))
}

fn one(desk: &Desk<'_>, request: Node<'_, '_>, shape: &Shape, id: Node<'_, '_>) -> Result<String, Refusal> {
    let folder = folder(desk, id)?;
    let page = match m(request, "CalendarView") {
        Some(view) => calendar_view(desk, shape, folder, view)?,
        None => listing(desk, request, shape, folder)?,
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
    if to - from > VIEW_SPAN_MAX {
        return Err(Refusal::new("ErrorCalendarViewRangeTooBig", "The view is longer than two years."));
    }
    let found = views::window(desk.mailbox()?, from, to);
    let max = number(view, "MaxEntriesReturned").unwrap_or(FIND_COUNT_LIMIT).min(FIND_COUNT_LIMIT);
    let last = found.len() <= max;
    let show = |view: &View<'_>| shape::calendar_item(desk.world, *view, shape, Where::Find);
    let items = found.iter().take(max).map(show).collect();
    Ok(Page { items, total: found.len(), next_offset: None, last })
}

fn edge(view: Node<'_, '_>, name: &str) -> Result<DateTime<Utc>, Refusal> {
    view.attribute(name)
        .and_then(instant)
        .ok_or_else(|| Refusal::schema(view, &format!("The '{name}' attribute is missing or no date.")))
}

fn listing(desk: &Desk<'_>, request: Node<'_, '_>, shape: &Shape, folder: Folder) -> Result<Page, Refusal> {
    if m(request, "Restriction").is_some() || m(request, "QueryString").is_some() {
        return Err(Refusal::new(
            "ErrorUnsupportedPathForQuery",
            "The simulator does not evaluate restrictions.",
        ));
    }
    let mailbox = desk.mailbox()?;
    let paging = m(request, "IndexedPageItemView");
    let offset = paging.and_then(|view| number(view, "Offset")).unwrap_or(0);
    let max = paging.and_then(|view| number(view, "MaxEntriesReturned")).unwrap_or(FIND_COUNT_LIMIT);
    let all: Vec<_> = mailbox.folder(folder).collect();
    let shown = all.iter().skip(offset).take(max.min(FIND_COUNT_LIMIT));
    let end = all.len().min(offset.saturating_add(max.min(FIND_COUNT_LIMIT)));
    let items = shown.map(|item| row(desk, mailbox, shape, item.number)).collect();
    Ok(Page { items, total: all.len(), next_offset: Some(end), last: end == all.len() })
}

/// A row of a folder, whatever it holds.
pub(super) fn row(desk: &Desk<'_>, mailbox: &Mailbox, shape: &Shape, number: u64) -> String {
    let at = ItemRef { mailbox: mailbox.number, item: number, occurrence: None };
    let item = mailbox.items.get(&number);
    match item.map(|item| (item, &item.content)) {
        Some((_, Content::Event(_))) => {
            let view = views::view(mailbox, at).ok();
            view.map(|view| shape::calendar_item(desk.world, view, shape, Where::Find)).unwrap_or_default()
        }
        Some((item, Content::Message(message))) => shape::message(mailbox, item, message, shape, Where::Find),
        None => String::new(),
    }
}

fn number(node: Node<'_, '_>, name: &str) -> Option<usize> {
    node.attribute(name)?.parse().ok()
}
