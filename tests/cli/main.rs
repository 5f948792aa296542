//! The program as a process: exit codes, output, and state after a kill.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[cfg(unix)]
mod beside;
#[cfg(all(unix, feature = "postgres"))]
mod chains;
mod config_check;
#[cfg(all(unix, feature = "postgres"))]
mod database;
mod deploy;
mod dialect;
mod display;
mod doctor;
mod doctor_graph;
#[cfg(target_os = "linux")]
mod file_limits;
mod health;
mod init;
mod installed;
mod journal;
mod killed;
mod lamp;
mod look;
mod manners;
mod manual;
mod migrate;
#[cfg(all(unix, feature = "postgres"))]
mod moves;
mod over_graph;
#[cfg(unix)]
mod permissions;
mod printed;
mod reference;
#[cfg(all(unix, feature = "postgres"))]
mod replica_histories;
mod report;
mod retention;
mod secrets;
mod served;
mod setup;
#[cfg(all(unix, feature = "postgres"))]
mod standby;
#[cfg(feature = "otel")]
mod telemetry;
mod watched;
mod webhook;
