//! Following a group of rooms: by listening while that works, else by asking what changed, else by reading the calendars again
//! and again. Tries to listen again by itself.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::feed::{Ears, SyncState};
use super::rooms::{How, Teller};
use super::{Live, Numbers};
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

/// Follows all rooms, in the groups that the feed makes of them.
pub(super) async fn follow_all(live: Arc<Live>, rooms: Vec<RoomAddress>) {
    let groups = match live.options.best {
        How::Streaming => live.feed.groups(&rooms).await,
        How::Sync | How::View | How::Asked => Vec::new(),
    };
    let mut tasks = JoinSet::new();
    let mut listened_to = std::collections::HashSet::new();
    for group in groups.into_iter().take(live.options.connections_max) {
        if let Some(ears) = live.feed.ears(&group) {
            listened_to.extend(group.iter().cloned());
            tasks.spawn(follow(live.clone(), group, ears));
        }
    }
    let rest: Vec<_> = rooms.into_iter().filter(|room| !listened_to.contains(room)).collect();
    if live.options.best != How::Asked {
        live.poll(&rest).await;
    }
    while tasks.join_next().await.is_some() {}
}

/// Follows one group for ever.
async fn follow(live: Arc<Live>, group: Vec<RoomAddress>, mut ears: Box<dyn Ears>) {
    let mut short = 0;
    loop {
        let begun = Instant::now();
        let opened = tokio::select! {
            opened = ears.open() => opened,
            () = async { sleep(OPENING).await; live.poll(&group).await } => return,
        };
        let why = match opened {
            Ok(deaf) => live.listen(&group, deaf, &mut *ears).await,
            Err(trouble) => Some(trouble),
        };
        short = if begun.elapsed() < LASTING { short + 1 } else { 0 };
        if let Some(trouble) = &why {
            let first = group.first().map(RoomAddress::as_str);
            tracing::warn!(rooms = group.len(), first, %trouble, "nobody tells of changes in these rooms for now");
        }
        // A server that has said all it has to say is asked again at once, but not again and again.
        if short > u32::from(why.is_none()) {
            let pause = live.options.again_after.saturating_mul(1 << (short - 1).min(DOUBLINGS_MAX));
            // Rooms are asked about meanwhile.
            let _ = tokio::time::timeout(pause, live.poll(&group)).await;
        }
    }
}

impl Live {
    /// Listens until it ends: `None` when it is to be opened again at once.
    async fn listen(
        &self,
        group: &[RoomAddress],
        deaf: Vec<(RoomAddress, Trouble)>,
        ears: &mut dyn Ears,
    ) -> Option<Trouble> {
        for (room, trouble) in &deaf {
            tracing::warn!(%room, %trouble, "cannot be listened to; it is asked about instead");
        }
        let deaf: Vec<_> = deaf.into_iter().map(|(room, _)| room).collect();
        let heard: Vec<_> = group.iter().filter(|room| !deaf.contains(room)).cloned().collect();
        let teller = Teller::new(How::Streaming, self.rooms.now());
        self.rooms.follow(&heard, &teller);
        let _counted = Counted::new(&self.numbers);
        let ended = tokio::select! {
            ended = self.hear(&teller, ears) => ended,
            () = self.poll(&deaf) => None,
        };
        self.rooms.unfollow(&heard, &teller);
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

    /// Asks what changed in these rooms, again and again, for ever.
    async fn poll(&self, rooms: &[RoomAddress]) {
        let mut polled: Vec<_> = rooms.iter().map(|room| Polled::new(room, self.options.best)).collect();
        loop {
            let begun = Instant::now();
            futures_util::stream::iter(&mut polled)
                .for_each_concurrent(ASKED_AT_ONCE, |one| one.ask(self))
                .await;
            let rest = self.options.poll.saturating_sub(begun.elapsed());
            // However slow the server is, it has a rest.
            sleep(rest.max(self.options.poll / 4)).await;
        }
    }
}

/// A room that is asked about; when that ends, nobody tells of it.
struct Polled<'l> {
    room: RoomAddress,
    how: How,
    state: Option<SyncState>,
    follows: Option<Follows<'l>>,
}

/// As long as this lives, the room is followed by this teller.
struct Follows<'l> {
    live: &'l Live,
    room: RoomAddress,
    teller: Arc<Teller>,
}

impl Drop for Follows<'_> {
    fn drop(&mut self) {
        self.live.rooms.unfollow(std::slice::from_ref(&self.room), &self.teller);
    }
}

impl<'l> Polled<'l> {
    fn new(room: &RoomAddress, best: How) -> Self {
        Self { room: room.clone(), how: best.min(How::Sync), state: None, follows: None }
    }

    async fn ask(&mut self, live: &'l Live) {
        let asked_at = live.rooms.now();
        let changed = match self.how {
            How::Sync => match live.feed.changed(&self.room, self.state.as_ref()).await {
                Ok(synced) => {
                    let first = self.state.replace(synced.state).is_none();
                    synced.changed || first
                }
                Err(trouble) => {
                    tracing::warn!(room = %self.room, %trouble, "cannot be asked what changed; it is read again and again");
                    (self.how, self.follows) = (How::View, None);
                    true
                }
            },
            _ => true,
        };
        match &self.follows {
            None => {
                let (room, teller) = (self.room.clone(), Teller::new(self.how, asked_at));
                live.rooms.follow(std::slice::from_ref(&room), &teller);
                self.follows = Some(Follows { live, room, teller });
            }
            Some(follows) if changed => {
                live.rooms.changed(&self.room);
                follows.teller.heard(asked_at);
            }
            Some(follows) => follows.teller.heard(asked_at),
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
        self.0.listening.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
    }
}
