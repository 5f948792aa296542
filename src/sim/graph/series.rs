//! A series by id: its instances, exceptions and cancelled occurrences, and the rule that an occurrence stays between
//! its neighbours.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use super::context::GraphContext;
use super::error::GraphError;
use super::event_properties::EVENT;
use super::query::{self, Expansion};
use super::reply::GraphReply;
use super::{calendar_view, event_collection, event_json, times};
use crate::sim::ids::ItemLocator;
use crate::sim::views::{self, EventInstance, SeriesRole};

/// How far from an occurrence its neighbours are looked for.
const NEIGHBOURS_WITHIN: TimeDelta = TimeDelta::days(366);

/// `instances`: the occurrences of a series in a time window.
pub(super) fn instances(
    context: &GraphContext<'_>,
    at: ItemLocator,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    let (from, to) = calendar_view::window(context)?;
    if context.view(at)?.role != SeriesRole::Master {
        let text = "Your request can't be completed. The event is not a series master.";
        return Err(GraphError::invalid_request(text));
    }
    let day = TimeDelta::days(1);
    let mut events = views::window(context.mailbox(at.mailbox)?, from - day, to + day);
    events.retain(|view| {
        let (start, end) = times::span(view);
        view.item.number == at.item && start < to && end > from
    });
    event_collection::answer(context, events, fragment)
}

/// The properties that only a series master has, and only where they are requested.
pub(super) fn extend_master(
    context: &GraphContext<'_>,
    view: &EventInstance<'_>,
    selected: &[String],
    expansions: &[Expansion],
) -> Result<Map<String, Value>, GraphError> {
    let mut out = Map::new();
    let Some(series) = view.event.series.as_ref().filter(|_| view.role == SeriesRole::Master) else {
        return Ok(out);
    };
    if selected.iter().any(|name| name.eq_ignore_ascii_case("cancelledOccurrences")) {
        let id = event_json::event_id(view, context.id_format());
        let day = |start: &DateTime<Utc>| format!("OID.{id}.{}", series.zone.local(*start).date());
        out.insert(
            "cancelledOccurrences".to_owned(),
            json!(series.deleted.iter().map(day).collect::<Vec<_>>()),
        );
    }
    let expansion = expansions.iter().find(|one| one.name.eq_ignore_ascii_case("exceptionOccurrences"));
    if let Some(expansion) = expansion {
        let names = expansion.select.as_deref();
        query::check(names.unwrap_or_default(), "event", EVENT)?;
        let at = |start: &DateTime<Utc>| ItemLocator { occurrence: Some(*start), ..view.at() };
        let views = series.exceptions.keys().filter_map(|start| context.view(at(start)).ok());
        let shown: Vec<Value> =
            views.map(|view| Value::Object(event_collection::one(context, &view, names))).collect();
        out.insert("exceptionOccurrences".to_owned(), Value::Array(shown));
    }
    Ok(out)
}

/// Rejects new times of an occurrence that reach into its neighbours.
pub(super) fn check_neighbours(
    view: &EventInstance<'_>,
    start: DateTime<Utc>,
    end: DateTime<Utc>,
) -> Result<(), GraphError> {
    let Some(original) = view.original_start else { return Ok(()) };
    let all = views::window(view.mailbox, original - NEIGHBOURS_WITHIN, original + NEIGHBOURS_WITHIN);
    let others = || {
        let same = all.iter().filter(|other| other.item.number == view.item.number);
        same.filter_map(|other| Some((other.original_start?, other.start, other.end)))
    };
    let crosses_before = others().any(|(start_of, _, other_end)| start_of < original && other_end > start);
    let crosses_after = others().any(|(start_of, other_start, _)| start_of > original && other_start < end);
    match crosses_before || crosses_after {
        false => Ok(()),
        true => Err(GraphError::bad_request(
            "ErrorOccurrenceCrossingBoundary",
            "Modified occurrence is crossing or overlapping adjacent occurrence.",
        )),
    }
}
