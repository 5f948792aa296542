//! A collection of events as a page of JSON: `$filter`, `$orderby`, `$select` and paging.

use http::StatusCode;
use serde_json::{Map, Value};

use super::context::GraphContext;
use super::error::GraphError;
use super::event_properties::{EVENT, FILTERABLE, SORTABLE};
use super::filter::{self, Filter};
use super::ids::IdFormat;
use super::paging;
use super::preferences::Preferences;
use super::query::{self, Expansion, QueryOptions};
use super::reply::GraphReply;
use super::{event_json, extended_properties};
use crate::sim::views::EventInstance;

/// The page that a request reads. `fragment` names the collection in `@odata.context`.
pub(super) fn answer(
    context: &GraphContext<'_>,
    mut events: Vec<EventInstance<'_>>,
    fragment: &str,
) -> Result<GraphReply, GraphError> {
    let options = QueryOptions::read(context.call, &context.preferences)?;
    options.check_select("event", EVENT)?;
    if let Some(text) = &options.filter {
        let filter = checked(Filter::parse(text)?)?;
        events.retain(|view| filter.matches(&for_comparison(view)));
    }
    if let Some((path, is_descending)) = &options.order_by {
        sort(&mut events, path, *is_descending)?;
    }
    let names = options.select.as_deref();
    let selected = names.map(|names| format!("({})", names.join(","))).unwrap_or_default();
    let metadata = context.metadata(&format!("{fragment}{selected}"));
    let (format, preferences, extended) = (context.id_format(), &context.preferences, extended(&options)?);
    let render = |view: &EventInstance<'_>| {
        let mut event = query::select(event_json::event(view, format, preferences), names);
        event.extend(extended.iter().flat_map(|filter| extended_properties::of(view, filter)));
        event
    };
    Ok(GraphReply::ok(paging::page(context.call, metadata, &options, &events, render)))
}

/// The filter on extended properties; no other property of a collection can be expanded.
fn extended(options: &QueryOptions) -> Result<Option<Filter>, GraphError> {
    let is_other = |one: &&Expansion| !one.name.eq_ignore_ascii_case(extended_properties::NAME);
    match options.expand.iter().find(is_other) {
        Some(other) => {
            Err(GraphError::parse_uri(format!("The property '{}' cannot be expanded here.", other.name)))
        }
        None => extended_properties::requested(&options.expand),
    }
}

/// A filter with supported paths only.
fn checked(filter: Filter) -> Result<Filter, GraphError> {
    let is_known = |path: &&str| FILTERABLE.iter().any(|known| known.eq_ignore_ascii_case(path));
    match filter.paths().iter().all(is_known) {
        true => Ok(filter),
        false => Err(GraphError::new(
            StatusCode::NOT_IMPLEMENTED,
            "ErrorInvalidUrlQueryFilter",
            "The query filter contains one or more invalid nodes.",
        )),
    }
}

/// The JSON on which filters and orders are evaluated: times in UTC.
fn for_comparison(view: &EventInstance<'_>) -> Value {
    Value::Object(event_json::event(view, IdFormat::Classic, &Preferences::default()))
}

fn sort(events: &mut [EventInstance<'_>], path: &str, is_descending: bool) -> Result<(), GraphError> {
    if !SORTABLE.contains(&path) {
        let text = format!("The property '{path}' does not support sorting.");
        return Err(GraphError::bad_request("ErrorInvalidProperty", text));
    }
    let value = |view: &EventInstance<'_>| {
        path.split('/').fold(for_comparison(view), |value, name| value.get(name).cloned().unwrap_or_default())
    };
    events.sort_by(|left, right| {
        let order = filter::order(&value(left), &value(right)).unwrap_or(std::cmp::Ordering::Equal);
        if is_descending { order.reverse() } else { order }
    });
    Ok(())
}

/// One event, with the selected properties.
pub(super) fn one(
    context: &GraphContext<'_>,
    view: &EventInstance<'_>,
    names: Option<&[String]>,
) -> Map<String, Value> {
    query::select(event_json::event(view, context.id_format(), &context.preferences), names)
}
