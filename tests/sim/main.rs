//! The simulator from outside, and the whole product against it: real HTTP(S), real XML, and a server that shares no
//! code with the client.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by panicking and are shared between the modules of one crate"
)]

mod actions;
mod as_exchange;
mod authority;
mod autodiscover;
mod calendars;
mod delegate;
mod demo_office;
mod discovery;
mod exact;
mod exchangelib;
mod foreign_clients;
mod graph;
mod graph_backend;
mod graph_sweeps;
mod histories;
mod live;
mod live_apart;
mod live_histories;
mod login;
mod notifications;
mod proxy;
mod raw_requests;
mod releases;
mod series;
mod several_servers;
mod sign_in;
mod socket;
mod stream;
mod sweeps;
mod token_sources;
