//! Notifications that are fetched: `GetEvents`, page by page, from a watermark that the client keeps. Pure.

use tokio::time::Instant;

use super::super::change_log::LoggedChange;
use super::super::opaque_tokens::Watermark;
use super::super::soap_request::EwsError;
use super::super::world::World;
use super::events::EventFormat;
use super::{DeliveryMode, Hub, not_found, watermark};

/// Changes one answer tells of.
const PAGE_MAX: usize = 100;

/// One answer's worth of events.
pub(crate) struct EventPage {
    /// As it was asked.
    pub(crate) previous: String,
    pub(crate) more: bool,
    /// Never empty: without news it holds a status event, which has the watermark to go on from.
    pub(crate) events: Vec<String>,
}

impl Hub {
    /// What a pull subscription has not heard of after a watermark. Asking keeps it alive.
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
        let interest = &subscription.filter;
        let known =
            Watermark::decode(mark).filter(|known| known.mailbox == interest.mailbox).ok_or_else(invalid)?;
        let Some(mailbox) = world.mailboxes.get(&interest.mailbox) else {
            self.drop_subscription(number, &not_found());
            return Err(not_found());
        };
        let log = mailbox.items.log();
        if known.change > log.last() {
            return Err(invalid());
        }
        let Some(news) = log.since(known.change) else {
            self.drop_subscription(number, &not_found());
            return Err(EwsError::new(
                "ErrorEventNotFound",
                "The event of this watermark is no longer there.",
            ));
        };
        let news: Vec<&LoggedChange> = news.collect();
        let (page, more) = (news.iter().take(PAGE_MAX).copied(), news.len() > PAGE_MAX);
        let upto = page.clone().last().map_or(known.change, |change| change.number);
        let mut events = interest.events(page, style);
        if events.is_empty() {
            let mark = watermark(interest.mailbox, upto);
            events.push(format!("<t:StatusEvent><t:Watermark>{mark}</t:Watermark></t:StatusEvent>"));
        }
        subscription.expires = now + timeout;
        Ok(EventPage { previous: mark.to_owned(), more, events })
    }
}

/// A watermark that can be used to begin with, and where it stands.
pub(crate) fn start_after_watermark(mark: &str, mailbox: u32, last: u64) -> Result<u64, EwsError> {
    let known = Watermark::decode(mark).filter(|known| known.mailbox == mailbox && known.change <= last);
    known.map(|known| known.change).ok_or_else(invalid)
}

fn invalid() -> EwsError {
    EwsError::new("ErrorInvalidWatermark", "The watermark used for the subscription is invalid.")
}
