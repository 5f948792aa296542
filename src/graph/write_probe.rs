//! The requests of `doctor`'s write test that the engine does not send: a booking whose id matters, and a look for a deleted event
//! under its id. Each sends one request; the caller removes the booking.

use chrono::{DateTime, Utc};

use super::connection::Graph;
use super::contents::booked_id;
use super::request;
use super::request_error::RequestError;
use crate::calendar::{EventId, RoomAddress, Uid};
use crate::http::delivery::HttpResponse;

impl Graph {
    /// Creates an event as a booking does, and returns its id. A repetition with the same UID must return the first event.
    ///
    /// # Errors
    /// Why the request failed. After [`RequestError::InDoubt`] the event may exist.
    pub async fn create_event(
        &self,
        room: &RoomAddress,
        uid: &Uid,
        times: (DateTime<Utc>, DateTime<Utc>),
        subject: &str,
    ) -> Result<EventId, RequestError> {
        let read = |response: &HttpResponse| booked_id(response, uid, times);
        self.client.execute(room, &request::book(room, uid, times, subject), read).await
    }

    /// Whether Graph finds an event under this id in any folder, Deleted Items included.
    ///
    /// # Errors
    /// Why the request failed.
    pub async fn finds_in_any_folder(&self, room: &RoomAddress, id: &EventId) -> Result<bool, RequestError> {
        Ok(self.event_in_any_folder(room, id, true).await?.is_some())
    }
}
