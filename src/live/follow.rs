//! Following a group of rooms: by listening while that works, else by asking what changed, else by reading the calendars again
//! and again. Tries the better way again by itself.

use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep, timeout};

use super::feed::{Ears, SyncState};
use super::rooms::{How, Rooms, Teller};
use super::{Live, Numbers, PATIENCE};
use crate::action::Fault;
use crate::calendar::RoomAddress;
use crate::engine::Trouble;

/// A stream that lasts less than this was none.
const LASTING: Duration = Duration::from_secs(30);
/// How often the pause before listening again doubles.
const DOUBLINGS_MAX: u32 = 5;
/// While listening begins, nothing else follows the rooms; when it takes longer than this, something does.
const OPENING: Duration = Duration::from_secs(20);
/// Rooms asked about at once (`ConcurrentSyncCalls` grants five).
const ASKED_AT_ONCE: usize = 4;
/// After so many rounds, a room that is read again and again is asked again what changed.
const ROUNDS_OF_VIEW: u32 = 20;
/// Rooms of which nobody knew where they live are looked for again.
const REGROUP: Duration = Duration::from_secs(5 * 60);

/// Follows all rooms, in the groups that the feed makes of them. Dropped, it follows none any more.
pub(super) async fn follow_all(live: Arc<Live>, rooms: Vec<RoomAddress>) {
    let best = live.options.best;
    let (mut following, nobody) = (FuturesUnordered::new(), HashSet::new());
    let mut rest = match best {
        How::Asked => Vec::new(),
        _ => rooms.iter().map(|room| Polled::new(room, best)).collect(),
    };
    loop {
        let rooms: Vec<_> = rest.iter().map(|one: &Polled<'_>| one.room.clone()).collect();
        let groups = tokio::select! {
            groups = live.groups(&rooms) => groups,
            () = live.poll_later(&mut rest) => Vec::new(),
            () = all(&mut following) => Vec::new(),
        };
        let mut grouped = HashSet::new();
        for group in groups {
            let Some(ears) = live.feed.ears(&group) else { continue };
            if following.len() < live.options.connections_max {
                grouped.extend(group.iter().cloned());
                following.push(live.follow(group, ears));
            }
        }
        rest.retain(|one| !grouped.contains(&one.room));
        let again = best == How::Streaming && !rest.is_empty();
        tokio::select! {
            () = live.poll(&mut rest, &nobody) => {}
            () = all(&mut following) => {}
            () = sleep(REGROUP), if again => {}
        }
    }
}

/// All of them, and they never end.
async fn all(following: &mut FuturesUnordered<impl Future<Output = ()>>) {
    while following.next().await.is_some() {}
    std::future::pending::<()>().await;
}

impl Live {
    /// The largest first: where there are not connections enough, the fewest rooms go without.
    async fn groups(&self, rooms: &[RoomAddress]) -> Vec<Vec<RoomAddress>> {
        let mut groups = match self.options.best {
            How::Streaming => self.feed.groups(rooms).await,
            How::Sync | How::View | How::Asked => Vec::new(),
        };
        groups.sort_by_key(|rooms| Reverse(rooms.len()));
        groups
    }

    /// Follows one group for ever.
    async fn follow(&self, group: Vec<RoomAddress>, mut ears: Box<dyn Ears>) {
        let mut polled: Vec<_> = group.iter().map(|room| Polled::new(room, How::Sync)).collect();
        let (mut short, mut pause, nobody) = (0_u32, None, HashSet::new());
        loop {
            let opened = match pause.take() {
                None => tokio::select! {
                    opened = ears.open() => opened,
                    () = self.poll_later(&mut polled) => return,
                },
                // Rooms are asked about meanwhile, until there is somebody who tells of them.
                Some(pause) => tokio::select! {
                    opened = async { sleep(pause).await; ears.open().await } => opened,
                    () = self.poll(&mut polled, &nobody) => return,
                },
            };
            let begun = Instant::now();
            let (why, lasted) = match opened {
                Ok(deaf) => {
                    let why = self.listen(&group, deaf, &mut *ears, &mut polled).await;
                    (why, begun.elapsed() >= LASTING)
                }
                Err(trouble) => (Some(trouble), false),
            };
            short = if lasted { 0 } else { short + 1 };
            if let Some(trouble) = &why {
                let first = group.first().map(RoomAddress::as_str);
                tracing::warn!(rooms = group.len(), first, %trouble, "nobody tells of changes in these rooms for now");
            }
            // A server that has said all it has to say is asked again at once, but not again and again.
            if short > u32::from(why.is_none()) {
                pause = Some(self.options.again_after.saturating_mul(1 << (short - 1).min(DOUBLINGS_MAX)));
            }
        }
    }

    /// Listens until it ends: `None` when it is to be opened again at once.
    async fn listen<'l>(
        &'l self,
        group: &[RoomAddress],
        deaf: Vec<(RoomAddress, Trouble)>,
        ears: &mut dyn Ears,
        polled: &mut [Polled<'l>],
    ) -> Option<Trouble> {
        for (room, trouble) in &deaf {
            tracing::warn!(%room, %trouble, "cannot be listened to; it is asked about instead");
        }
        let deaf: HashSet<_> = deaf.into_iter().map(|(room, _)| room).collect();
        let heard: HashSet<_> = group.iter().filter(|room| !deaf.contains(room)).cloned().collect();
        let follows = Follows::new(&self.rooms, heard.iter().cloned().collect(), How::Streaming);
        let _counted = Counted::new(&self.numbers);
        let ended = tokio::select! {
            ended = self.hear(&follows.teller, ears) => ended,
            () = self.poll(polled, &heard) => None,
        };
        if ended.is_some() {
            Numbers::add(&self.numbers.broken, 1);
        }
        ended
    }

    async fn hear(&self, teller: &Teller, ears: &mut dyn Ears) -> Option<Trouble> {
        loop {
            let heard = match ears.hear().await {
                Ok(heard) => heard,
                Err(trouble) => return Some(trouble),
            };
            Numbers::add(&self.numbers.told, heard.changed.len());
            Numbers::add(&self.numbers.lost, heard.lost.len());
            // First what changed, then that all until now is told: between the two nobody takes the old for the new.
            heard.changed.iter().for_each(|room| self.rooms.changed(room));
            if heard.closed || !heard.lost.is_empty() {
                return None;
            }
            teller.heard(self.rooms.now());
        }
    }

    /// The same as [`poll`](Self::poll), where something better has not come in a while.
    async fn poll_later<'l>(&'l self, polled: &mut [Polled<'l>]) {
        sleep(OPENING).await;
        self.poll(polled, &HashSet::new()).await;
    }

    /// Asks what changed in these rooms, but for those that somebody tells of, again and again, for ever. Dropped, it follows
    /// none of them any more.
    async fn poll<'l>(&'l self, polled: &mut [Polled<'l>], told: &HashSet<RoomAddress>) {
        let polling = Polling(polled);
        loop {
            let begun = Instant::now();
            let asked = polling.0.iter_mut().filter(|one| !told.contains(&one.room));
            futures_util::stream::iter(asked).for_each_concurrent(ASKED_AT_ONCE, |one| one.ask(self)).await;
            let rest = self.options.poll.saturating_sub(begun.elapsed());
            // However slow the server is, it has a rest.
            sleep(rest.max(self.options.poll / 4)).await;
        }
    }
}

/// Rooms that are asked about, as long as this lives.
struct Polling<'p, 'l>(&'p mut [Polled<'l>]);

impl Drop for Polling<'_, '_> {
    fn drop(&mut self) {
        self.0.iter_mut().for_each(|one| one.follows = None);
    }
}

/// A room that is asked about, and how far that is.
struct Polled<'l> {
    room: RoomAddress,
    best: How,
    how: How,
    /// Rounds since it is read again and again.
    rounds: u32,
    state: Option<SyncState>,
    follows: Option<Follows<'l>>,
}

/// As long as this lives, these rooms are followed by this teller.
struct Follows<'l> {
    rooms: &'l Rooms,
    followed: Vec<RoomAddress>,
    teller: Arc<Teller>,
}

impl<'l> Follows<'l> {
    fn new(rooms: &'l Rooms, followed: Vec<RoomAddress>, how: How) -> Self {
        let teller = Teller::new(how, rooms.now());
        rooms.follow(&followed, &teller);
        Self { rooms, followed, teller }
    }
}

impl Drop for Follows<'_> {
    fn drop(&mut self) {
        self.rooms.unfollow(&self.followed, &self.teller);
    }
}

impl<'l> Polled<'l> {
    fn new(room: &RoomAddress, best: How) -> Self {
        let best = best.min(How::Sync);
        Self { room: room.clone(), best, how: best, rounds: 0, state: None, follows: None }
    }

    async fn ask(&mut self, live: &'l Live) {
        let asked_at = live.rooms.now();
        let Some(changed) = self.is_other(live).await else { return };
        match &self.follows {
            None => {
                let room = vec![self.room.clone()];
                self.follows = Some(Follows::new(&live.rooms, room, self.how));
            }
            Some(follows) => {
                if changed {
                    live.rooms.changed(&self.room);
                }
                follows.teller.heard(asked_at);
            }
        }
    }

    /// Whether it may have changed since it was asked last; `None` when that is not known now.
    async fn is_other(&mut self, live: &Live) -> Option<bool> {
        self.rounds = self.rounds.saturating_add(1);
        if self.how == How::View && self.best == How::Sync && self.rounds > ROUNDS_OF_VIEW {
            (self.how, self.follows) = (How::Sync, None);
        }
        if self.how != How::Sync {
            return Some(true);
        }
        match timeout(PATIENCE, live.feed.changed(&self.room, self.state.as_ref())).await {
            Ok(Ok(synced)) => {
                self.state = Some(synced.state);
                Some(synced.changed)
            }
            Ok(Err(trouble)) if matches!(trouble.fault, Fault::Administrator | Fault::Caller) => {
                tracing::warn!(room = %self.room, %trouble, "cannot be asked what changed; it is read again and again");
                (self.how, self.rounds, self.follows) = (How::View, 0, None);
                Some(true)
            }
            Ok(Err(trouble)) => {
                tracing::warn!(room = %self.room, %trouble, "cannot be asked what changed for now");
                None
            }
            Err(_) => None,
        }
    }
}

/// Counts a connection as long as it listens.
struct Counted<'a>(&'a Numbers);

impl<'a> Counted<'a> {
    fn new(numbers: &'a Numbers) -> Self {
        Numbers::add(&numbers.listening, 1);
        Self(numbers)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.listening.fetch_sub(1, Ordering::Relaxed);
    }
}
