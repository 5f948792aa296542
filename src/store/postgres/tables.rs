//! The tables of the journal in PostgreSQL, and the form of texts in them. Never changes the content of an entry.
//!
//! `writers` and `entries` are the journal itself: no row of `writers` is deleted, no entry is changed, and entries are deleted only after an
//! archive file holds them (`removal.rs`). `actions` is an
//! index that can be made again from `entries`. `locks` holds what processes have locked. `anchors` names
//! the ends of chains; a row of it is never changed.

use super::schema::PostgresSchema;

/// The tables of the journal.
pub(super) const JOURNAL: PostgresSchema =
    PostgresSchema { part: "journal", migrations: &[TABLES, ANCHORS, MOVES] };

/// `session` counts the connections that append for a writer: a statement of an earlier one changes nothing. `is_locked` says that the
/// writer holds the advisory lock of its incarnation. `position` orders the entries of all chains: `accepted` of an action is the
/// position of its first entry.
const TABLES: &str = "
    CREATE TABLE writers (
        writer      integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        incarnation uuid NOT NULL UNIQUE,
        name        text NOT NULL,
        version     text NOT NULL,
        session     integer NOT NULL DEFAULT 0,
        length      bigint NOT NULL DEFAULT 0,
        head        bytea NOT NULL,
        until       timestamptz NOT NULL,
        is_locked   boolean NOT NULL DEFAULT false,
        sealed_at   timestamptz,
        sealed_by   integer
    ) WITH (fillfactor = 50);
    CREATE INDEX writers_unsealed ON writers (writer) WHERE sealed_at IS NULL;

    CREATE TABLE entries (
        writer   integer NOT NULL,
        number   bigint NOT NULL,
        position bigint GENERATED ALWAYS AS IDENTITY,
        action   uuid,
        step     integer,
        body     text NOT NULL,
        hash     bytea NOT NULL,
        PRIMARY KEY (writer, number),
        UNIQUE (action, step),
        CHECK ((action IS NULL) = (step IS NULL))
    );
    CREATE INDEX entries_of_no_action ON entries (position) WHERE action IS NULL;

    CREATE TABLE personal (
        writer  integer NOT NULL,
        number  bigint NOT NULL,
        pointer text NOT NULL,
        at_ms   bigint NOT NULL,
        salt    bytea NOT NULL,
        value   bytea NOT NULL,
        PRIMARY KEY (writer, number, pointer)
    );
    CREATE INDEX personal_by_time ON personal (at_ms);

    CREATE TABLE actions (
        action      uuid PRIMARY KEY,
        accepted    bigint NOT NULL,
        accepted_ms bigint NOT NULL,
        room        text NOT NULL,
        actor       text NOT NULL,
        rule        text,
        key         text,
        status      text NOT NULL,
        uid         text
    ) WITH (fillfactor = 80);
    CREATE INDEX actions_by_accepted    ON actions (accepted);
    CREATE INDEX actions_by_room        ON actions (room, accepted);
    CREATE INDEX actions_by_key         ON actions (key, accepted) WHERE key IS NOT NULL;
    CREATE INDEX actions_by_uid         ON actions (uid, accepted) WHERE uid IS NOT NULL;
    CREATE INDEX actions_open           ON actions (accepted) WHERE status = 'open';
    CREATE INDEX actions_by_time        ON actions (accepted_ms, accepted);
    CREATE INDEX actions_by_room_time   ON actions (room, accepted_ms, accepted);
    CREATE INDEX actions_by_actor       ON actions (actor, accepted_ms, accepted);
    CREATE INDEX actions_by_rule        ON actions (rule, accepted_ms, accepted) WHERE rule IS NOT NULL;
    CREATE INDEX actions_by_room_status ON actions (room, status, accepted);
    CREATE INDEX actions_unsettled      ON actions (accepted_ms, accepted) WHERE status = 'needs-attention';

    CREATE TABLE locks (
        name   text PRIMARY KEY,
        writer integer NOT NULL,
        token  bigint NOT NULL
    ) WITH (fillfactor = 60);
";

/// `anchored` has the length of each chain in the last anchor that names it: an index that can be made again from `anchors`.
const ANCHORS: &str = "
    CREATE TABLE anchors (
        number bigint PRIMARY KEY,
        body   text NOT NULL,
        hash   bytea NOT NULL
    );
    CREATE TABLE anchored (
        writer integer PRIMARY KEY,
        length bigint NOT NULL
    );
";

/// `archived` has the entry after which a chain continues, if its beginning is in archive files. `moves` has the
/// moves between the database and state directories.
const MOVES: &str = "
    CREATE TABLE archived (
        writer         integer PRIMARY KEY,
        last           bigint NOT NULL,
        hash           bytea NOT NULL,
        file           text NOT NULL,
        erased         bigint NOT NULL,
        erased_through bigint NOT NULL
    );
    CREATE TABLE moves (
        number    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        direction text NOT NULL,
        place     text NOT NULL,
        writer    integer,
        done_at   timestamptz
    );
";

/// Characters of a text in the index of actions. PostgreSQL's B-trees take 2 700 bytes a row, and a character up to four.
const INDEXED_MAX: usize = 500;

/// A text as the index of actions and the locks hold it: PostgreSQL's texts have no NUL, and its indexes no long texts. Two texts may have the
/// same form, so a record that the index names is compared with the query.
pub(super) fn indexed(text: &str) -> String {
    text.chars()
        .take(INDEXED_MAX)
        .map(|char| if char == '\0' { char::REPLACEMENT_CHARACTER } else { char })
        .collect()
}

/// A number of ours in a column.
pub(super) fn as_column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_indexed_text_has_no_nul_and_fits_into_a_row_of_an_index() {
        assert_eq!(indexed("room\0@x"), "room\u{fffd}@x");
        assert_eq!(indexed("ada"), "ada");
        assert_eq!(indexed(&"\u{1f600}".repeat(9_000)).len(), 4 * INDEXED_MAX);
    }
}
