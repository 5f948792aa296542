//! Simulated Graph from outside: raw JSON over HTTP, one test for each documented behaviour. No client of this crate
//! takes part.

mod access;
mod batches;
mod both_protocols;
mod client;
mod directory;
mod failures;
mod foreign_clients;
mod histories;
mod hostile;
mod reading;
mod series;
mod writing;
