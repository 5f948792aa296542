//! Arguments of `adjourn display`. Types only.

use clap::{Args, Subcommand};

use super::service_args::ServiceArgs;
use crate::access::KeyName;

/// `adjourn display`.
#[derive(Debug, Args)]
pub struct DisplayArgs {
    /// The command.
    #[command(subcommand)]
    pub command: DisplayCommand,
}

/// Subcommands of `adjourn display`.
#[derive(Debug, Subcommand)]
pub enum DisplayCommand {
    /// Pair the display that shows a code, by a request to the running service
    #[command(
        after_help = "Example:\n  adjourn display pair 482913 --room room1@example.com --name 'Room 1, door' --key-file operator.key\n  ADJOURN_KEY=$(cat operator.key) adjourn display pair 482913 --room room1@example.com --server https://rooms.example.com\n\nOpen /display on the tablet: it shows the code. On the service's machine, root and the service's user need no key. Elsewhere the key needs the rights `displays` and `read` in the room; the display receives a key of its own, with the rights of a display as far as this key has them.\n\nExit code 0 when the display is paired, 1 when the service refused (code, name, rights), 2 without a key or with an invalid URL, 4 when the service does not answer."
    )]
    Pair(DisplayPairArgs),
    /// List the paired displays: room, pairing, last contact, build
    #[command(
        after_help = "Example:\n  adjourn display list\n  adjourn display list --json\n\nReads the service store, where a running service writes last contacts once a minute."
    )]
    List,
    /// Remove a display: revoke its key
    #[command(
        after_help = "Example:\n  adjourn display remove 'Room 1, door'\n\nA running service refuses the key within a second, and the display shows a new code within a minute. Exit code 0 when it is removed, 1 when no display has the name."
    )]
    Remove {
        /// The display's name or id, from `adjourn display list`
        name: String,
    },
}

/// `adjourn display pair`.
#[derive(Debug, Args)]
pub struct DisplayPairArgs {
    /// The six digits that the display shows
    pub code: String,
    /// The room's SMTP address
    #[arg(long)]
    pub room: String,
    /// Name of the display and of its key: 1 to 64 printable characters, unique among keys [default: made of the room's address]
    #[arg(long)]
    pub name: Option<KeyName>,
    /// PIN that signs the display out: 4 to 12 digits [default: none]
    #[arg(long)]
    pub pin: Option<String>,
    /// The running service that knows the code.
    #[command(flatten)]
    pub service: ServiceArgs,
}
