//! The occurrence lists of a master: first, last, modified and deleted.

use chrono::{DateTime, Utc};

use super::item_xml::{item_id, times};
use crate::sim::ids::ItemLocator;
use crate::sim::series::{RecurrenceRange, Series};
use crate::sim::soap_response::{element, instant};
use crate::sim::views::{self, EventInstance, SeriesRole};

/// Which end of a series.
pub(super) enum Edge {
    First,
    Last,
}

fn master<'a>(view: &EventInstance<'a>) -> Option<&'a Series> {
    view.event.series.as_ref().filter(|_| view.role == SeriesRole::Master)
}

/// `t:FirstOccurrence`, `t:LastOccurrence`; a series without an end has no last occurrence.
pub(super) fn edge(name: &str, view: &EventInstance<'_>, edge: Edge) -> Option<String> {
    let series = master(view)?;
    let mut there = series.starts(view.start).filter(|start| !series.deleted.contains(start));
    let start = match edge {
        Edge::First => there.next()?,
        Edge::Last if series.range == RecurrenceRange::NoEnd => return None,
        Edge::Last => there.last()?,
    };
    Some(format!("<t:{name}>{}</t:{name}>", info(view, start)?))
}

fn info(view: &EventInstance<'_>, original_start: DateTime<Utc>) -> Option<String> {
    let at = ItemLocator { occurrence: Some(original_start), ..view.at() };
    let date = views::view(view.mailbox, at).ok()?;
    let id = item_id(&date.id(), &date.change_key());
    Some(format!("{id}{}{}", times(&date), element("OriginalStart", &instant(original_start))))
}

/// `t:ModifiedOccurrences`.
pub(super) fn modified(view: &EventInstance<'_>) -> Option<String> {
    let changed = master(view)?.exceptions.keys().filter_map(|start| info(view, *start));
    let all: String = changed.map(|info| format!("<t:Occurrence>{info}</t:Occurrence>")).collect();
    (!all.is_empty()).then(|| format!("<t:ModifiedOccurrences>{all}</t:ModifiedOccurrences>"))
}

/// `t:DeletedOccurrences`.
pub(super) fn deleted(view: &EventInstance<'_>) -> Option<String> {
    let starts = master(view)?.deleted.iter().map(|start| element("Start", &instant(*start)));
    let all: String =
        starts.map(|start| format!("<t:DeletedOccurrence>{start}</t:DeletedOccurrence>")).collect();
    (!all.is_empty()).then(|| format!("<t:DeletedOccurrences>{all}</t:DeletedOccurrences>"))
}
