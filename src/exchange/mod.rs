//! The conversation with Exchange: from a typed operation to a typed outcome, over one server's connections.
//!
//! Knows HTTP, TLS, credentials, throttling and what each answer means for the request; decides nothing about events.

mod affinity;
mod answer_budget;
mod ask;
pub mod autodiscover;
mod calendar;
mod classify;
mod client;
mod contents;
mod delivery;
mod dial;
mod directory;
mod ears;
mod event;
mod feed;
mod finder;
mod gate;
mod groups;
mod letter;
#[cfg(feature = "service")]
mod limits;
pub mod login;
mod messages;
mod paths;
mod places;
mod probe;
mod refusals;
mod secret;
mod settings;
mod sign_in;
mod sign_in_probe;
mod sites;
mod standing;
mod tls;
mod transport;
mod trouble;
mod tunnel;
mod version;
mod view;

pub use answer_budget::{ANSWER_BYTES_MAX, ANSWER_ENTRIES_MAX, BUDGET_BYTES, FREE_BYTES, answer_bytes};
pub use calendar::Exchange;
pub use classify::{Kind, Verdict, by_code, classify};
pub use client::Failed;
pub use delivery::{Delivery, Failure, HttpAnswer, TlsTrouble};
#[cfg(feature = "service")]
pub use limits::limits;
pub use paths::Paths;
pub use probe::{Certificate, Meeting, meet};
pub use secret::Secret;
pub use settings::{Access, At, ClientCertificate, ImpersonateBy, Proxy, Settings, SettingsError, SignIn};
pub use sites::Sites;
pub use trouble::is_denial;
