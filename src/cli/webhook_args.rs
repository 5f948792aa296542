//! Arguments of `adjourn webhook`. Types only.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

/// `adjourn webhook`.
#[derive(Debug, Args)]
pub struct WebhookArgs {
    /// The command.
    #[command(subcommand)]
    pub command: WebhookCommand,
}

/// Subcommands of `adjourn webhook`. They need no running service, and work beside one.
#[derive(Debug, Subcommand)]
pub enum WebhookCommand {
    /// List the configured webhooks: receiver, kinds, rooms, waiting notices, last attempt
    #[command(after_help = "Example:\n  adjourn webhook list\n  adjourn webhook list --json")]
    List,
    /// Send a notice `test` to a webhook now, and print the answer
    #[command(
        after_help = "Example:\n  adjourn webhook test facility\n\nThe notice has the number 0, is signed like any other, and is sent once, whatever kinds and rooms the webhook has.\n\nExit code 0 when the receiver accepted the notice (HTTP 200 to 299), 1 when it answered anything else, 4 when it did not answer, 2 when no webhook has the name."
    )]
    Test {
        /// The webhook's name
        name: String,
    },
    /// Queue the dropped and failed notices of a webhook again, to be sent at once
    #[command(
        after_help = "Example:\n  adjourn webhook redeliver facility\n  adjourn webhook redeliver facility --since 2026-05-06T00:00:00Z\n\nA running service sends them within seconds, else the next one after its start; each is sent again for another day. A dropped notice is stored for a day after it was dropped. One that did not fit into the queue is not stored.\n\nExit code 0 also when there was none."
    )]
    Redeliver(RedeliverArgs),
}

/// `adjourn webhook redeliver`.
#[derive(Debug, Args)]
pub struct RedeliverArgs {
    /// The webhook's name
    pub name: String,
    /// Only notices of events at this time or later [default: all that are stored]
    #[arg(long, value_name = "TIME")]
    pub since: Option<DateTime<Utc>>,
}
