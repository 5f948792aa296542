//! The tables of the service store, and their migrations. Never changed once released; only appended to.

use super::schema::Schema;

/// The schema of the service store. The file's application id is `adjd`.
pub(super) const SERVICE: Schema = Schema {
    application_id: 0x6164_6a64,
    migrations: &[TABLES, SERIES, PRESENCE, KEYS, EVIDENCE, OUTBOX, WEBHOOK_QUEUES, DISPLAYS],
};

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
pub(super) const OUTBOX: &str = "
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

/// The seventh version: a queue for each webhook, with the state of delivery. The one webhook of the sixth version, named by a hash of its
/// URL, becomes `default`. Where the URL had changed, the webhook with the most notices stays. `body` is the last column, so that SQLite
/// reads the others without it.
pub(super) const WEBHOOK_QUEUES: &str = "
    CREATE TABLE webhook_queues (
        webhook         TEXT PRIMARY KEY,
        last            INTEGER NOT NULL,
        paused_until_ms INTEGER,
        attempted_ms    INTEGER,
        result          TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE webhook_notices (
        webhook    TEXT NOT NULL,
        number     INTEGER NOT NULL,
        id         TEXT NOT NULL,
        kind       TEXT NOT NULL,
        at_ms      INTEGER NOT NULL,
        expires_ms INTEGER NOT NULL,
        attempts   INTEGER NOT NULL DEFAULT 0,
        next_ms    INTEGER NOT NULL DEFAULT 0,
        dropped_ms INTEGER,
        bytes      INTEGER NOT NULL,
        body       TEXT NOT NULL,
        PRIMARY KEY (webhook, number)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX webhook_notices_by_state
        ON webhook_notices (webhook, dropped_ms, attempts, number, next_ms, at_ms, bytes);
    INSERT INTO webhook_queues (webhook, last)
        SELECT 'default', last FROM webhooks ORDER BY last DESC, webhook LIMIT 1;
    INSERT INTO webhook_notices (webhook, number, id, kind, at_ms, expires_ms, bytes, body)
        SELECT 'default', number, id, kind, at_ms, at_ms + 86400000, length(CAST(body AS BLOB)), body FROM outbox
        WHERE webhook = (SELECT webhook FROM webhooks ORDER BY last DESC, webhook LIMIT 1);
    DROP TABLE outbox;
    DROP TABLE webhooks;
";

/// The eighth version: paired displays. A display is named by its key; `lost_ms` is set while it counts as lost.
pub(super) const DISPLAYS: &str = "
    CREATE TABLE displays (
        key_id     TEXT PRIMARY KEY,
        room       TEXT NOT NULL,
        paired_ms  INTEGER NOT NULL,
        paired_by  TEXT NOT NULL,
        contact_ms INTEGER,
        version    TEXT,
        lost_ms    INTEGER
    ) STRICT, WITHOUT ROWID;
";
