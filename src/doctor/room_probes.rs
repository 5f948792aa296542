//! Sends one check to many rooms, a few at once, and returns the results in the order of the rooms. Knows no protocol.

use tokio::task::JoinSet;

use crate::calendar::RoomAddress;
use crate::progress::PhaseProgress;

/// Rooms to check at once.
const MAX_CONCURRENT_ROOMS: usize = 8;

/// The results of `probe` for these rooms.
pub(super) async fn probe_rooms<T, F>(
    rooms: &[RoomAddress],
    mut progress: PhaseProgress<'_>,
    probe: impl Fn(RoomAddress) -> F,
) -> Vec<(RoomAddress, T)>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut waiting = rooms.iter().cloned().enumerate();
    let mut looking = JoinSet::new();
    let mut all = Vec::with_capacity(rooms.len());
    loop {
        while looking.len() < MAX_CONCURRENT_ROOMS
            && let Some((place, room)) = waiting.next()
        {
            let looked = probe(room.clone());
            looking.spawn(async move { (place, room, looked.await) });
        }
        match looking.join_next().await {
            None => break,
            Some(Ok(looked)) => all.push(looked),
            // A panic is a defect of Adjourn; the missing room shows it.
            Some(Err(_)) => {}
        }
        progress.step();
    }
    all.sort_by_key(|(place, ..)| *place);
    all.into_iter().map(|(_, room, answer)| (room, answer)).collect()
}
