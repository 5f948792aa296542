//! Every release of Exchange: the client speaks a version that each accepts, and uses only features that each has.

use adjourn::action::{ActionKind, DeleteMode, Notify, Outcome};
use adjourn::calendar::Copy;
use adjourn::sim::{ExchangeRelease, SimulatorOptions};
use adjourn_test::{Office, aurora, meeting, now, simulator_with, world};

const RELEASES: [(ExchangeRelease, usize); 6] = [
    // The number of schema versions, newest first, that the release rejects.
    (ExchangeRelease::Exchange2010Sp2, 2),
    (ExchangeRelease::Exchange2013, 1),
    (ExchangeRelease::Exchange2013Sp1, 0),
    (ExchangeRelease::Exchange2016, 0),
    (ExchangeRelease::SubscriptionEdition, 0),
    (ExchangeRelease::Online, 0),
];

#[tokio::test]
async fn an_end_and_a_delete_work_with_every_release_and_the_version_is_learnt_once() {
    for (release, refused) in RELEASES {
        let mut world = world();
        let ended = world.add_meeting(meeting());
        let sim = simulator_with(world, SimulatorOptions { release, ..SimulatorOptions::default() }).await;
        let office = Office::with_simulator(sim, vec![aurora()], None);
        let Outcome::Done(done) = office.perform(ActionKind::End(Notify::Attendees)).await else {
            panic!("{release:?}")
        };
        assert_eq!(done.copy, Copy::Attendee, "{release:?}: the copy is recognized without IsOrganizer too");
        assert!(office.event(&ended).unwrap().end <= now(), "{release:?}");
        let views = office.request_count("FindItem");
        let next = office.sim.world(|world| world.add_meeting(meeting()));
        let outcome = office.perform(ActionKind::Delete(DeleteMode::Notify)).await;
        assert!(matches!(outcome, Outcome::Done(_)), "{release:?}: {outcome:?}");
        assert!(office.event(&next).is_none(), "{release:?}");
        assert_eq!(office.request_count("UpdateItem"), 1, "{release:?}: a write is sent once");
        assert_eq!(views, 1 + refused, "{release:?}");
        assert_eq!(office.request_count("FindItem") - views, 1, "{release:?}: nothing is learnt twice");
    }
}
