//! Tables that Adjourn did not make, of another version, or of another program; and a server that may lose what it acknowledged.

use adjourn::journal::Journal as _;
use adjourn::store::{PostgresError, PostgresJournal, PostgresSettings, StoreError};
use adjourn_test::PostgresServer;

use super::{journal, refused, settings};

#[tokio::test]
async fn tables_that_adjourn_did_not_make_are_not_written_to() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    journal(&database).await.close().await;
    let changes = [
        ("DROP INDEX actions_by_room", "CREATE INDEX actions_by_room ON actions (room, accepted)"),
        ("ALTER TABLE entries ADD COLUMN extra text", "ALTER TABLE entries DROP COLUMN extra"),
        (
            "ALTER TABLE entries DROP CONSTRAINT entries_action_step_key",
            "ALTER TABLE entries ADD UNIQUE (action, step)",
        ),
        ("CREATE RULE r AS ON INSERT TO entries DO INSTEAD NOTHING", "DROP RULE r ON entries"),
        ("ALTER TABLE locks ENABLE ROW LEVEL SECURITY", "ALTER TABLE locks DISABLE ROW LEVEL SECURITY"),
        (
            "CREATE TRIGGER t BEFORE INSERT ON entries FOR EACH ROW
             EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "DROP TRIGGER t ON entries",
        ),
    ];
    for (change, back) in changes {
        database.sql(change);
        let error = refused(&database).await;
        assert!(matches!(error, StoreError::Postgres(PostgresError::OtherTables(_))), "{change}: {error}");
        assert!(error.is_damage(), "{error}");
        database.sql(back);
        journal(&database).await.close().await;
    }
}

#[tokio::test]
async fn another_programs_schema_and_a_later_versions_are_left_alone() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    database.server.sql(
        &database.name,
        "CREATE SCHEMA adjourn AUTHORIZATION adjourn; CREATE TABLE adjourn.theirs (x int)",
    );
    let error = refused(&database).await;
    assert!(matches!(error, StoreError::Postgres(PostgresError::OtherProgram)), "{error}");

    let database = server.database();
    journal(&database).await.close().await;
    database.sql("UPDATE versions SET version = 99");
    let error = refused(&database).await;
    assert!(matches!(error, StoreError::Postgres(PostgresError::NewerSchema(99))), "{error}");
}

/// Several processes begin at once on an empty database.
#[tokio::test]
async fn whoever_begins_first_makes_the_tables() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journals = tokio::join!(journal(&database), journal(&database), journal(&database));
    let mut writers = [journals.0.writer(), journals.1.writer(), journals.2.writer()];
    writers.sort_unstable();
    assert_eq!(writers, [1, 2, 3]);
}

#[tokio::test]
async fn a_user_without_rights_is_named_as_such() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    server.sql("postgres", &format!("ALTER DATABASE {} OWNER TO postgres", database.name));
    let error = refused(&database).await;
    assert!(matches!(error, StoreError::Postgres(PostgresError::RightMissing(_))), "{error}");
}

#[tokio::test]
async fn a_server_that_may_lose_commits_is_refused_unless_the_loss_is_accepted() {
    let Some(server) = PostgresServer::start() else { return };
    let database = server.database();
    journal(&database).await.close().await;
    server.restart_without_fsync();
    let error = refused(&database).await;
    assert!(matches!(error, StoreError::Postgres(PostgresError::MayLose(_))), "{error}");
    let accepting = PostgresSettings { accept_loss: true, ..settings(&database.url()) };
    PostgresJournal::open(&accepting).await.unwrap().close().await;
}
