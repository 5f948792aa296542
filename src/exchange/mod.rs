//! The conversation with Exchange: from a typed operation to a typed outcome, over one server's connections.
//!
//! Knows HTTP, TLS, credentials, throttling and what each answer means for the request; decides nothing about events.

mod auth;
pub mod autodiscover;
mod calendar;
mod classify;
mod client;
mod delivery;
mod event;
mod gate;
mod messages;
mod paths;
mod secret;
mod settings;
mod tls;
mod transport;
mod trouble;
mod version;

pub use auth::{Basic, Credential, Next};
pub use calendar::Exchange;
pub use classify::{Kind, Verdict, by_code, classify};
pub use client::Failed;
pub use delivery::{Delivery, Failure, HttpAnswer};
pub use paths::Paths;
pub use secret::Secret;
pub use settings::{ImpersonateBy, Settings, SettingsError};
