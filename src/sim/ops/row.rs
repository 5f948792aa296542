//! A row of a folder, whatever it holds, or a folder: what restrictions and orders see of it, and how a list shows a row.

use super::folders::FolderLook;
use super::message_shape::{self, MessageLook};
use super::path::Path;
use super::private;
use super::properties::{self, Look};
use super::shape::{self, BodyType, Shape, Where};
use crate::sim::event::{Content, Event, Item};
use crate::sim::ids::ItemRef;
use crate::sim::views;
use crate::sim::world::{Mailbox, World};

/// A row.
pub(super) enum Row<'a> {
    Event(Look<'a>),
    Message(MessageLook<'a>),
    Folder(FolderLook<'a>),
}

impl<'a> Row<'a> {
    /// A row of a mailbox.
    pub(super) fn of(world: &'a World, mailbox: &'a Mailbox, item: &'a Item) -> Option<Self> {
        let at = ItemRef { mailbox: mailbox.number, item: item.number, occurrence: None };
        match &item.content {
            Content::Event(_) => {
                let view = views::view(mailbox, at).ok()?;
                Some(Self::Event(Look { view, world, place: Where::Find, body: BodyType::Best }))
            }
            Content::Message(message) => Some(Self::Message(MessageLook { world, mailbox, item, message })),
        }
    }

    /// As its mask shows it to a caller who may not see more.
    pub(super) fn behind(self, mask: Option<&'a Event>) -> Self {
        match self {
            Self::Event(look) => Self::Event(Look { view: private::behind(look.view, mask), ..look }),
            message => message,
        }
    }

    /// The value that a restriction or an order finds.
    pub(super) fn value(&self, path: &Path) -> Option<super::value::Value> {
        match self {
            Self::Event(look) => properties::value(look, path),
            Self::Message(look) => look.value(path),
            Self::Folder(look) => look.value(path),
        }
    }

    /// As a list shows it.
    pub(super) fn show(&self, shape: &Shape) -> String {
        match self {
            Self::Event(look) => shape::calendar_item(look.world, look.view, shape, Where::Find),
            Self::Message(look) => message_shape::message(look, shape, Where::Find),
            Self::Folder(_) => String::new(),
        }
    }
}
