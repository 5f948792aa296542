//! What the operations work with: the locked world, the options, the request and its preferences. Never sees a socket.

use super::call::GraphCall;
use super::error::GraphError;
use super::ids::IdFormat;
use super::options::GraphOptions;
use super::preferences::Preferences;
use crate::sim::ids::ItemLocator;
use crate::sim::mailbox::Mailbox;
use crate::sim::views::{self, EventInstance};
use crate::sim::world::World;

/// The world and the request.
pub(super) struct GraphContext<'w> {
    pub(super) world: &'w mut World,
    pub(super) options: &'w GraphOptions,
    pub(super) call: &'w GraphCall,
    pub(super) preferences: Preferences,
}

impl GraphContext<'_> {
    pub(super) fn id_format(&self) -> IdFormat {
        if self.preferences.immutable_ids { IdFormat::Immutable } else { IdFormat::Classic }
    }

    pub(super) fn mailbox(&self, number: u32) -> Result<&Mailbox, GraphError> {
        self.world.mailboxes.get(&number).ok_or_else(GraphError::item_not_found)
    }

    /// The event at a location.
    pub(super) fn view(&self, at: ItemLocator) -> Result<EventInstance<'_>, GraphError> {
        views::view(self.mailbox(at.mailbox)?, at).map_err(|_| GraphError::item_not_found())
    }

    /// `@odata.context` with this fragment.
    pub(super) fn metadata(&self, fragment: &str) -> String {
        format!("{}/v1.0/$metadata#{fragment}", self.call.root)
    }

    /// Saves a copy of the mail that was just sent, if a mail was sent.
    pub(super) fn keep_sent_copy(&mut self, mailbox: u32, mails_before: usize) {
        if self.options.keeps_sent_copies && self.world.outbox.len() > mails_before {
            self.world.save_to_sent_items(mailbox);
        }
    }
}
