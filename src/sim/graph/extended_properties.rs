//! `singleValueExtendedProperties` where `$expand` requests them. The simulator has one: `AppointmentStateFlags`, the
//! only exact mark of a meeting.

use serde_json::{Map, Value, json};

use super::error::GraphError;
use super::filter::Filter;
use super::query::Expansion;
use crate::sim::views::EventInstance;

/// The navigation property.
pub(super) const NAME: &str = "singleValueExtendedProperties";

/// `PidLidAppointmentStateFlags`.
const STATE_FLAGS: &str = "Integer {00062002-0000-0000-c000-000000000046} Id 0x8217";

/// The filter on the ids of the requested properties; `None` if none are requested.
pub(super) fn requested(expansions: &[Expansion]) -> Result<Option<Filter>, GraphError> {
    let Some(expansion) = expansions.iter().find(|one| one.name.eq_ignore_ascii_case(NAME)) else {
        return Ok(None);
    };
    let filter = expansion.filter.as_deref().ok_or_else(|| {
        GraphError::invalid_request("The $expand of singleValueExtendedProperties needs a $filter on the id.")
    })?;
    Filter::parse(filter).map(Some)
}

/// The requested properties that an event has: without any, the property is left out.
pub(super) fn of(view: &EventInstance<'_>, filter: &Filter) -> Map<String, Value> {
    let state = json!({ "id": STATE_FLAGS, "value": view.appointment_state().to_string() });
    let is_wanted = filter.matches(&state);
    is_wanted.then(|| (NAME.to_owned(), json!([state]))).into_iter().collect()
}
