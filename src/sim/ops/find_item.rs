//! `FindItem`: a CalendarView of the calendar, with series taken apart into their dates, or an ordinary page of a folder,
//! with series as their masters. Restrictions are not evaluated, and a request that has one is refused rather than
//! answered with too much.

use chrono::{DateTime, Months, Utc};
use roxmltree::Node;

use super::Desk;
use super::ids::folder;
use super::private;
use super::shape::{self, Shape, Where};
use crate::sim::event::Content;
use crate::sim::ids::ItemRef;
use crate::sim::soap_in::{Refusal, elements, instant, is_date_time, m, need_m};
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
    let outcomes: Vec<_> = elements(folders).map(|id| one(desk, request, &shape, id)).collect();
    Ok(messages("FindItem", &outcomes, ""))
}

fn one(desk: &Desk<'_>, request: Node<'_, '_>, shape: &Shape, id: Node<'_, '_>) -> Result<String, Refusal> {
    let folder = folder(desk, id)?;
    let page = match m(request, "CalendarView") {
        Some(_) if m(request, "Restriction").is_some() || m(request, "SortOrder").is_some() => {
            return Err(Refusal::new(
                "ErrorInvalidOperation",
                "Restrictions and sort order may not be specified for a CalendarView.",
            ));
        }
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
    if from.checked_add_months(VIEW_SPAN_MAX).is_none_or(|last| to > last) {
        return Err(Refusal::new("ErrorCalendarViewRangeTooBig", "The view is longer than two years."));
    }
    let found = views::calendar_view(desk.mailbox()?, from, to);
    let max = entries_max(view)?;
    if max.is_none() && found.len() > FIND_COUNT_LIMIT {
        return Err(Refusal::new(
            "ErrorExceededFindCountLimit",
            "The number of items found exceeds the limit of your policy; use paging or a smaller view.",
        ));
    }
    let max = max.unwrap_or(FIND_COUNT_LIMIT).min(FIND_COUNT_LIMIT);
    let last = found.len() <= max;
    let show = |view: &View<'_>| private::listed(desk, *view, shape);
    let items = found.iter().take(max).map(show).collect();
    Ok(Page { items, total: found.len(), next_offset: None, last })
}

/// `MaxEntriesReturned`, which is positive if it is there.
fn entries_max(view: Node<'_, '_>) -> Result<Option<usize>, Refusal> {
    match view.attribute("MaxEntriesReturned").map(str::parse::<i32>) {
        None => Ok(None),
        Some(Ok(max)) => match usize::try_from(max).ok().filter(|max| *max > 0) {
            Some(max) => Ok(Some(max)),
            None => {
                Err(Refusal::new("ErrorInvalidPagingMaxRows", "Paging max rows has to be greater than zero."))
            }
        },
        Some(Err(_)) => Err(Refusal::schema(view, "The 'MaxEntriesReturned' attribute is invalid.")),
    }
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
            view.map(|view| private::listed(desk, view, shape)).unwrap_or_default()
        }
        Some((item, Content::Message(message))) => shape::message(mailbox, item, message, shape, Where::Find),
        None => String::new(),
    }
}

fn number(node: Node<'_, '_>, name: &str) -> Option<usize> {
    node.attribute(name)?.parse().ok()
}
