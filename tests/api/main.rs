//! The service over HTTP, against a simulated Exchange.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod console;
mod contract;
mod disclosure;
mod display;
mod events;
mod evidence;
mod fixture;
mod headers;
mod journal;
mod keys;
mod operator;
mod proxies;
mod ready;
mod rights;
mod shares;
mod silence;
mod tls;
mod tokens;
mod watch;
