//! Microsoft Graph v1.0 over the world that EWS serves too: calendars, places, free/busy, Sent Items and Deleted Items,
//! for an application without a user. Written from Microsoft's documentation; shares no code with the client.
//!
//! ```text
//! service ── batch ──► perform ──► routing, throttling, faults ──► execute ──► events, calendar_view, …
//! HTTP, token                      one request                     the locked world
//! ```

mod access;
mod batch;
mod calendar_view;
mod calendars;
mod call;
mod context;
mod error;
mod event_body;
mod event_collection;
mod event_json;
mod event_properties;
mod events;
mod execute;
mod extended_properties;
mod filter;
mod get_schedule;
mod ical_uid;
mod ids;
mod json_object;
mod mailbox_items;
mod messages;
mod options;
mod paging;
mod perform;
mod places;
mod preferences;
mod query;
mod recurrence;
mod reply;
mod respond;
mod routing;
mod series;
mod service;
mod throttling;
mod times;
mod translate_ids;
mod update;
mod users;

pub use options::{GraphOptions, GraphPermission};
pub(crate) use service::{GraphService, is_graph_path};
