//! Implements the engine's `CalendarWriter`: one request for each step, never in a batch, never sent again where it may have been
//! executed. Translates a step and its response; decides nothing about events.

use async_trait::async_trait;

use super::classify::proves_nothing_done;
use super::connection::Graph;
use super::contents::{accepted, booked, updated};
use super::request::{self, GraphRequest};
use super::request_error::RequestError;
use crate::action::Step;
use crate::before_send::BeforeSend;
use crate::calendar::{ChangeKey, EventId, RoomAddress};
use crate::engine::{CalendarWriter, Capabilities, ErrorKind, Trail, WriteOutcome, WriteReport};
use crate::http::delivery::HttpResponse;

#[async_trait]
impl CalendarWriter for Graph {
    fn capabilities(&self, _: &RoomAddress) -> Capabilities {
        self.capabilities_of_rooms()
    }

    async fn write(&self, room: &RoomAddress, step: &Step, before: &dyn BeforeSend) -> WriteReport {
        let mut trail = Trail::new(before);
        let sent = self.send_step(room, step, &mut trail).await;
        WriteReport { outcome: outcome(sent, !trail.requests.is_empty(), step), requests: trail.requests }
    }
}

impl Graph {
    async fn send_step(
        &self,
        room: &RoomAddress,
        step: &Step,
        trail: &mut Trail<'_>,
    ) -> Result<(), RequestError> {
        match step {
            Step::SetEnd { id, change_key, end, .. } => {
                let request = request::set_end(room, id, change_key, *end);
                let read = |response: &HttpResponse| updated(response, id, *end);
                self.client.execute_traced(room, &request, read, trail).await
            }
            Step::Book { uid, start, end, subject } => {
                let request = request::book(room, uid, (*start, *end), subject);
                let read = |response: &HttpResponse| booked(response, uid, (*start, *end));
                self.client.execute_traced(room, &request, read, trail).await
            }
            Step::Decline { id, change_key, text } => {
                let request = request::decline(room, id, text.as_deref());
                self.send_unguarded(room, (id, change_key), &request, trail).await
            }
            Step::Cancel { id, change_key, text } => {
                let request = request::cancel(room, id, text.as_deref());
                self.send_unguarded(room, (id, change_key), &request, trail).await
            }
            Step::Remove { id, change_key } => {
                self.send_unguarded(room, (id, change_key), &request::delete(room, id), trail).await
            }
            Step::MoveBack { .. } => {
                let code = "Microsoft Graph cannot move an event out of Deleted Items".to_owned();
                Err(RequestError::Refused(ErrorKind::Forbidden, code))
            }
        }
    }

    /// Sends a step whose version Graph does not compare. The event is read right before it, and the calendar has to show it.
    async fn send_unguarded(
        &self,
        room: &RoomAddress,
        (id, version): (&EventId, &ChangeKey),
        request: &GraphRequest,
        trail: &mut Trail<'_>,
    ) -> Result<(), RequestError> {
        match self.event_in_calendar(room, id, true).await? {
            None => {
                return Err(RequestError::Refused(
                    ErrorKind::Gone,
                    "the event was deleted just before".to_owned(),
                ));
            }
            Some(event) if event.change_key != *version => {
                return Err(RequestError::Refused(
                    ErrorKind::Conflict,
                    "the event was changed just before".to_owned(),
                ));
            }
            Some(_) => {}
        }
        self.client.execute_traced(room, request, accepted, trail).await
    }
}

/// What the result of a step proves about the calendar. Without a sent write, nothing was applied. A conflict proves that only for the
/// step whose version Graph compares: another one may have been stored before.
fn outcome(sent: Result<(), RequestError>, was_sent: bool, step: &Step) -> WriteOutcome {
    let compares_version = matches!(step, Step::SetEnd { .. });
    match sent {
        Ok(()) => WriteOutcome::Done,
        Err(RequestError::Refused(ErrorKind::Gone, _)) => WriteOutcome::Gone,
        Err(RequestError::Refused(ErrorKind::Conflict, _)) if !was_sent || compares_version => {
            WriteOutcome::Conflict
        }
        Err(conflict @ RequestError::Refused(ErrorKind::Conflict, _)) => {
            WriteOutcome::Unproven(conflict.into())
        }
        Err(busy @ RequestError::Busy(_)) => WriteOutcome::Throttled(busy.into()),
        Err(doubt @ RequestError::InDoubt(_)) => WriteOutcome::InDoubt(doubt.into()),
        Err(RequestError::Refused(kind, code)) if was_sent && !proves_nothing_done(&code) => {
            WriteOutcome::Unproven(RequestError::Refused(kind, code).into())
        }
        Err(failed) => WriteOutcome::NotApplied(failed.into()),
    }
}
