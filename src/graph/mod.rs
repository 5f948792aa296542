//! The client of Microsoft Graph, for rooms in Exchange Online. [`Graph`] implements the engine's `Calendar` traits: it translates an
//! action's `Step` into one request, sends it, and reports what the response means.
//!
//! ```text
//! reader.rs  writer.rs  directory.rs       the operations that the engine calls
//!   traces.rs  connection.rs
//! probe.rs  rights_probe.rs  write_probe.rs  what only `doctor` calls
//! client.rs                                one request with its retries: admit, attempt, decide
//!   decide.rs  (crate::throttle)           what follows an attempt (pure); how many requests at once
//!   request.rs  (crate::http, login)       build, send, authenticate
//!   classify.rs  contents.rs  view.rs      what the response means (pure)
//!     event.rs  global_object_id.rs        an event of Graph as an event of the engine (pure)
//!     resources.rs  decode.rs              JSON (pure)
//! ```
//!
//! It knows neither which action a step belongs to nor why the engine chose it, and it shares no line with the client of EWS above
//! HTTP. It never repeats a write that the server may have executed.

mod capabilities;
mod classify;
mod client;
mod connection;
mod contents;
mod decide;
mod decode;
mod directory;
mod effect;
mod error;
mod event;
mod every_type;
mod feed;
mod global_object_id;
#[cfg(feature = "service")]
mod limits;
mod page_of_events;
mod pages;
mod place;
#[cfg(feature = "negotiate")]
mod probe;
mod reader;
mod request;
mod request_error;
mod resources;
mod rights_probe;
mod root;
mod settings;
mod time_zones;
mod traces;
mod view;
mod write_probe;
mod writer;

pub use crate::http::settings::{ProxySettings, SettingsError};
pub use connection::Graph;
#[doc(hidden)]
pub use every_type::read_as_every_type;
#[cfg(feature = "service")]
pub(crate) use limits::limits;
#[doc(hidden)]
pub use page_of_events::read_page_of_events;
#[cfg(feature = "negotiate")]
pub(crate) use probe::probe;
pub use request_error::RequestError;
pub use rights_probe::OptionalRight;
pub use settings::{GraphRights, GraphSettings, GraphTimeouts, REQUESTS, REQUESTS_PER_ROOM, WORLDWIDE};
pub use time_zones::{RoomTimeZones, UnknownTimeZones, UtcDays};
