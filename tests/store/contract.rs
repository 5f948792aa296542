//! One suite for every implementation of `Journal`.

use std::sync::Arc;

use adjourn::action::{ActionKind, Notify, Outcome, Refusal};
use adjourn::calendar::Uid;
use adjourn::journal::{
    ActionEntry, ActionRecord, ActionStage, ActionStatus, AdminQuery, Chain, Journal, JournalEntry,
    JournalError, MEMORY_CLOSED_MAX, MEMORY_ENTRIES_MAX, MemoryJournal, Query,
};
use adjourn_test::{journal_in, room};

use crate::sample_entries::{
    accepted, action, admin_events, an_end, at, closed, ended, everything, id, in_doubt, intended,
};

/// A journal, and what it needs: its directory, which is deleted on drop, or its server.
struct JournalUnderTest(Arc<dyn Journal>, Box<dyn std::any::Any + Send>);

/// An empty journal of each kind. The one on PostgreSQL is left out where no server is installed, or without its feature.
async fn every_journal() -> Vec<JournalUnderTest> {
    let directory = tempfile::tempdir().unwrap();
    let on_disk = journal_in(directory.path());
    let journals = [
        JournalUnderTest(Arc::new(MemoryJournal::default()), Box::new(())),
        JournalUnderTest(Arc::new(on_disk), Box::new(directory)),
    ];
    journals.into_iter().chain(on_postgres().await).collect()
}

#[cfg(all(unix, feature = "postgres"))]
async fn on_postgres() -> Option<JournalUnderTest> {
    let database = adjourn_test::PostgresServer::shared()?.database();
    let journal = crate::postgres::journal(&database).await;
    Some(JournalUnderTest(Arc::new(journal), Box::new(database)))
}

#[cfg(not(all(unix, feature = "postgres")))]
async fn on_postgres() -> Option<JournalUnderTest> {
    None
}

async fn write(journal: &dyn Journal, entries: Vec<ActionEntry>) {
    for entry in entries {
        journal.record(entry).await.unwrap();
    }
}

async fn ids(journal: &dyn Journal, query: Query) -> Vec<u128> {
    let found = journal.find(&query).await.unwrap();
    found.iter().map(|record| record.action.id.0.as_u128()).collect()
}

#[tokio::test]
async fn what_was_recorded_adds_up_to_a_life() {
    for JournalUnderTest(journal, _keep) in every_journal().await {
        write(&*journal, an_end(1, "r1", "a", 30)).await;
        let record = journal.action_record(id(1)).await.unwrap().unwrap();
        assert_eq!((record.stage, record.accepted_at), (ActionStage::Closed, at(30)));
        assert_eq!(record.done(), Some(&ended("a")));
        assert_eq!(record.requests.iter().map(|ids| &*ids.ours).collect::<Vec<_>>(), ["5f0a", "5f0b"]);
        assert_eq!(record.intent.unwrap().before.end, at(60));
        assert!(journal.action_record(id(2)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_fact_that_cannot_be_true_is_refused_and_leaves_nothing() {
    let done = Outcome::Done(ended("a"));
    let begin = || accepted(action(1, "r1", ActionKind::End(Notify::Attendees)), 0);
    let refuse = Outcome::Refused { refusal: Refusal::NoCurrentEvent };
    let cases: [(Vec<ActionEntry>, ActionEntry); 8] = [
        (vec![], intended(1, "a", 0)),
        (vec![], closed(1, refuse.clone(), 0)),
        (vec![begin()], begin()),
        (vec![begin()], in_doubt(1, 0)),
        (vec![begin()], closed(1, done.clone(), 0)),
        (vec![begin(), closed(1, refuse.clone(), 0)], intended(1, "a", 0)),
        (vec![begin(), intended(1, "a", 0), closed(1, done.clone(), 0)], closed(1, done, 0)),
        (vec![begin(), closed(1, refuse, 0)], begin()),
    ];
    for (before, impossible) in cases {
        for JournalUnderTest(journal, _keep) in every_journal().await {
            write(&*journal, before.clone()).await;
            let error = journal.record(impossible.clone()).await.unwrap_err();
            assert!(matches!(error, JournalError::InvalidTransition(_)), "{error}");
            assert_eq!(journal.entries(1, 100).await.unwrap().len(), before.len());
        }
    }
}

#[tokio::test]
async fn lives_are_found_by_everything_a_query_can_say() {
    for JournalUnderTest(journal, _keep) in every_journal().await {
        let journal = &*journal;
        write(journal, everything()).await;
        let all = Query::default();
        assert_eq!(ids(journal, all.clone()).await.len(), 30);
        assert_eq!(ids(journal, Query { limit: Some(2), ..all.clone() }).await, [200, 123]);
        assert_eq!(ids(journal, Query::room(&room("r2"))).await, [13, 12, 11, 10]);
        assert_eq!(ids(journal, Query::room(&room("nowhere"))).await, []);
        assert_eq!(ids(journal, all.clone().with_status(ActionStatus::Open)).await, [200]);
        assert_eq!(ids(journal, all.clone().with_status(ActionStatus::NeedsAttention)).await, [122]);
        assert_eq!(ids(journal, all.clone().with_status(ActionStatus::AlreadyDone)).await.len(), 4);
        assert_eq!(ids(journal, Query { since: Some(at(50)), ..all.clone() }).await, [200]);
        assert_eq!(ids(journal, Query { until: Some(at(31)), ..all.clone() }).await, [1]);
        assert_eq!(ids(journal, Query { actor: Some("ada".to_owned()), ..all.clone() }).await, [200, 1]);
        assert_eq!(
            ids(journal, Query { rule: Some("no-check-in".to_owned()), ..all.clone() }).await.len(),
            4
        );
        assert_eq!(ids(journal, Query { rule: Some("ada".to_owned()), ..all.clone() }).await, []);
        let key = Some("key-12".parse().unwrap());
        assert_eq!(ids(journal, Query { key, ..all.clone() }).await, [12]);
        let identity = Some((Uid::new("uid-a"), at(0)));
        assert_eq!(ids(journal, Query { identity, ..all.clone() }).await, [1]);
        let identity = Some((Uid::new("uid-a"), at(1)));
        assert_eq!(ids(journal, Query { identity, ..all }).await, []);
    }
}

/// All pages of a query, each examining `examine` actions: the matching actions, and the sizes of the pages.
async fn pages(journal: &dyn Journal, query: &Query, examine: usize) -> (Vec<u128>, Vec<usize>) {
    let (mut found, mut sizes, mut after) = (Vec::new(), Vec::new(), None);
    loop {
        let page = journal.page(query, after, examine).await.unwrap();
        assert!(page.examined <= examine, "{page:?}");
        found.extend(page.records.iter().map(|(_, record)| record.action.id.0.as_u128()));
        sizes.push(page.examined);
        after = page.next;
        if after.is_none() {
            return (found, sizes);
        }
    }
}

#[tokio::test]
async fn pages_of_any_size_add_up_to_what_a_query_means() {
    for JournalUnderTest(journal, _keep) in every_journal().await {
        let journal = &*journal;
        write(journal, everything()).await;
        let of = |ending| Query { status: Some(ending), ..Query::default() };
        let queries = [
            Query::default(),
            Query::room(&room("r2")),
            Query { actor: Some("ada".to_owned()), ..Query::default() },
            Query { rule: Some("no-check-in".to_owned()), ..Query::default() },
            Query { since: Some(at(31)), until: Some(at(50)), ..Query::default() },
            Query { since: Some(at(31)), ..Query::room(&room("r2")) },
            Query { actor: Some("ada".to_owned()), ..Query::room(&room("r1")) },
            Query { key: Some("key-12".parse().unwrap()), ..Query::default() },
            of(ActionStatus::NeedsAttention),
            of(ActionStatus::Open),
        ];
        for query in &queries {
            let mut meant = ids(journal, query.clone()).await;
            for examine in [1, 2, 7, 100] {
                let (mut paged, sizes) = pages(journal, query, examine).await;
                // Newest first by time; `find` orders by acceptance.
                meant.sort_unstable();
                paged.sort_unstable();
                assert_eq!(paged, meant, "{query:?} by {examine}");
                let full = sizes.iter().rev().skip(1).all(|size| *size == examine);
                assert!(full, "{query:?} by {examine}: {sizes:?}");
            }
        }
        let all = journal.page(&Query::default(), None, 1_000).await.unwrap();
        assert!(all.records.is_sorted_by(|(one, _), (next, _)| one > next), "newest first");
        let limited = Query { limit: Some(3), ..Query::default() };
        let page = journal.page(&limited, None, 1_000).await.unwrap();
        assert_eq!((page.records.len(), page.next), (3, Some(page.records[2].0)));
    }
}

#[tokio::test]
async fn entries_are_chained_and_read_back_as_they_were() {
    for JournalUnderTest(journal, _keep) in every_journal().await {
        write(&*journal, everything()).await;
        let mut chain = Chain::default();
        let mut read = Vec::new();
        for first in [1, 21, 41, 61] {
            for sealed in journal.entries(first, 20).await.unwrap() {
                chain.check(&sealed).unwrap();
                read.push(sealed.parse().unwrap());
            }
        }
        let expected: Vec<_> = everything().into_iter().map(JournalEntry::from).collect();
        assert_eq!(read, expected);
    }
}

#[tokio::test]
async fn many_at_once_are_all_kept() {
    for JournalUnderTest(journal, _keep) in every_journal().await {
        let tasks: Vec<_> = (0..300)
            .map(|number| {
                let journal = journal.clone();
                tokio::spawn(async move {
                    write(&*journal, an_end(number, &format!("r{number}"), "a", 0)).await;
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(journal.entries(1, 10_000).await.unwrap().len(), 1_200);
        let open = journal.find(&Query::default().with_status(ActionStatus::Open)).await.unwrap();
        assert_eq!(open, Vec::<ActionRecord>::new());
    }
}

#[tokio::test]
async fn admin_events_stand_in_the_same_chain_and_are_found_by_time() {
    for JournalUnderTest(journal, _keep) in every_journal().await {
        write(&*journal, an_end(1, "r1", "a", 0)).await;
        for entry in admin_events() {
            journal.record_admin(entry).await.unwrap();
        }
        write(&*journal, an_end(2, "r1", "b", 30)).await;
        let (mut chain, mut records) = (Chain::default(), Vec::new());
        for sealed in journal.entries(1, 100).await.unwrap() {
            chain.check(&sealed).unwrap();
            records.push(sealed.parse().unwrap());
        }
        let expected = an_end(1, "r1", "a", 0).into_iter().map(JournalEntry::from);
        let expected = expected.chain(admin_events().into_iter().map(JournalEntry::from));
        let expected = expected.chain(an_end(2, "r1", "b", 30).into_iter().map(JournalEntry::from));
        assert_eq!(records, expected.collect::<Vec<_>>());

        let numbers = async |query| {
            let page = journal.admin_events(&query).await.unwrap();
            (page.events.iter().map(|(number, _)| *number).collect::<Vec<_>>(), page.more)
        };
        let all = AdminQuery::default();
        let last = 4 + admin_events().len() as u64;
        let newest_first: Vec<u64> = (5..=last).rev().collect();
        assert_eq!(numbers(all.clone()).await, (newest_first.clone(), None));
        let read: Vec<_> = journal.admin_events(&all).await.unwrap().events;
        let mut read: Vec<_> = read.into_iter().map(|(_, entry)| entry).collect();
        read.reverse();
        assert_eq!(read, admin_events());
        let page = AdminQuery { limit: 2, ..all.clone() };
        assert_eq!(numbers(page).await, (newest_first[..2].to_vec(), Some(last - 1)));
        let rest = AdminQuery { before: Some(last - 1), ..all.clone() };
        assert_eq!(numbers(rest).await, (newest_first[2..].to_vec(), None));
        let one = AdminQuery { since: Some(at(62)), until: Some(at(63)), ..all };
        assert_eq!(numbers(one).await, (vec![7], None));
        // They belong to no action.
        assert_eq!(ids(&*journal, Query::default()).await, [2, 1]);
    }
}

/// A demo runs for weeks: the oldest closed actions are dropped, open ones stay.
#[tokio::test]
async fn a_journal_in_memory_forgets_the_oldest_closed_actions() {
    let journal = MemoryJournal::default();
    let open = accepted(action(1, "r1", ActionKind::End(Notify::Attendees)), 0);
    journal.record(open).await.unwrap();
    let count = MEMORY_CLOSED_MAX as u128 + 50;
    let refused = Outcome::Refused { refusal: Refusal::NoCurrentEvent };
    for number in 2..count + 2 {
        let begin = accepted(action(number, "r2", ActionKind::End(Notify::Attendees)), 0);
        write(&journal, vec![begin, closed(number, refused.clone(), 0)]).await;
    }
    let records = journal.find(&Query::default()).await.unwrap();
    assert_eq!(records.len(), MEMORY_CLOSED_MAX + 1);
    assert!(journal.action_record(id(1)).await.unwrap().unwrap().is_open());
    assert!(journal.action_record(id(51)).await.unwrap().is_none());
    assert!(journal.action_record(id(52)).await.unwrap().is_some());
    for minute in 0..MEMORY_ENTRIES_MAX as i64 {
        let mut event = admin_events()[0].clone();
        event.at = at(minute);
        journal.record_admin(event).await.unwrap();
    }
    let kept = journal.entries(1, usize::MAX).await.unwrap();
    assert_eq!(kept.len(), MEMORY_ENTRIES_MAX);
    assert_eq!(kept.last().unwrap().number, journal.chain().unwrap().length);
}
