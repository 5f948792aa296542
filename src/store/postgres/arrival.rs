//! Moves the journal and the service store of a state directory into the database: the entries as they are, as the sealed chain of a
//! writer of its own. Never changes or deletes anything in the directory but the file `moved-to`.
//!
//! ```text
//! 1. lock the directory, verify its journal        a changed journal, or an open action, ends the move
//! 2. record the arrival in `moves`                 from now on no process opens the database
//! 3. append the entries, batch by batch            the next run compares, and goes on after the last one
//! 4. verify all of it in the database, write an anchor
//! 5. copy the service store, while nobody writes to it
//! 6. write `moved-to`                              from now on no process writes to the directory
//! 7. seal the chain, complete the row in `moves`   from now on processes open the database
//! ```
//!
//! After a crash at any step the same command goes on. At no time can processes write to both places.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::runtime::Handle;
use uuid::Uuid;

use super::batch::{Batch, BatchResult, WriterSession};
use super::connection::Connection;
use super::database::{PostgresDatabase, SETUP_LIMIT};
use super::error::PostgresError;
use super::journal_move::{JournalMove, MoveError, OPEN_NAMED_MAX};
use super::link::Link;
use super::move_start::{PURPOSE, refuse_writers, seal_ended, while_no_process_writes};
use super::moves::{self, Move};
use super::plan::Plan;
use super::records::{Reader, stored_records};
use super::schema::{column, first};
use super::service::PostgresService;
use super::settings::PostgresSettings;
use super::tables::{JOURNAL, as_column};
use super::verify;
use super::{anchors, writers};
use crate::journal::{ActionStatus, Chain, Journal as _, JournalEntry, Query, SealedEntry};
use crate::progress::{PhaseProgress, ProgressListener};
use crate::store::archived::ArchivedPart;
use crate::store::service_tables::ServiceRows;
use crate::store::verify::VerifiedJournal;
use crate::store::verify_error::VerifyError;
use crate::store::{ServiceStore, SqliteJournal, StoreError, evidence, moved_to};

/// Entries in one statement.
const BATCH: usize = 500;
/// Time limit of a statement that appends.
const APPEND_LIMIT: Duration = Duration::from_secs(60);
/// Why an arrival cannot go on after an erasure in the directory.
const ERASED_MEANWHILE: &str = "values were erased in the directory after a run that was interrupted, and the database still has them: drop \
     its schema `adjourn`, and run the command again";

/// Moves the journal and the service store of the directory into the database, or goes on after an interrupted run.
///
/// # Errors
/// The journal is in use, does not verify or has open actions, the database is not empty, or either cannot be used.
pub async fn move_to_database(
    directory: &Path,
    settings: &PostgresSettings,
    listener: Option<&ProgressListener>,
) -> Result<JournalMove, MoveError> {
    let source = Source::open(directory).await?;
    let database = PostgresDatabase::new(settings)?;
    let mut arrival = Arrival::begin(database, &settings.name, &source).await?;
    let service_rows = if arrival.is_done {
        moved_to::write(&source.directory, &arrival.database.place())?;
        0
    } else {
        arrival.append(&source, listener).await?;
        arrival.compare(&source).await?;
        arrival.finish(&source).await?
    };
    let VerifiedJournal { entries, actions, admin_events, .. } = source.verified;
    Ok(JournalMove {
        from: source.directory.display().to_string(),
        to: arrival.database.place(),
        entries,
        actions,
        admin_events,
        last: source.end,
        anchor: anchors::last(&arrival.link).await?,
        service_rows,
        was_done: arrival.is_done,
    })
}

/// The journal of the directory, locked and verified.
struct Source {
    journal: SqliteJournal,
    directory: PathBuf,
    verified: VerifiedJournal,
    archived: Option<ArchivedPart>,
    end: Chain,
}

impl Source {
    async fn open(directory: &Path) -> Result<Self, MoveError> {
        let unusable = |error| StoreError::Directory { path: directory.to_owned(), error };
        let journal = SqliteJournal::open_to_move(directory)?;
        let directory = directory.canonicalize().map_err(unusable)?;
        let verified = journal.verify(None).await?;
        if journal.beginning().await?.is_some() {
            return Err(MoveError::SeveralChains);
        }
        if verified.unpruned > 0 {
            return Err(MoveError::Unpruned);
        }
        refuse_open(&journal).await?;
        let archived = journal.archived_part().await?;
        let before = archived.as_ref().map_or(0, |part| part.chain.length);
        let end = Chain { length: before + verified.entries, head: verified.head };
        Ok(Self { journal, directory, verified, archived, end })
    }

    /// The end of the archived part.
    fn beginning(&self) -> Chain {
        self.archived.as_ref().map_or_else(Chain::default, |part| part.chain)
    }

    /// Whether the journal has an entry of this number with this hash, or begins there.
    async fn holds(&self, chain: Chain) -> Result<bool, MoveError> {
        if chain == self.beginning() {
            return Ok(true);
        }
        let entries = self.journal.entries(chain.length, 1).await?;
        Ok(entries.first().is_some_and(|entry| (entry.number, entry.hash) == (chain.length, chain.head)))
    }
}

async fn refuse_open(journal: &SqliteJournal) -> Result<(), MoveError> {
    let open = Query { status: Some(ActionStatus::Open), limit: Some(OPEN_NAMED_MAX), ..Query::default() };
    let open = journal.find(&open).await?;
    if open.is_empty() {
        return Ok(());
    }
    Err(MoveError::Open(open.iter().map(|record| record.action.id.to_string()).collect()))
}

/// The move as far as it is in the database.
struct Arrival {
    database: PostgresDatabase,
    connection: Connection,
    link: Link,
    me: WriterSession,
    /// The end of the chain in the database.
    chain: Chain,
    is_done: bool,
}

impl Arrival {
    /// Prepares the database, and begins the arrival or finds the one that was interrupted.
    async fn begin(database: PostgresDatabase, name: &str, source: &Source) -> Result<Self, MoveError> {
        let connection = database.connect_to_write(PURPOSE).await?;
        JOURNAL.prepare(&connection).await?;
        let service = PostgresService::open_to_move(database.clone()).await?;
        let work = async || begin_or_continue(&connection, &service, name, source).await;
        let (me, chain, is_done) = while_no_process_writes(&connection, work).await?;
        let link = Link::new(database.clone(), PURPOSE);
        Ok(Self { database, connection, link, me, chain, is_done })
    }

    /// Appends the entries that the database does not have yet.
    async fn append(
        &mut self,
        source: &Source,
        listener: Option<&ProgressListener>,
    ) -> Result<(), MoveError> {
        let total = usize::try_from(source.verified.entries).unwrap_or(usize::MAX);
        let mut progress = PhaseProgress::begin(listener, "copying entries", total);
        (source.beginning().length..self.chain.length).for_each(|_| progress.step());
        while self.chain.length < source.end.length {
            let entries = source.journal.entries(self.chain.length + 1, BATCH).await?;
            if entries.is_empty() {
                return Err(MoveError::Differs(format!("entry {} cannot be read", self.chain.length + 1)));
            }
            let count = entries.len();
            self.append_batch(entries).await?;
            (0..count).for_each(|_| progress.step());
        }
        Ok(())
    }

    async fn append_batch(&mut self, entries: Vec<SealedEntry>) -> Result<(), MoveError> {
        let parsed = entries.into_iter().map(|sealed| {
            let entry = sealed.parse().map_err(|error| VerifyError::of(sealed.number, error))?;
            Ok((sealed, entry))
        });
        let parsed: Vec<(SealedEntry, JournalEntry)> = parsed.collect::<Result<_, VerifyError>>()?;
        let actions: Vec<Uuid> = parsed
            .iter()
            .filter_map(|(_, entry)| match entry {
                JournalEntry::Action(fact) => Some(fact.action.0),
                JournalEntry::Admin(_) => None,
            })
            .collect();
        let known = stored_records(&Reader::Connection(&self.connection), &actions, APPEND_LIMIT).await?;
        let mut plan = Plan::new(self.me.writer, self.chain);
        for (sealed, entry) in parsed {
            let action = match &entry {
                JournalEntry::Action(fact) => known.get(&fact.action),
                JournalEntry::Admin(_) => None,
            };
            plan.add_sealed(sealed, &entry, action)?;
        }
        plan.index();
        self.store(&plan.batch, plan.after()).await
    }

    async fn store(&mut self, batch: &Batch, after: Chain) -> Result<(), MoveError> {
        match batch.store(&self.connection, self.me, self.chain, APPEND_LIMIT).await? {
            BatchResult::Stored { .. } => self.chain = after,
            BatchResult::NotOurs => {
                return Err(MoveError::Writing("another `adjourn journal move`".to_owned()));
            }
        }
        Ok(())
    }

    /// Verifies what the database has now, and compares it with the source.
    async fn compare(&self, source: &Source) -> Result<(), MoveError> {
        let there = verify::verify(&self.database.connect(PURPOSE).await?, Some(source.end.head), &[]).await;
        let there = there.map_err(|error| match error {
            VerifyError::Erased { .. } => MoveError::Differs(ERASED_MEANWHILE.to_owned()),
            error => error.into(),
        })?;
        let here = &source.verified;
        let open = u64::try_from(here.open).unwrap_or(u64::MAX);
        let count = |what: &str, here: u64, there: u64| match here == there {
            true => Ok(()),
            false => Err(MoveError::Differs(format!("{here} {what} here, {there} in the database"))),
        };
        count("entries", here.entries, there.entries)?;
        count("actions", here.actions, there.actions)?;
        count("admin events", here.admin_events, there.admin_events)?;
        count("open actions", open, there.open)?;
        count("erased values", here.erased, there.erased)?;
        let chain = there.chains.iter().find(|info| info.writer == self.me.writer).map(|info| info.chain);
        if chain != Some(source.end) {
            return Err(MoveError::Differs("the chain has another end in the database".to_owned()));
        }
        anchors::write(&self.link, self.me.writer).await?;
        Ok(())
    }

    /// Copies the service store, and marks both places, while no other process writes to the directory. Returns the number of its rows.
    async fn finish(&self, source: &Source) -> Result<u64, MoveError> {
        let service = PostgresService::open_to_move(self.database.clone()).await?;
        let connection = self.database.connect(PURPOSE).await?;
        let (me, directory, place) = (self.me, source.directory.clone(), self.database.place());
        let runtime = Handle::current();
        let work = move |rows: ServiceRows| {
            let count = rows.count();
            let stored = service.replace(move |connection| {
                rows.replace(connection)?;
                evidence::continue_number_ranges(connection)
            });
            runtime.block_on(stored)?;
            moved_to::write(&directory, &place)?;
            runtime.block_on(complete(&connection, me))?;
            Ok::<_, MoveError>(count)
        };
        ServiceStore::with_rows_of(&source.directory, work).await
    }
}

/// Returns the session of the writer whose chain arrives, the end of the chain, and whether everything has arrived.
async fn begin_or_continue(
    connection: &Connection,
    service: &PostgresService,
    name: &str,
    source: &Source,
) -> Result<(WriterSession, Chain, bool), MoveError> {
    let other = |what: &str| Err(MoveError::OtherJournal(what.to_owned()));
    match moves::last(connection).await? {
        Some(Move { is_arrival: true, writer: Some(writer), is_done, place }) => {
            let Some(id) = writers::with_number(connection, writer, SETUP_LIMIT).await? else {
                return other("its writer is gone");
            };
            let stored = writers::stored_chain(connection, id, SETUP_LIMIT).await?;
            let has_beginning = beginning(connection, writer).await? == source.archived;
            let Some(stored) = stored.filter(|_| has_beginning) else {
                return other(&format!("from {place}"));
            };
            let is_same =
                if is_done { stored.chain == source.end } else { source.holds(stored.chain).await? };
            if !is_same {
                return other(&format!("from {place}"));
            }
            let me = WriterSession { writer, session: stored.session };
            if is_done {
                return Ok((me, stored.chain, true));
            }
            let begun = writers::begin_session(connection, id, SETUP_LIMIT).await?;
            begun.map_or_else(|| other("its writer is gone"), |me| Ok((me, stored.chain, false)))
        }
        Some(Move { is_arrival: true, writer: None, .. }) => other("a move without a writer"),
        Some(Move { place, .. }) => Err(PostgresError::Moved(place).into()),
        None => begin_anew(connection, service, name, source).await,
    }
}

async fn beginning(connection: &Connection, writer: i32) -> Result<Option<ArchivedPart>, PostgresError> {
    let rows = connection.query(writers::ARCHIVED, &[], SETUP_LIMIT).await?;
    let parts = rows.iter().map(writers::archived_part).collect::<Result<Vec<_>, _>>()?;
    Ok(parts.into_iter().find(|(of, _)| *of == writer).map(|(_, part)| part))
}

/// Begins in an empty database.
async fn begin_anew(
    connection: &Connection,
    service: &PostgresService,
    name: &str,
    source: &Source,
) -> Result<(WriterSession, Chain, bool), MoveError> {
    // A directory that has moved has a database already. One that goes on has its row in `moves`.
    moved_to::refuse(&source.directory)?;
    require_empty(connection, service).await?;
    let writer = writers::begin(connection, name, SETUP_LIMIT).await?.number;
    let chain = source.beginning();
    let sql = "UPDATE writers SET length = $2, head = $3 WHERE writer = $1 RETURNING session";
    let (length, head) = (as_column(chain.length), chain.head.0.to_vec());
    let rows = connection.query(sql, &[&writer, &length, &head], SETUP_LIMIT).await?;
    let me = WriterSession { writer, session: column(first(&rows)?, 0)? };
    seal_ended(connection, writer).await?;
    if let Some(part) = &source.archived {
        let sql = "INSERT INTO archived VALUES ($1, $2, $3, $4, $5, $6)";
        let through = as_column(part.erased_through);
        let parameters =
            [&writer as _, &length as _, &head as _, &part.file as _, &part.erased as _, &through as _];
        connection.query(sql, &parameters, SETUP_LIMIT).await?;
    }
    moves::begin(connection, "in", &format!("the directory {}", source.directory.display()), Some(writer))
        .await?;
    Ok((me, chain, false))
}

/// Refuses a database with entries, rows of the service store, or a process that writes.
async fn require_empty(connection: &Connection, service: &PostgresService) -> Result<(), MoveError> {
    refuse_writers(connection).await?;
    let sql = "SELECT EXISTS (SELECT 1 FROM entries), EXISTS (SELECT 1 FROM anchors)";
    let rows = connection.query(sql, &[], SETUP_LIMIT).await?;
    if column(first(&rows)?, 0)? || column(first(&rows)?, 1)? {
        return Err(MoveError::OtherJournal("it has entries".to_owned()));
    }
    match service.first_used().await? {
        Some(table) => Err(MoveError::OtherJournal(format!("the table `{table}` has rows"))),
        None => Ok(()),
    }
}

/// Seals the chain and completes the arrival, in one statement.
async fn complete(connection: &Connection, me: WriterSession) -> Result<(), MoveError> {
    let sql = "
        WITH me AS (
            UPDATE writers SET sealed_at = clock_timestamp(), sealed_by = writer
            WHERE writer = $1 AND session = $2 AND sealed_at IS NULL RETURNING writer)
        UPDATE moves SET done_at = clock_timestamp() FROM me
        WHERE moves.writer = me.writer AND direction = 'in' AND done_at IS NULL RETURNING number";
    if connection.query(sql, &[&me.writer, &me.session], SETUP_LIMIT).await?.is_empty() {
        return Err(MoveError::Writing("another `adjourn journal move`".to_owned()));
    }
    Ok(())
}
