//! Moves the journal and the service store of the database into a state directory: all chains in one file, whose own chain follows the last
//! anchor. Never changes or deletes anything in the database but the row in `moves`, and the seals of writers that have ended.
//!
//! ```text
//! 1. lock the directory, which must be empty
//! 2. verify the database
//! 3. record the departure in `moves`               a process that writes, or an open action, ends the move; no process opens the database
//! 4. write `moved-to` into the directory           no process opens the directory yet
//! 5. verify it again, write the last anchor
//! 6. write the file and the service store, and verify the file
//! 7. complete the row in `moves`
//! 8. remove `moved-to`                             from now on processes open the directory
//! ```
//!
//! After a crash at any step the same command goes on. At no time can processes write to both places.

use std::fs::File;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::archived_chains::ArchivedChains;
use super::batch::WriterSession;
use super::connection::Connection;
use super::database::{PostgresDatabase, SETUP_LIMIT, VERIFY_LIMIT};
use super::error::PostgresError;
use super::journal_move::{JournalMove, MoveError, OPEN_NAMED_MAX};
use super::link::Link;
use super::move_start::{PURPOSE, refuse_writers, seal_ended, while_no_process_writes};
use super::moves::{self, Move};
use super::records::{BESIDE_ENTRY, ENTRY_COLUMNS, head, read_entry};
use super::schema::column;
use super::service::PostgresService;
use super::settings::PostgresSettings;
use super::tables::JOURNAL;
use super::verify::{self, VerifiedChains};
use super::{anchors, writers};
use crate::journal::{Chain, SealedEntry};
use crate::progress::{PhaseProgress, ProgressListener};
use crate::store::archived::ArchivedPart;
use crate::store::beginning::MovedChain;
use crate::store::moved_file::{self, MovedFile};
use crate::store::verify::VerifiedJournal;
use crate::store::{ServiceStore, StoreError, StoreOptions, directory, moved_to};

/// Moves the journal and the service store of the database into the directory, or goes on after an interrupted run.
///
/// # Errors
/// A process writes to the database, actions are open, entries were archived in the database, the directory is not empty, the journal does not
/// verify, or either place cannot be used.
pub async fn move_to_directory(
    settings: &PostgresSettings,
    directory: &Path,
    listener: Option<&ProgressListener>,
) -> Result<JournalMove, MoveError> {
    let target = Target::lock(directory)?;
    let database = PostgresDatabase::new(settings)?;
    let departure = Departure::begin(database, &settings.name, &target).await?;
    let was_done = departure.step == Step::Marked;
    if !was_done {
        moved_to::write(&target.directory, &departure.database.place())?;
    }
    let verified = verify::verify(&departure.database.connect(PURPOSE).await?, None, &[]).await?;
    let service_rows = if was_done { 0 } else { departure.finish(&target, &verified, listener).await? };
    let anchor = anchors::last(&departure.link).await?;
    if moved_file::beginning_in(&target.directory)?.map(|beginning| beginning.head) != Some(anchor.head) {
        return Err(PostgresError::Moved(target.place()).into());
    }
    moved_to::remove(&target.directory)?;
    Ok(JournalMove {
        from: departure.database.place(),
        to: target.directory.display().to_string(),
        entries: verified.entries,
        actions: verified.actions,
        admin_events: verified.admin_events,
        last: anchor,
        anchor,
        service_rows,
        was_done,
    })
}

/// The directory, locked.
struct Target {
    directory: PathBuf,
    _lock: File,
}

impl Target {
    fn lock(directory: &Path) -> Result<Self, MoveError> {
        let unusable = |error| StoreError::Directory { path: directory.to_owned(), error };
        directory::create(directory).map_err(unusable)?;
        let directory = directory.canonicalize().map_err(unusable)?;
        let lock = directory::lock(&directory, StoreOptions::default().lock_patience)?;
        Ok(Self { directory, _lock: lock })
    }

    fn place(&self) -> String {
        format!("the directory {}", self.directory.display())
    }

    /// Whether the directory has the file `moved-to`.
    fn is_marked(&self) -> Result<bool, StoreError> {
        match moved_to::refuse(&self.directory) {
            Ok(()) => Ok(false),
            Err(StoreError::Moved { .. }) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Refuses a directory that something else is in.
    fn require_vacant(&self) -> Result<(), MoveError> {
        let has = |name: &str| self.directory.join(name).exists();
        if has(directory::JOURNAL_FILE) || has(directory::HEAD_FILE) {
            return Err(MoveError::NotVacant("a journal"));
        }
        if ServiceStore::exists_in(&self.directory) {
            return Err(MoveError::NotVacant("a service store"));
        }
        Ok(moved_to::refuse(&self.directory)?)
    }
}

/// How far the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The row in `moves` is there.
    Begun,
    /// It is complete.
    Marked,
}

/// The move as far as it is in the database.
struct Departure {
    database: PostgresDatabase,
    connection: Connection,
    link: Link,
    me: WriterSession,
    step: Step,
}

impl Departure {
    /// Begins the departure, or finds the one that was interrupted.
    async fn begin(database: PostgresDatabase, name: &str, target: &Target) -> Result<Self, MoveError> {
        let connection = database.connect_to_write(PURPOSE).await?;
        match JOURNAL.require(&connection).await {
            Ok(()) | Err(PostgresError::OlderSchema(_)) => JOURNAL.prepare(&connection).await?,
            Err(error) => return Err(error.into()),
        }
        let archived = ArchivedChains::read(&connection).await?;
        if moves::last(&connection).await?.is_none_or(|last| last.is_arrival) {
            // Once the departure is recorded, no process opens the database.
            let verified = verify::verify(&database.connect(PURPOSE).await?, None, &[]).await?;
            if verified.archived_here {
                return Err(MoveError::ArchivedChains);
            }
        }
        let work = async || begin_or_continue(&connection, name, target, &archived).await;
        let (me, step) = while_no_process_writes(&connection, work).await?;
        Ok(Self { link: Link::new(database.clone(), PURPOSE), database, connection, me, step })
    }

    /// Writes the directory's files, and completes the row in `moves`. Returns the number of rows of the service store.
    async fn finish(
        &self,
        target: &Target,
        verified: &VerifiedChains,
        listener: Option<&ProgressListener>,
    ) -> Result<u64, MoveError> {
        let anchor = anchors::write(&self.link, self.me.writer).await?;
        if moved_file::beginning_in(&target.directory)?.map(|beginning| beginning.head) != Some(anchor.head) {
            self.write_file(target, verified, anchor, listener).await?;
        }
        let rows = PostgresService::open_to_move(self.database.clone()).await?.rows().await?;
        let count = rows.count();
        ServiceStore::replace_rows_of(&target.directory, rows).await?;
        self.complete().await?;
        Ok(count)
    }

    async fn write_file(
        &self,
        target: &Target,
        verified: &VerifiedChains,
        anchor: Chain,
        listener: Option<&ProgressListener>,
    ) -> Result<(), MoveError> {
        let connection = self.database.connect(PURPOSE).await?;
        let rows = connection.query(writers::ARCHIVED, &[], VERIFY_LIMIT).await?;
        let parts = rows.iter().map(writers::archived_part).collect::<Result<Vec<_>, _>>()?;
        let part = parts.into_iter().next().map(|(_, part)| part);
        let mut file = MovedFile::create(&target.directory, part.as_ref())?;
        let total = usize::try_from(verified.entries).unwrap_or(usize::MAX);
        let progress = PhaseProgress::begin(listener, "copying entries", total);
        put_entries(&connection, &mut file, progress).await?;
        put_anchors(&connection, &file).await?;
        for info in verified.chains.iter().filter(|info| info.chain.length > 0) {
            let first_after = info.archived.unwrap_or_default();
            let chain = MovedChain { writer: info.writer.into(), first_after, end: info.chain };
            file.put_chain(&chain, &info.name, &info.version)?;
        }
        publish(file, verified, anchor, part.as_ref())
    }

    /// Seals this writer and completes the departure, in one statement.
    async fn complete(&self) -> Result<(), MoveError> {
        let sql = "
            WITH me AS (
                UPDATE writers SET sealed_at = clock_timestamp(), sealed_by = writer
                WHERE writer = $1 AND session = $2 AND sealed_at IS NULL RETURNING writer)
            UPDATE moves SET done_at = clock_timestamp() FROM me
            WHERE moves.writer = me.writer AND direction = 'out' AND done_at IS NULL RETURNING number";
        let me = self.me;
        if self.connection.query(sql, &[&me.writer, &me.session], SETUP_LIMIT).await?.is_empty() {
            return Err(MoveError::Writing("another `adjourn journal move`".to_owned()));
        }
        Ok(())
    }
}

/// Returns the session of the writer that moves the journal, and how far it is.
async fn begin_or_continue(
    connection: &Connection,
    name: &str,
    target: &Target,
    archived: &ArchivedChains,
) -> Result<(WriterSession, Step), MoveError> {
    match moves::last(connection).await? {
        None | Some(Move { is_arrival: true, is_done: true, .. }) => {
            target.require_vacant()?;
            begin_anew(connection, name, target, archived).await
        }
        Some(Move { is_arrival: false, place, writer: Some(writer), is_done }) if place == target.place() => {
            if !is_done && !target.is_marked()? {
                // Nothing of the earlier run is there, so whatever is there belongs to somebody else.
                target.require_vacant()?;
            }
            let step = if is_done { Step::Marked } else { Step::Begun };
            let me = match writers::with_number(connection, writer, SETUP_LIMIT).await? {
                Some(_) if is_done => Some(WriterSession { writer, session: 0 }),
                Some(id) => writers::begin_session(connection, id, SETUP_LIMIT).await?,
                None => None,
            };
            let gone = || PostgresError::Damaged("the writer that moves the journal is gone".to_owned());
            Ok((me.ok_or_else(gone)?, step))
        }
        Some(Move { is_done: true, place, .. }) => Err(PostgresError::Moved(place).into()),
        Some(Move { place, .. }) => Err(PostgresError::MoveUnfinished(place).into()),
    }
}

/// Begins if no process writes, no action is open, and no entries were archived since `archived` was read.
async fn begin_anew(
    connection: &Connection,
    name: &str,
    target: &Target,
    archived: &ArchivedChains,
) -> Result<(WriterSession, Step), MoveError> {
    refuse_writers(connection).await?;
    if ArchivedChains::read(connection).await? != *archived {
        return Err(MoveError::ArchivedChains);
    }
    let sql =
        format!("SELECT action FROM actions WHERE status = 'open' ORDER BY accepted LIMIT {OPEN_NAMED_MAX}");
    let open = connection.query(&sql, &[], SETUP_LIMIT).await?;
    if !open.is_empty() {
        let named = open.iter().map(|row| column::<Uuid>(row, 0).map(|action| action.to_string()));
        return Err(MoveError::Open(named.collect::<Result<_, _>>()?));
    }
    let writer = writers::begin(connection, name, SETUP_LIMIT).await?.number;
    seal_ended(connection, writer).await?;
    moves::begin(connection, "out", &target.place(), Some(writer)).await?;
    Ok((WriterSession { writer, session: 0 }, Step::Begun))
}

/// Reads all entries in the order of the database.
async fn put_entries(
    connection: &Connection,
    file: &mut MovedFile,
    mut progress: PhaseProgress<'_>,
) -> Result<(), MoveError> {
    let declare = format!(
        "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY; DECLARE entries_in_order NO SCROLL CURSOR FOR
         SELECT {ENTRY_COLUMNS} FROM entries AS e {BESIDE_ENTRY} ORDER BY e.position"
    );
    connection.batch(&declare, VERIFY_LIMIT).await?;
    loop {
        let rows = connection.query("FETCH 500 FROM entries_in_order", &[], VERIFY_LIMIT).await?;
        if rows.is_empty() {
            return Ok(connection.batch("COMMIT", SETUP_LIMIT).await?);
        }
        for row in &rows {
            let written = read_entry(row, 0)?;
            file.put(written.writer.into(), &written.sealed)?;
            progress.step();
        }
    }
}

async fn put_anchors(connection: &Connection, file: &MovedFile) -> Result<(), MoveError> {
    let sql = "SELECT number, body, hash FROM anchors WHERE number > $1 ORDER BY number LIMIT 500";
    let mut after = 0;
    loop {
        let rows = connection.query(sql, &[&after], VERIFY_LIMIT).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = column::<i64>(last, 0)?;
        for row in &rows {
            let (number, hash) = (column::<i64>(row, 0)?.unsigned_abs(), head(column(row, 2)?)?);
            file.put_anchor(&SealedEntry { number, body: column(row, 1)?, hash, personal: Vec::new() })?;
        }
    }
}

/// Verifies the file, compares it with the database, and gives it its name.
fn publish(
    file: MovedFile,
    there: &VerifiedChains,
    anchor: Chain,
    archived: Option<&ArchivedPart>,
) -> Result<(), MoveError> {
    let (file, here) = file.finish(anchor, archived)?;
    let VerifiedJournal { entries, actions, admin_events, erased, .. } = here;
    let counts = (entries, actions, admin_events, erased);
    if counts != (there.entries, there.actions, there.admin_events, there.erased) {
        let why = format!(
            "{entries} entries and {actions} actions in the file, {} and {} in the database",
            there.entries, there.actions
        );
        return Err(MoveError::Differs(why));
    }
    Ok(file.publish()?)
}
