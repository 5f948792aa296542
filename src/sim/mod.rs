//! A simulated Exchange: EWS and Microsoft Graph over HTTP and HTTPS, for demos, tests and integration tests of other
//! projects.
//!
//! A [`World`] of mailboxes, meetings and series is pure and can be read and changed at any time; a [`Simulator`] serves
//! it, records the mails it would send, and injects faults by [`FaultRule`]. It parses with roxmltree, writes with
//! templates, and shares no code with the client: a codec bug must not be able to confirm itself.

mod affinity;
mod authority;
mod autodiscover;
mod autodiscover_http;
mod autodiscover_json;
mod autodiscover_xml;
mod change_log;
mod details;
mod directory;
mod event;
mod ews_error;
mod exchange_release;
mod extended;
mod faults;
mod folder;
mod free_busy;
mod graph;
mod ids;
mod immutable_ids;
mod impersonation;
mod inbox;
mod item_table;
mod listener;
mod login;
mod mailbox;
mod meeting;
mod notify;
mod opaque_tokens;
mod ops;
mod options;
mod outbox;
mod pattern;
mod place;
mod proxy;
mod request_log;
mod response_body;
mod rights;
mod scenario;
mod series;
mod server;
mod service;
mod soap_request;
mod soap_response;
mod state;
mod tls;
mod views;
mod world;
mod xml;
mod zones;

pub use authority::{Authority, AuthorityOptions, FederatedCredential, TokenFault};
pub use autodiscover::{
    AutodiscoverProtocol, AutodiscoverRequest, AutodiscoverResponse, AutodiscoverService,
};
pub use details::*;
pub use event::*;
pub use exchange_release::ExchangeRelease;
pub use faults::{FaultRule, InjectedFault};
pub use folder::MailboxFolder;
pub use graph::{GraphOptions, GraphPermission};
pub use login::{AccessTokens, AuthScheme, ClientBinding, ExtendedProtection, WindowsSignIn};
pub use mailbox::{BookingPolicy, Mailbox, MailboxKind};
pub use notify::NotificationOptions;
pub use options::SimulatorOptions;
pub use outbox::*;
pub use pattern::*;
pub use place::PlaceSpec;
pub use proxy::{ProxyOptions, ProxyServer};
pub use request_log::LoggedRequest;
pub use rights::DelegateRights;
pub use scenario::{CancelledMark, MeetingSpec, PlainSpec, RoomSpec, demo_world, large_world};
pub use series::*;
pub use server::Simulator;
pub use tls::ServerIdentity;
pub use views::SeriesRole;
pub use world::{EventState, ExceptionIds, RoomList, World};
