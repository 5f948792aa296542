//! The program as a process: exit codes, output, and state after a kill.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod deploy;
mod doctor;
mod doctor_graph;
#[cfg(target_os = "linux")]
mod file_limits;
mod installed;
mod journal;
mod killed;
mod migrate;
mod over_graph;
#[cfg(unix)]
mod permissions;
mod printed;
mod reference;
mod retention;
mod secrets;
mod served;
mod setup;
#[cfg(feature = "otel")]
mod telemetry;
