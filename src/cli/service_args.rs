//! Arguments that name a running service. Types only.

use std::path::PathBuf;

use clap::Args;

/// The running service that performs the request.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Service")]
pub struct ServiceArgs {
    /// URL of a running service, which performs the request with an API key [default: the service on this machine, if it runs]
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
    /// File with the API key for --server [default: the environment variable ADJOURN_KEY]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}
