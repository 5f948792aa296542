//! The service over HTTP, against a simulated Exchange.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod agenda;
mod check_in_links;
mod console;
mod contract;
mod disclosure;
mod display;
mod events;
mod evidence;
mod failing_journal;
mod fixture;
mod headers;
mod journal;
mod key_management;
mod keys;
mod operator;
mod origins;
mod pairing;
mod proxies;
mod ready;
mod report;
mod rights;
mod shares;
mod silence;
mod sweeps;
mod tls;
mod tokens;
mod undone;
mod watch;
mod webhooks;
