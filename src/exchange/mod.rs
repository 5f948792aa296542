//! The EWS client. [`Exchange`] implements the engine's `Calendar` trait and `live`'s `Feed` trait: it translates an
//! action's `Step` into one EWS operation, sends it, and reports what the response means.
//!
//! ```text
//! calendar.rs  directory.rs  feed.rs        the operations that the engine and `live` call
//! client.rs                                 one operation with its retries: admit, attempt, decide
//!   admission.rs  decide.rs                 may it be sent now; what follows an attempt (pure)
//!   lockout.rs  endpoints.rs  (throttle)    whether it may be sent, to which server, how many at once
//!   server_state.rs                         the servers of the connection: their connections and sign-in states
//!   request.rs  (crate::http, login)        encode, send, authenticate
//!   classify.rs  contents.rs  event.rs      what the response means (pure)
//! streaming.rs                              change notifications
//! ```
//!
//! Of an action it knows the values that stand in a request or a response: the `Step`, whether attendees are notified,
//! the snapshot of a deleted event. It does not know which action a step belongs to or why the engine chose it, and it
//! knows neither cleanup rules nor the journal. It never repeats a write that the server may have executed.

mod admission;
mod affinity;
mod calendar;
mod capabilities;
mod classify;
mod client;
mod contents;
mod decide;
mod decode_limits;
mod decode_stats;
mod directory;
mod endpoints;
mod error;
mod event;
mod feed;
mod finder;
#[cfg(feature = "service")]
mod limits;
mod lockout;
#[cfg(feature = "negotiate")]
mod probe;
mod progress;
mod request;
mod request_error;
mod resolve_error;
mod response;
mod response_messages;
mod server_state;
mod settings;
mod settings_builder;
mod sign_in_attempt;
mod sign_in_failures;
mod sign_in_probe;
mod streaming;
mod subscription_groups;
mod version;
mod view;

pub use crate::ews::soap::ServerVersion;
pub use crate::http::answer_budget::{ANSWER_BYTES_MAX, BUDGET_BYTES, FREE_BYTES, answer_bytes};
pub use crate::http::error::{TlsFailure, TransportError};
pub use crate::http::pem::PemError;
pub use crate::http::settings::{ClientCertificate, ProxySettings, SettingsError};
pub use crate::login::SignInMethod;
pub use crate::secret::Secret;
pub use calendar::Exchange;
pub use decode_limits::ANSWER_ENTRIES_MAX;
#[cfg(feature = "service")]
pub(crate) use limits::limits;
#[cfg(feature = "negotiate")]
pub(crate) use probe::{ProbeResult, ServerCertificate, probe};
pub use request_error::RequestError;
pub use settings::{Access, ConnectionDefaults, DEFAULT_NAME, ExchangeLocation, ImpersonateBy, Settings};
