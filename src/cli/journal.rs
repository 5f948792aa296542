//! `adjourn journal move`: moves the journal and the service store between the state directory and the database. Never opens an
//! Exchange.

use super::args::{ConnectionArgs, JournalArgs};
use super::connect;
use super::exit::CommandError;
#[cfg(not(feature = "postgres"))]
use super::exit::Exit;
use super::output::Output;

#[cfg(feature = "postgres")]
pub(super) async fn run(
    args: &JournalArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<super::exit::Exit, CommandError> {
    let super::args::JournalCommand::Move(args) = &args.command;
    moving::run(args, &connect::storage(connection)?, output).await
}

/// Without PostgreSQL there is one place only.
#[cfg(not(feature = "postgres"))]
pub(super) async fn run(
    _: &JournalArgs,
    connection: &ConnectionArgs,
    _: &Output,
) -> Result<Exit, CommandError> {
    connect::storage(connection)?;
    let message = "this program was built without PostgreSQL (the cargo feature `postgres`)";
    Err(CommandError::new(Exit::Usage, message))
}

#[cfg(feature = "postgres")]
mod moving {
    use serde::Serialize;

    use crate::cli::args::{JournalPlace, MoveArgs};
    use crate::cli::audit::verify::exit_of as exit_of_verification;
    use crate::cli::exit::{CommandError, Exit};
    use crate::cli::output::Output;
    use crate::cli::progress::progress_listener;
    use crate::cli::storage::Storage;
    use crate::store::{JournalMove, MoveError, StoreError, move_to_database, move_to_directory};

    /// The output of `--json`.
    #[derive(Serialize)]
    struct MoveReport {
        from: String,
        to: String,
        entries: u64,
        actions: u64,
        admin_events: u64,
        service_rows: u64,
        /// Number and hash of the last entry before the move.
        last: u64,
        head: String,
        /// Number and hash of the last anchor.
        anchor: u64,
        anchor_head: String,
        /// Whether an earlier run had moved everything.
        was_done: bool,
    }

    impl From<&JournalMove> for MoveReport {
        fn from(moved: &JournalMove) -> Self {
            Self {
                from: moved.from.clone(),
                to: moved.to.clone(),
                entries: moved.entries,
                actions: moved.actions,
                admin_events: moved.admin_events,
                service_rows: moved.service_rows,
                last: moved.last.length,
                head: moved.last.head.to_string(),
                anchor: moved.anchor.length,
                anchor_head: moved.anchor.head.to_string(),
                was_done: moved.was_done,
            }
        }
    }

    pub(super) async fn run(
        args: &MoveArgs,
        storage: &Storage,
        output: &Output,
    ) -> Result<Exit, CommandError> {
        let Some(database) = storage.database_settings() else {
            let message = "the configuration names no database: set `journal.url`";
            return Err(CommandError::new(Exit::Usage, message));
        };
        let progress = progress_listener(output);
        let moved = match args.to {
            JournalPlace::Database => move_to_database(storage.directory(), database, Some(&*progress)).await,
            JournalPlace::Directory => {
                move_to_directory(database, storage.directory(), Some(&*progress)).await
            }
        };
        let moved = moved.map_err(|error| {
            CommandError::new(exit_of(&error), "the journal was not moved").caused_by(error)
        })?;
        output.success(&MoveReport::from(&moved), || text(&moved, args.to))?;
        Ok(Exit::Done)
    }

    fn text(moved: &JournalMove, to: JournalPlace) -> String {
        let JournalMove { from, to: place, entries, actions, admin_events, service_rows, last, .. } = moved;
        if moved.was_done {
            return format!("The journal had moved from {from} to {place} before: nothing was left to do.");
        }
        let (what, then) = match to {
            JournalPlace::Database => ("entry", ""),
            JournalPlace::Directory => ("anchor", " Remove `journal.url` from the configuration."),
        };
        format!(
            "Moved {entries} entries of {actions} actions, {admin_events} admin events among them, and {service_rows} rows of the \
             service store from {from} to {place}.\nThe hash of the last {what} is {}: `adjourn audit verify --head HASH` finds \
             it, and every earlier one, there.\n{from} keeps everything and refuses new entries.{then}",
            last.head
        )
    }

    fn exit_of(error: &MoveError) -> Exit {
        match error {
            MoveError::Open(_)
            | MoveError::Unpruned
            | MoveError::SeveralChains
            | MoveError::ArchivedChains
            | MoveError::NotVacant(_)
            | MoveError::OtherJournal(_) => Exit::Refused,
            MoveError::Writing(_) => Exit::Journal,
            MoveError::Differs(_) => Exit::Tampered,
            MoveError::Verify(error) => exit_of_verification(error),
            MoveError::Store(error @ StoreError::Absent { .. }) => Exit::of_store(error),
            MoveError::Store(error) => Exit::of_opening(error),
        }
    }
}
