//! A searchable row: an event, a message or a folder, with its values for restrictions and sort orders and its XML in a
//! list.

use super::folders::FolderContext;
use super::message_shape::{self, MessageContext};
use super::private;
use super::properties::{self, PropertyContext};
use super::property_path::PropertyPath;
use super::shape::{self, BodyType, ItemShape, ReadOperation};
use crate::sim::event::{Event, ItemContent, StoredItem};
use crate::sim::ids::ItemLocator;
use crate::sim::views;
use crate::sim::world::{Mailbox, World};

/// A searchable row.
pub(super) enum FolderRow<'a> {
    Event(PropertyContext<'a>),
    Message(MessageContext<'a>),
    Folder(FolderContext<'a>),
}

impl<'a> FolderRow<'a> {
    /// A row of a mailbox.
    pub(super) fn of(world: &'a World, mailbox: &'a Mailbox, item: &'a StoredItem) -> Option<Self> {
        let at = ItemLocator { mailbox: mailbox.number, item: item.number, occurrence: None };
        match &item.content {
            ItemContent::Event(_) => {
                let view = views::view(mailbox, at).ok()?;
                Some(Self::Event(PropertyContext {
                    view,
                    world,
                    place: ReadOperation::Find,
                    body: BodyType::Best,
                }))
            }
            ItemContent::Message(message) => {
                Some(Self::Message(MessageContext { world, mailbox, item, message }))
            }
        }
    }

    /// With the mask applied, for a caller who may not see more.
    pub(super) fn apply_mask(self, mask: Option<&'a Event>) -> Self {
        match self {
            Self::Event(look) => {
                Self::Event(PropertyContext { view: private::apply_mask(look.view, mask), ..look })
            }
            message => message,
        }
    }

    /// The value for a restriction or sort order.
    pub(super) fn value(&self, path: &PropertyPath) -> Option<super::property_value::PropertyValue> {
        match self {
            Self::Event(look) => properties::value(look, path),
            Self::Message(look) => look.value(path),
            Self::Folder(look) => look.value(path),
        }
    }

    /// Its XML in a list.
    pub(super) fn show(&self, shape: &ItemShape) -> String {
        match self {
            Self::Event(look) => shape::calendar_item(look.world, look.view, shape, ReadOperation::Find),
            Self::Message(look) => message_shape::message(look, shape, ReadOperation::Find),
            Self::Folder(_) => String::new(),
        }
    }
}
