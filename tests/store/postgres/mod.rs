//! Tests against a real PostgreSQL server. Where none is installed they are skipped, unless `ADJOURN_REQUIRE_POSTGRES=1` is set.

mod connection;
mod service;
mod webhooks;

use adjourn::prelude::Secret;
use adjourn::store::PostgresSettings;

/// Settings for this connection text.
fn settings(url: &str) -> PostgresSettings {
    let url = Secret::new(url.to_owned());
    PostgresSettings { url, name: "test".to_owned(), ca_file: None, accept_loss: false }
}
