//! Pull notifications: `GetEvents`, in pages, from a watermark that the client stores. Pure.

use tokio::time::Instant;

use super::super::change_log::LoggedChange;
use super::super::ews_error::EwsError;
use super::super::opaque_tokens::Watermark;
use super::super::world::World;
use super::events::EventFormat;
use super::hub::{DeliveryMode, Hub, not_found, watermark};

/// Limit of changes in one response.
const PAGE_MAX: usize = 100;

/// The events of one response.
pub(crate) struct EventPage {
    /// The watermark of the request.
    pub(crate) previous: String,
    pub(crate) more: bool,
    /// Never empty: without changes it holds a status event with the watermark to continue from.
    pub(crate) events: Vec<String>,
}

impl Hub {
    /// The events of a pull subscription after a watermark. The request renews the subscription.
    pub(crate) fn pull(
        &mut self,
        id: &str,
        mark: &str,
        world: &World,
        back_end: usize,
        now: Instant,
    ) -> Result<EventPage, EwsError> {
        let number = self.find(id, back_end, now)?;
        let style = EventFormat { watermarks: true, folder_events: self.options.folder_events };
        let subscription = self.subscriptions.get_mut(&number).ok_or_else(not_found)?;
        let DeliveryMode::Pull(timeout) = subscription.mode else {
            return Err(EwsError::new(
                "ErrorInvalidPullSubscriptionId",
                "The subscription ID is not that of a pull subscription.",
            ));
        };
        let filter = &subscription.filter;
        let known =
            Watermark::decode(mark).filter(|known| known.mailbox == filter.mailbox).ok_or_else(invalid)?;
        let Some(mailbox) = world.mailboxes.get(&filter.mailbox) else {
            self.drop_subscription(number, &not_found());
            return Err(not_found());
        };
        let log = mailbox.items.log();
        if known.change > log.last() {
            return Err(invalid());
        }
        let Some(changes) = log.since(known.change) else {
            self.drop_subscription(number, &not_found());
            return Err(EwsError::new(
                "ErrorEventNotFound",
                "The event of this watermark is no longer there.",
            ));
        };
        let changes: Vec<&LoggedChange> = changes.collect();
        let (page, more) = (changes.iter().take(PAGE_MAX).copied(), changes.len() > PAGE_MAX);
        let upto = page.clone().last().map_or(known.change, |change| change.number);
        let mut events = filter.events(page, style);
        if events.is_empty() {
            let mark = watermark(filter.mailbox, upto);
            events.push(format!("<t:StatusEvent><t:Watermark>{mark}</t:Watermark></t:StatusEvent>"));
        }
        subscription.expires = now + timeout;
        Ok(EventPage { previous: mark.to_owned(), more, events })
    }
}

/// The change number of a watermark with which a subscription may start.
pub(crate) fn start_after_watermark(mark: &str, mailbox: u32, last: u64) -> Result<u64, EwsError> {
    let known = Watermark::decode(mark).filter(|known| known.mailbox == mailbox && known.change <= last);
    known.map(|known| known.change).ok_or_else(invalid)
}

fn invalid() -> EwsError {
    EwsError::new("ErrorInvalidWatermark", "The watermark used for the subscription is invalid.")
}
