//! Verifies the journal of several processes: every chain, the links between them, the index of actions, erased values, and the
//! anchors. Reads everything in one snapshot, in bounded parts. Never changes the journal.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tokio_postgres::Row;
use uuid::Uuid;

use super::beginnings::{self, Beginnings};
use super::connection::Connection;
use super::database::VERIFY_LIMIT;
use super::error::PostgresError;
use super::records::{BESIDE_ENTRY, ENTRY_COLUMNS, Reader, StoredRecord, head, read_entry, stored_records};
use super::schema::column;
use super::tables::{JOURNAL, as_column, indexed};
use super::writers::{self, ChainInfo};
use crate::action::ActionId;
use crate::journal::{
    AdminEvent, Anchor, Archived, Chain, ErasureTally, Head, JournalEntry, JournalError, Predecessor,
    SealedEntry,
};
use crate::store::action_row::ActionRow;
use crate::store::verify_error::VerifyError;

/// Rows of one statement.
const CHUNK: i64 = 1_000;

/// Counts and chains of a journal that passed verification.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifiedChains {
    /// Entries in all chains.
    pub entries: u64,
    /// Actions.
    pub actions: u64,
    /// Entries that belong to no action.
    pub admin_events: u64,
    /// Actions that are still open.
    pub open: u64,
    /// Erased personal values.
    pub erased: u64,
    /// The chains.
    pub chains: Vec<ChainInfo>,
    /// Number and hash of the last anchor.
    pub anchor: Chain,
    /// Entries that no anchor covers yet.
    pub unanchored: u64,
    /// The archived entries, which the counts above do not include. Number and hash of the last one of a chain that came from a state
    /// directory; where entries of the database were archived, the number of all, and a hash over the ends of the archived beginnings.
    pub archived: Option<Chain>,
    /// Whether entries were archived while they were in the database.
    pub archived_here: bool,
    /// Whether the archive files were verified too.
    pub archives_verified: bool,
}

/// Verifies the whole journal. `known` is a hash from an earlier time that must still be an anchor's or an entry's; `files` are the archives
/// that precede a chain. The connection must be closed afterwards, which ends the snapshot.
pub(super) async fn verify(
    connection: &Connection,
    known: Option<Head>,
    files: &[PathBuf],
) -> Result<VerifiedChains, VerifyError> {
    JOURNAL.check(connection).await?;
    let archives = beginnings::read_archives(connection, files, known).await?;
    connection.batch("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY", VERIFY_LIMIT).await?;
    let rows = connection.query(writers::CHAINS, &[], VERIFY_LIMIT).await?;
    let chains = rows.iter().map(writers::chain_info).collect::<Result<Vec<_>, _>>()?;
    let beginnings = Beginnings::read(connection, archives).await?;
    let mut known = KnownHead::of(known);
    known.is_found |= beginnings.hold(known.head);
    let entries = EntryPass::over(connection, &chains, &beginnings, &mut known).await?;
    let anchors = AnchorPass::over(connection, &mut known).await?;
    let (actions, open) = check_actions(connection).await?;
    check_orphans(connection).await?;
    if !known.is_found {
        return Err(VerifyError::HeadMissing);
    }
    if !entries.erasures.is_consistent() {
        let ErasureTally { missing, announced, .. } = entries.erasures;
        return Err(VerifyError::Erased { missing, announced });
    }
    let count = chains.iter().map(|info| info.chain.length).sum::<u64>();
    Ok(VerifiedChains {
        entries: count.saturating_sub(beginnings.entries()),
        actions,
        admin_events: entries.admin_events,
        open,
        erased: entries.erasures.missing.unsigned_abs(),
        anchor: anchors.chain,
        unanchored: count.saturating_sub(anchors.covered.values().sum()),
        archived: beginnings.summary(entries.archived_here),
        archived_here: entries.archived_here,
        archives_verified: beginnings.has_archives(),
        chains,
    })
}

/// A hash from an earlier time, and whether it was found.
struct KnownHead {
    head: Option<Head>,
    is_found: bool,
}

impl KnownHead {
    fn of(head: Option<Head>) -> Self {
        Self { head, is_found: head.is_none_or(|head| head == Head::default()) }
    }

    fn compare(&mut self, head: Head) {
        self.is_found |= self.head == Some(head);
    }
}

/// What the pass over all entries accumulates, chain after chain.
struct EntryPass<'a> {
    chains: &'a [ChainInfo],
    ends: BTreeMap<i32, Chain>,
    admin_events: u64,
    erasures: ErasureTally,
    /// The newest `archived` event of each chain, and its position.
    archived: BTreeMap<i32, (i64, Archived)>,
    /// Whether the newest of them records the beginnings of all chains.
    archived_here: bool,
}

impl<'a> EntryPass<'a> {
    /// Checks every entry of every chain by its hash, and that each chain ends where its writer's row says.
    async fn over(
        connection: &Connection,
        chains: &'a [ChainInfo],
        beginnings: &Beginnings,
        known: &mut KnownHead,
    ) -> Result<Self, VerifyError> {
        let sql = format!(
            "SELECT e.action, e.position, {ENTRY_COLUMNS} FROM entries AS e {BESIDE_ENTRY}
             WHERE (e.writer, e.number) > ($1, $2) ORDER BY e.writer, e.number LIMIT $3"
        );
        let (ends, erasures) = (beginnings.ends(), beginnings.erasures());
        let archived = BTreeMap::new();
        let mut pass = Self { chains, ends, admin_events: 0, erasures, archived, archived_here: false };
        let mut after = Some((i32::MIN, i64::MIN));
        while let Some((writer, number)) = after {
            let rows = connection.query(&sql, &[&writer, &number, &CHUNK], VERIFY_LIMIT).await?;
            after = rows
                .last()
                .map(|row| Ok::<_, PostgresError>((column(row, 2)?, column(row, 3)?)))
                .transpose()?;
            for row in &rows {
                known.compare(pass.check_row(row)?);
            }
        }
        pass.check_ends()?;
        pass.archived_here = beginnings.check(&pass.archived)?;
        Ok(pass)
    }

    /// Checks an entry; returns its hash.
    fn check_row(&mut self, row: &Row) -> Result<Head, VerifyError> {
        let (action, position) = (column::<Option<Uuid>>(row, 0)?, column(row, 1)?);
        let written = read_entry(row, 2)?;
        let writer = written.writer;
        let in_chain = |error| VerifyError::InChain { writer, error: Box::new(error) };
        self.check_entry((writer, position), action, &written.sealed).map_err(in_chain)?;
        Ok(written.sealed.hash)
    }

    fn check_entry(
        &mut self,
        (writer, position): (i32, i64),
        action: Option<Uuid>,
        sealed: &SealedEntry,
    ) -> Result<(), VerifyError> {
        self.ends.entry(writer).or_default().check(sealed)?;
        let number = sealed.number;
        let (record, missing) = JournalEntry::parse_counting_erased(&sealed.body, &sealed.personal)
            .map_err(|error| VerifyError::of(number, error))?;
        self.erasures.add_missing(number, missing);
        if record.filed_under() != action.map_or_else(String::new, |action| action.to_string()) {
            return Err(entry(number, "it is stored under another action"));
        }
        if let Some(after) = sealed.predecessor().map_err(|error| VerifyError::of(number, error))? {
            self.check_link(number, after)?;
        }
        if let JournalEntry::Admin(admin) = record {
            self.admin_events += 1;
            match admin.event {
                AdminEvent::Erased { values, through } => self.erasures.add_announced(values, through),
                AdminEvent::Archived(event) => drop(self.archived.insert(writer, (position, event))),
                _ => {}
            }
        }
        Ok(())
    }

    /// Checks that the chain that an entry continues was sealed at or after the entry before. `check_actions` compares that entry's hash.
    fn check_link(&self, number: u64, after: Predecessor) -> Result<(), VerifyError> {
        let Ok(index) = self.chains.binary_search_by_key(&after.writer, |info| info.writer) else {
            return Err(entry(
                number,
                &format!("it continues the chain of writer {}, which is gone", after.writer),
            ));
        };
        let info = &self.chains[index];
        if info.sealed_by.is_none() || info.chain.length < after.number {
            let why =
                format!("it continues the chain of writer {}, which was not sealed there", after.writer);
            return Err(entry(number, &why));
        }
        Ok(())
    }

    fn check_ends(&self) -> Result<(), VerifyError> {
        let in_chain = |writer, error| Err(VerifyError::InChain { writer, error: Box::new(error) });
        for info in self.chains {
            let end = self.ends.get(&info.writer).copied().unwrap_or_default();
            if end != info.chain {
                let why = format!(
                    "the chain ends here, and the row of its writer says entry {}",
                    info.chain.length
                );
                return in_chain(info.writer, entry(end.length, &why));
            }
        }
        let is_lost = |writer: &i32| self.chains.binary_search_by_key(writer, |info| info.writer).is_err();
        match self.ends.iter().find(|(writer, _)| is_lost(writer)) {
            Some((writer, end)) => in_chain(*writer, entry(end.length, "the row of its writer is gone")),
            None => Ok(()),
        }
    }
}

/// What the pass over the anchors accumulates.
#[derive(Default)]
struct AnchorPass {
    chain: Chain,
    /// The length of each chain in the last anchor that names it.
    covered: BTreeMap<i32, u64>,
}

/// The ends that some anchors name, as columns.
#[derive(Default)]
struct EndColumns {
    anchors: Vec<i64>,
    writers: Vec<i32>,
    lengths: Vec<i64>,
    heads: Vec<Vec<u8>>,
}

impl AnchorPass {
    /// Checks that each anchor follows from the one before it, and that every chain has the entry that each anchor names.
    async fn over(connection: &Connection, known: &mut KnownHead) -> Result<Self, VerifyError> {
        let sql = "SELECT number, body, hash FROM anchors WHERE number > $1 ORDER BY number LIMIT $2";
        let mut pass = Self::default();
        let mut after = Some(i64::MIN);
        while let Some(number) = after {
            let rows = connection.query(sql, &[&number, &CHUNK], VERIFY_LIMIT).await?;
            after = rows.last().map(|row| column(row, 0)).transpose()?;
            let mut ends = EndColumns::default();
            for row in &rows {
                pass.check_anchor(row, &mut ends)?;
                known.compare(pass.chain.head);
            }
            ends.check(connection).await?;
        }
        pass.check_covered(connection).await?;
        Ok(pass)
    }

    fn check_anchor(&mut self, row: &Row, ends: &mut EndColumns) -> Result<(), VerifyError> {
        let number = column::<i64>(row, 0)?.unsigned_abs();
        let (body, hash) = (column(row, 1)?, head(column(row, 2)?)?);
        let sealed = SealedEntry { number, body, hash, personal: Vec::new() };
        let changed = |_| anchor(number, "it was changed, or anchors before it were removed or inserted");
        self.chain.check(&sealed).map_err(changed)?;
        let read = Anchor::parse(&sealed.body).map_err(|error| anchor(number, &error.to_string()))?;
        for chain in read.chains {
            let before = self.covered.insert(chain.writer, chain.length);
            if before.is_some_and(|before| before >= chain.length) {
                return Err(anchor(
                    number,
                    &format!("the chain of writer {} is shorter than before", chain.writer),
                ));
            }
            ends.anchors.push(as_column(number));
            ends.writers.push(chain.writer);
            ends.lengths.push(as_column(chain.length));
            ends.heads.push(chain.head.0.to_vec());
        }
        Ok(())
    }

    /// The next anchor relies on the table of lengths: a chain with a wrong row would be left out.
    async fn check_covered(&self, connection: &Connection) -> Result<(), VerifyError> {
        let sql = "SELECT writer, length FROM anchored ORDER BY writer";
        let rows = connection.query(sql, &[], VERIFY_LIMIT).await?;
        let row = |row: &Row| Ok((column(row, 0)?, column::<i64>(row, 1)?.unsigned_abs()));
        let stored = rows.iter().map(row).collect::<Result<BTreeMap<i32, u64>, PostgresError>>()?;
        if stored == self.covered {
            Ok(())
        } else {
            Err(anchor(
                self.chain.length,
                "the table of anchored lengths has others: anchors after it were removed",
            ))
        }
    }
}

impl EndColumns {
    /// Checks that each chain has its entry with the named hash. `beginnings.rs` compares those that archive files have.
    async fn check(&self, connection: &Connection) -> Result<(), VerifyError> {
        let sql = "SELECT x.anchor, x.writer, x.length
                   FROM unnest($1::bigint[], $2::integer[], $3::bigint[], $4::bytea[]) AS x (anchor, writer, length, head)
                   LEFT JOIN entries AS e ON e.writer = x.writer AND e.number = x.length
                   LEFT JOIN archived AS a ON a.writer = x.writer AND a.last >= x.length
                   WHERE coalesce(e.hash, CASE WHEN a.last = x.length THEN a.hash END) IS DISTINCT FROM x.head
                   AND (a.last IS NULL OR a.last = x.length) ORDER BY x.anchor, x.writer LIMIT 1";
        let parameters = [&self.anchors as _, &self.writers as _, &self.lengths as _, &self.heads as _];
        let rows = connection.query(sql, &parameters, VERIFY_LIMIT).await?;
        let Some(row) = rows.first() else { return Ok(()) };
        let (writer, length): (i32, i64) = (column(row, 1)?, column(row, 2)?);
        let why = format!(
            "the chain of writer {writer} had another entry {length}: entries were removed or replaced"
        );
        Err(anchor(column::<i64>(row, 0)?.unsigned_abs(), &why))
    }
}

/// A row of the index of actions, and the position of the action's first entry.
struct IndexRow {
    action: Uuid,
    row: ActionRow,
    first: Option<i64>,
}

impl IndexRow {
    fn read(row: &Row) -> Result<Self, PostgresError> {
        let action: Uuid = column(row, 0)?;
        let columns = ActionRow {
            action: action.to_string(),
            accepted: column(row, 1)?,
            accepted_ms: column(row, 2)?,
            room: column(row, 3)?,
            actor: column(row, 4)?,
            rule: column(row, 5)?,
            key: column(row, 6)?,
            ending: column(row, 7)?,
            uid: column(row, 8)?,
        };
        Ok(Self { action, row: columns, first: column(row, 9)? })
    }

    fn check(&self, stored: Option<&StoredRecord>) -> Result<(), VerifyError> {
        let contradicts = |why| Err(VerifyError::Index { action: self.row.action.clone(), why });
        let (Some(stored), Some(first)) = (stored, self.first) else {
            return contradicts("no entry names it");
        };
        let row = ActionRow::from_record(&stored.record, first.unsigned_abs());
        let expected = ActionRow {
            room: indexed(&row.room),
            actor: indexed(&row.actor),
            rule: row.rule.as_deref().map(indexed),
            key: row.key.as_deref().map(indexed),
            uid: row.uid.as_deref().map(indexed),
            ..row
        };
        if self.row == expected { Ok(()) } else { contradicts("its row differs from the entries") }
    }
}

/// Replays the entries of every action in the index, across chains, and compares the rows. Returns the numbers of all and of open actions.
async fn check_actions(connection: &Connection) -> Result<(u64, u64), VerifyError> {
    let sql = "SELECT a.action, a.accepted, a.accepted_ms, a.room, a.actor, a.rule, a.key, a.status, a.uid, e.position
               FROM actions AS a LEFT JOIN entries AS e ON e.action = a.action AND e.step = 0
               WHERE a.action >= $1 ORDER BY a.action LIMIT $2";
    let (mut actions, mut open) = (0, 0);
    let mut next = Some(Uuid::nil());
    while let Some(first) = next {
        let rows = connection.query(sql, &[&first, &CHUNK], VERIFY_LIMIT).await?;
        let rows = rows.iter().map(IndexRow::read).collect::<Result<Vec<_>, _>>()?;
        next = rows.last().and_then(|row| row.action.as_u128().checked_add(1)).map(Uuid::from_u128);
        let ids: Vec<Uuid> = rows.iter().map(|row| row.action).collect();
        let stored = stored_records(&Reader::Connection(connection), &ids, VERIFY_LIMIT).await?;
        rows.iter().try_for_each(|row| row.check(stored.get(&ActionId(row.action))))?;
        actions += rows.len() as u64;
        open += stored.values().filter(|stored| stored.record.is_open()).count() as u64;
    }
    Ok((actions, open))
}

/// Finds rows that belong to nothing.
async fn check_orphans(connection: &Connection) -> Result<(), VerifyError> {
    let sql = "SELECT e.action FROM entries AS e WHERE e.action IS NOT NULL
               AND NOT EXISTS (SELECT 1 FROM actions AS a WHERE a.action = e.action) LIMIT 1";
    if let Some(row) = connection.query(sql, &[], VERIFY_LIMIT).await?.first() {
        let action = column::<Uuid>(row, 0)?.to_string();
        return Err(VerifyError::Index { action, why: "the index has no row for it" });
    }
    let sql = "SELECT p.writer, p.number FROM personal AS p WHERE NOT EXISTS (
                   SELECT 1 FROM entries AS e WHERE e.writer = p.writer AND e.number = p.number
                   AND position('\"personal\":' IN e.body) > 0) LIMIT 1";
    let rows = connection.query(sql, &[], VERIFY_LIMIT).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let why = "personal values are stored for it, but its body refers to none";
    let error = Box::new(entry(column::<i64>(row, 1)?.unsigned_abs(), why));
    Err(VerifyError::InChain { writer: column(row, 0)?, error })
}

fn entry(number: u64, why: &str) -> VerifyError {
    VerifyError::Entry { number, why: why.to_owned() }
}

fn anchor(number: u64, why: &str) -> VerifyError {
    VerifyError::Anchor { number, why: why.to_owned() }
}

impl From<PostgresError> for VerifyError {
    fn from(error: PostgresError) -> Self {
        JournalError::from(error).into()
    }
}
