//! Whether rooms have any event in a window, twenty rooms in one `$batch` of reads. Writes never share a batch.

use futures_util::future::try_join_all;

use super::connection::Graph;
use super::contents::{RoomOccupancy, occupancies};
use super::request::{BATCH_MAX, batch_of_views};
use super::request_error::RequestError;
use crate::calendar::{RoomAddress, Window};
use crate::engine::Occupancy;
use crate::http::delivery::HttpResponse;

/// Batches under way for one question. Graph works one off in four to five seconds, nearly one room after another.
const BATCHES_AT_ONCE: usize = 8;

impl Graph {
    /// Whether each of these rooms has an event in the window. A room whose response is missing or refused may be busy.
    pub(super) async fn occupancy_of(
        &self,
        rooms: &[RoomAddress],
        window: Window,
    ) -> Result<Vec<Occupancy>, RequestError> {
        let batches: Vec<&[RoomAddress]> = rooms.chunks(BATCH_MAX).collect();
        let mut all = Vec::with_capacity(rooms.len());
        for group in batches.chunks(BATCHES_AT_ONCE) {
            let answers = try_join_all(group.iter().map(|batch| self.batch_occupancy(batch, window))).await?;
            all.extend(answers.into_iter().flatten());
        }
        Ok(all)
    }

    /// One batch, sent in the first room's name.
    async fn batch_occupancy(
        &self,
        rooms: &[RoomAddress],
        window: Window,
    ) -> Result<Vec<Occupancy>, RequestError> {
        let mut all = vec![Occupancy::MaybeBusy; rooms.len()];
        let Some(asking) = rooms.first() else { return Ok(all) };
        let read = |response: &HttpResponse| {
            occupancies(response, window, |position| Some(self.context(rooms.get(position)?)))
        };
        match self.client.execute(asking, &batch_of_views(rooms, window), read).await {
            Ok(answers) => self.enter(answers, rooms, &mut all),
            // A batch with an unreadable response must not hide other rooms: each may be busy.
            Err(RequestError::Refused(..) | RequestError::InvalidResponse(_)) => {}
            Err(failed) => return Err(failed),
        }
        Ok(all)
    }

    fn enter(&self, answers: Vec<RoomOccupancy>, rooms: &[RoomAddress], all: &mut [Occupancy]) {
        for answer in answers {
            if let Some(place) = all.get_mut(answer.position) {
                *place = answer.occupancy;
            }
            if let (Some(at_least), Some(room)) = (answer.pause, rooms.get(answer.position)) {
                self.client.pause_room(room, at_least);
            }
        }
    }
}
