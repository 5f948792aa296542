//! The conversation with Exchange: from a typed operation to a typed outcome, over one server's connections.
//!
//! Knows HTTP, TLS, credentials, throttling and what each answer means for the request; decides nothing about events.

mod affinity;
mod answer_budget;
pub mod autodiscover;
mod calendar;
mod classify;
mod client;
mod contents;
mod credential_provider;
mod decode_stats;
mod delivery;
mod dial;
mod directory;
mod endpoints;
mod error;
mod event;
mod feed;
mod finder;
#[cfg(feature = "service")]
mod limits;
mod lockout;
pub mod login;
mod one_shot;
mod probe;
mod request;
mod response_messages;
mod router;
mod secret;
mod settings;
mod sign_in_failures;
mod sign_in_probe;
mod streaming;
mod subscription_groups;
mod throttle;
mod tls;
mod transport;
mod tunnel;
mod version;
mod view;

pub use answer_budget::{ANSWER_BYTES_MAX, ANSWER_ENTRIES_MAX, BUDGET_BYTES, FREE_BYTES, answer_bytes};
pub use calendar::Exchange;
pub use classify::{ErrorKind, RetryDecision, classify, decide_by_code};
pub use client::RequestError;
pub use decode_stats::DecodeStats;
pub use delivery::{Delivery, HttpResponse, TlsFailure, TransportError};
pub use error::is_denial;
#[cfg(feature = "service")]
pub use limits::limits;
pub use probe::{ProbeResult, ServerCertificate, probe};
pub use router::ConnectionRouter;
pub use secret::Secret;
pub use settings::{
    Access, ClientCertificate, ExchangeLocation, ImpersonateBy, ProxySettings, Settings, SettingsError,
    SignInMethod,
};
