//! Follows the pages of a collection, which `@odata.nextLink` connects, up to a limit. Knows no resource.

use super::classify::RetryDecision;
use super::connection::Graph;
use super::contents::{body, next_page};
use super::effect::Effect;
use super::request::{self, GraphRequest};
use super::request_error::RequestError;
use super::resources::Page;
use crate::calendar::RoomAddress;
use crate::http::delivery::HttpResponse;

/// The pages of a collection, one after the other.
pub(super) struct Pages<'g> {
    graph: &'g Graph,
    room: &'g RoomAddress,
    next: Option<GraphRequest>,
    received: usize,
    max: usize,
}

impl Graph {
    /// The pages that begin with this request, at most `max`.
    pub(super) fn pages<'g>(&'g self, room: &'g RoomAddress, first: GraphRequest, max: usize) -> Pages<'g> {
        Pages { graph: self, room, next: Some(first), received: 0, max }
    }
}

impl Pages<'_> {
    /// What `read` makes of the next page; `None` after the last page, or after as many as the limit allows.
    pub(super) async fn next<T: Send>(
        &mut self,
        read: impl Fn(&Page<'_>) -> Result<T, RetryDecision> + Send + Sync,
    ) -> Result<Option<T>, RequestError> {
        let Some(request) = self.next.take_if(|_| self.received < self.max) else { return Ok(None) };
        let client = &self.graph.client;
        let read = |response: &HttpResponse| -> Result<_, RetryDecision> {
            let page: Page<'_> = body(Effect::Read, response)?;
            Ok((read(&page)?, next_page(&page, &client.root)?))
        };
        let (value, path) = client.execute(self.room, &request, read).await?;
        self.received += 1;
        self.next = path.map(|path| request::next_page(request.operation, &path));
        Ok(Some(value))
    }

    /// Whether no page is left.
    pub(super) fn is_complete(&self) -> bool {
        self.next.is_none()
    }

    /// The pages received.
    pub(super) fn received(&self) -> usize {
        self.received
    }
}
