//! The tables of the service store, and their migrations. Never changed once released; only appended to.

use super::schema::Schema;

/// The schema of the service store. The file's application id is `adjd`.
pub(super) const SERVICE: Schema =
    Schema { application_id: 0x6164_6a64, migrations: &[TABLES, SERIES, PRESENCE, KEYS, EVIDENCE, OUTBOX] };

/// The first version: API keys, signs of presence, runs of schedules.
const TABLES: &str = "
    CREATE TABLE keys (
        id         TEXT PRIMARY KEY,
        name       TEXT NOT NULL,
        hash       BLOB NOT NULL,
        rooms      TEXT NOT NULL,
        rights     TEXT NOT NULL,
        per_minute INTEGER NOT NULL,
        created_ms INTEGER NOT NULL,
        revoked_ms INTEGER
    ) STRICT;
    CREATE TABLE evidence (
        number INTEGER PRIMARY KEY,
        room   TEXT NOT NULL,
        event  TEXT,
        at_ms  INTEGER NOT NULL,
        source TEXT NOT NULL
    ) STRICT;
    CREATE INDEX evidence_by_time ON evidence (at_ms);
    CREATE TABLE runs (
        schedule TEXT PRIMARY KEY,
        last_ms  INTEGER NOT NULL
    ) STRICT;
";

/// The second version: the last date of each series at which attendance was seen.
const SERIES: &str = "
    CREATE TABLE series (
        room    TEXT NOT NULL,
        uid     TEXT NOT NULL,
        came_ms INTEGER NOT NULL,
        PRIMARY KEY (room, uid)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX series_by_time ON series (came_ms);
";

/// The third version: up-times, sources, the start of the check-in rule, excused dates, decisions.
const PRESENCE: &str = "
    ALTER TABLE evidence ADD COLUMN received_ms   INTEGER;
    ALTER TABLE evidence ADD COLUMN uid           TEXT;
    ALTER TABLE evidence ADD COLUMN original_ms   INTEGER;
    ALTER TABLE evidence ADD COLUMN keep_until_ms INTEGER;
    UPDATE evidence SET received_ms = at_ms, keep_until_ms = at_ms + 86400000;
    CREATE INDEX evidence_by_end ON evidence (keep_until_ms);
    CREATE TABLE uptimes (
        started_ms INTEGER PRIMARY KEY,
        alive_ms   INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE sources (
        link     TEXT NOT NULL,
        place    TEXT NOT NULL,
        source   TEXT NOT NULL,
        since_ms INTEGER NOT NULL,
        last_ms  INTEGER NOT NULL,
        PRIMARY KEY (link, place, source)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE rule_since (
        room     TEXT PRIMARY KEY,
        since_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE excused (
        room     TEXT NOT NULL,
        uid      TEXT NOT NULL,
        start_ms INTEGER NOT NULL,
        PRIMARY KEY (room, uid, start_ms)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE decisions (
        room       TEXT NOT NULL,
        uid        TEXT NOT NULL,
        start_ms   INTEGER NOT NULL,
        end_ms     INTEGER NOT NULL,
        decided_ms INTEGER NOT NULL,
        decision   TEXT NOT NULL,
        why        TEXT NOT NULL,
        PRIMARY KEY (room, uid, start_ms)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX decisions_by_time ON decisions (decided_ms);
";

/// The fourth version: expiry, certificate and last use of keys, and waiting admin events. Patterns and rights become JSON lists: joined
/// by spaces, a pattern with a space inside became two patterns.
pub(super) const KEYS: &str = r#"
    ALTER TABLE keys ADD COLUMN expires_ms   INTEGER;
    ALTER TABLE keys ADD COLUMN certificate  BLOB;
    ALTER TABLE keys ADD COLUMN last_used_ms INTEGER;
    UPDATE keys SET
        rooms  = CASE trim(rooms) WHEN '' THEN '[]' ELSE
            '["' || replace(replace(replace(trim(rooms), '\', '\\'), '"', '\"'), ' ', '","') || '"]' END,
        rights = CASE trim(rights) WHEN '' THEN '[]' ELSE '["' || replace(trim(rights), ' ', '","') || '"]' END;
    CREATE INDEX keys_in_force ON keys (name) WHERE revoked_ms IS NULL;
    CREATE TABLE pending_admin_events (
        number INTEGER PRIMARY KEY,
        entry  TEXT NOT NULL
    ) STRICT;
"#;

/// The fifth version: reporters of signs, and the times of refused signs.
const EVIDENCE: &str = "
    ALTER TABLE evidence ADD COLUMN reporter TEXT NOT NULL DEFAULT '';
    ALTER TABLE evidence ADD COLUMN minutes  INTEGER NOT NULL DEFAULT 0;
    DROP INDEX evidence_by_time;
    ALTER TABLE sources ADD COLUMN reporter TEXT NOT NULL DEFAULT '';
    CREATE TABLE refused_evidence (
        room    TEXT PRIMARY KEY,
        from_ms INTEGER NOT NULL,
        to_ms   INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// The sixth version: the outbox of webhooks.
const OUTBOX: &str = "
    CREATE TABLE webhooks (
        webhook TEXT PRIMARY KEY,
        last    INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE outbox (
        webhook TEXT NOT NULL,
        number  INTEGER NOT NULL,
        id      TEXT NOT NULL,
        kind    TEXT NOT NULL,
        at_ms   INTEGER NOT NULL,
        body    TEXT NOT NULL,
        PRIMARY KEY (webhook, number)
    ) STRICT, WITHOUT ROWID;
    CREATE UNIQUE INDEX outbox_by_id ON outbox (webhook, id);
";
