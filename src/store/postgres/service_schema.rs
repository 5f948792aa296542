//! The tables of the service store in PostgreSQL, and their migrations. Never changed once released; only appended to.
//!
//! They are those of `service.sqlite`, with what processes need to share them: the columns of claims, and the ranges of sign numbers. Text is compared by its bytes, as SQLite does. A key of room, UID and
//! time fits into an index entry (2 704 bytes): a UID has at most 2 KiB, and an address 320 bytes.

use super::schema::PostgresSchema;

/// The schema of the service store.
pub(super) const SERVICE: PostgresSchema = PostgresSchema { part: "service", migrations: &[TABLES] };

const TABLES: &str = r#"
    CREATE TABLE keys (
        id           text COLLATE "C" PRIMARY KEY,
        name         text COLLATE "C" NOT NULL,
        hash         bytea NOT NULL,
        rooms        text NOT NULL,
        rights       text NOT NULL,
        per_minute   bigint NOT NULL,
        created_ms   bigint NOT NULL,
        revoked_ms   bigint,
        expires_ms   bigint,
        certificate  bytea,
        last_used_ms bigint
    );
    CREATE UNIQUE INDEX keys_in_force ON keys (name) WHERE revoked_ms IS NULL;
    CREATE TABLE pending_admin_events (
        number           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        entry            text NOT NULL,
        claimed_until_ms bigint
    );
    CREATE TABLE displays (
        key_id     text COLLATE "C" PRIMARY KEY,
        room       text COLLATE "C" NOT NULL,
        paired_ms  bigint NOT NULL,
        paired_by  text NOT NULL,
        contact_ms bigint,
        version    text,
        lost_ms    bigint
    );

    CREATE TABLE evidence (
        number        bigint PRIMARY KEY,
        room          text COLLATE "C" NOT NULL,
        event         text,
        at_ms         bigint NOT NULL,
        received_ms   bigint NOT NULL,
        source        text NOT NULL,
        reporter      text NOT NULL,
        minutes       bigint NOT NULL,
        uid           text,
        original_ms   bigint,
        keep_until_ms bigint NOT NULL
    );
    CREATE INDEX evidence_by_end ON evidence (keep_until_ms);
    CREATE TABLE sign_number_ranges (
        number bigint PRIMARY KEY CHECK (number = 1),
        last   bigint NOT NULL
    );
    CREATE TABLE refused_evidence (
        room    text COLLATE "C" PRIMARY KEY,
        from_ms bigint NOT NULL,
        to_ms   bigint NOT NULL
    );

    CREATE TABLE uptimes (
        started_ms bigint PRIMARY KEY,
        alive_ms   bigint NOT NULL
    );
    CREATE TABLE sources (
        link     text COLLATE "C" NOT NULL,
        place    text COLLATE "C" NOT NULL,
        source   text COLLATE "C" NOT NULL,
        since_ms bigint NOT NULL,
        last_ms  bigint NOT NULL,
        reporter text NOT NULL,
        PRIMARY KEY (link, place, source)
    );
    CREATE TABLE rule_since (
        room     text COLLATE "C" PRIMARY KEY,
        since_ms bigint NOT NULL
    );
    CREATE TABLE decisions (
        room       text COLLATE "C" NOT NULL,
        uid        text COLLATE "C" NOT NULL,
        start_ms   bigint NOT NULL,
        end_ms     bigint NOT NULL,
        decided_ms bigint NOT NULL,
        decision   text NOT NULL,
        why        text NOT NULL,
        PRIMARY KEY (room, uid, start_ms)
    );
    CREATE INDEX decisions_by_time ON decisions (decided_ms);
    CREATE TABLE series (
        room    text COLLATE "C" NOT NULL,
        uid     text COLLATE "C" NOT NULL,
        came_ms bigint NOT NULL,
        PRIMARY KEY (room, uid)
    );
    CREATE INDEX series_by_time ON series (came_ms);
    CREATE TABLE excused (
        room     text COLLATE "C" NOT NULL,
        uid      text COLLATE "C" NOT NULL,
        start_ms bigint NOT NULL,
        PRIMARY KEY (room, uid, start_ms)
    );
    CREATE TABLE runs (
        schedule text COLLATE "C" PRIMARY KEY,
        last_ms  bigint NOT NULL
    );

    CREATE TABLE webhook_queues (
        webhook         text COLLATE "C" PRIMARY KEY,
        last            bigint NOT NULL,
        paused_until_ms bigint,
        attempted_ms    bigint,
        result          text
    );
    CREATE TABLE webhook_notices (
        webhook          text COLLATE "C" NOT NULL,
        number           bigint NOT NULL,
        id               text NOT NULL,
        kind             text NOT NULL,
        at_ms            bigint NOT NULL,
        expires_ms       bigint NOT NULL,
        attempts         bigint NOT NULL DEFAULT 0,
        next_ms          bigint NOT NULL DEFAULT 0,
        dropped_ms       bigint,
        claimed_attempt  bigint,
        claimed_until_ms bigint,
        bytes            bigint NOT NULL,
        body             text NOT NULL,
        PRIMARY KEY (webhook, number)
    );
    CREATE INDEX webhook_notices_by_state
        ON webhook_notices (webhook, dropped_ms, attempts, number, next_ms, at_ms, bytes);
"#;
