//! HTTP to any server: connections (TLS trust, proxy, Happy Eyeballs), authentication rounds, time and memory limits, header
//! fields. It knows how a request travels and no server's protocol.
//!
//! ```text
//! client.rs            one request to a server that receives few
//!   connection_pool.rs requests to one server: kept connections, authentication rounds, streams
//!     auth.rs          what the rounds need of a credential (the schemes are in crate::login)
//!     dialer.rs        TCP (happy_eyeballs.rs), proxy (tunnel.rs), TLS (tls.rs, pinning.rs)
//!     answer_budget.rs memory for all responses together
//!   delivery.rs        the fate of a request: not sent, maybe sent, answered
//! probe.rs             one anonymous request: certificate, schemes, clock
//! field/  url.rs  error.rs  settings.rs  pem.rs  tls_port_page.rs
//! ```

pub(crate) mod answer_budget;
pub(crate) mod auth;
pub(crate) mod client;
pub(crate) mod connection_pool;
pub(crate) mod delivery;
pub(crate) mod dialer;
pub(crate) mod error;
pub(crate) mod field;
pub(crate) mod happy_eyeballs;
pub(crate) mod pem;
pub(crate) mod pinning;
#[cfg(feature = "negotiate")]
pub(crate) mod probe;
pub(crate) mod settings;
pub(crate) mod tls;
pub(crate) mod tls_port_page;
mod tunnel;
pub(crate) mod url;
