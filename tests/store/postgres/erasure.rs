//! Personal values are erased in all chains, and the chains verify afterwards.

use adjourn::journal::{
    AdminActor, AdminEvent, AdminQuery, ERASED, ErasureRequest, ErasureTarget, Journal, Query,
};
use adjourn_test::PostgresServer;
use chrono::TimeDelta;

use super::{checked, journal, write};
use crate::sample_entries::{an_end, at, id};

fn erasure(target: ErasureTarget) -> ErasureRequest {
    let by = AdminActor::CommandLine { uid: Some(0), user: Some("root".to_owned()) };
    ErasureRequest { target, by, now: at(1_000_000), key_ttl: TimeDelta::days(1) }
}

#[tokio::test]
async fn a_person_is_erased_from_every_chain() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let (first, second) = (journal(&database).await, journal(&database).await);
    write(&first, an_end(1, "r1", "a", 0)).await;
    write(&second, an_end(2, "r2", "b", 0)).await;
    let count =
        || database.sql("SELECT count(*) FROM personal WHERE convert_from(value, 'UTF8') ILIKE 'ada'");
    // The actor, and the organizer's name in the outcome, of each action.
    assert_eq!(count(), "4");
    let result = second.erase(erasure(ErasureTarget::Person("ADA".to_owned()))).await.unwrap();
    assert!(result.values >= 2 && result.spared == 0 && !result.in_clear, "{result:?}");
    assert_eq!(count(), "0");
    for journal in [&first, &second] {
        assert_eq!(checked(journal, journal.writer()).await, journal.chain().unwrap());
        let record = journal.action_record(id(1)).await.unwrap().unwrap();
        assert_eq!(record.action.actor.name(), ERASED);
    }
    let by_ada = Query { actor: Some("ada".to_owned()), ..Query::default() };
    assert_eq!(first.find(&by_ada).await.unwrap(), []);
    let events = first.admin_events(&AdminQuery::default()).await.unwrap().events;
    assert!(
        matches!(events[0].1.event, AdminEvent::Erased { values, .. } if values == result.values),
        "{events:?}"
    );
    assert_eq!(second.erase(erasure(ErasureTarget::Person("ada".to_owned()))).await.unwrap().values, 0);
}

#[tokio::test]
async fn everything_before_an_instant_is_erased_except_of_open_actions() {
    let Some(server) = PostgresServer::shared() else { return };
    let database = server.database();
    let journal = journal(&database).await;
    write(&journal, an_end(1, "r1", "a", 0)).await;
    write(&journal, an_end(2, "r2", "b", 0)[..2].to_vec()).await;
    let result = journal.erase(erasure(ErasureTarget::Before(at(1_000_000)))).await.unwrap();
    assert!(result.values > 0 && result.spared > 0, "{result:?}");
    let left = "SELECT count(*) FROM personal JOIN entries USING (writer, number) WHERE action = ";
    assert_eq!(database.sql(&format!("{left}'{}'", id(1))), "0");
    assert_eq!(database.sql(&format!("{left}'{}'", id(2))), result.spared.to_string());
    assert_eq!(checked(&journal, journal.writer()).await, journal.chain().unwrap());
}
