//! A searchable row: an event, a message or a folder, with its values for restrictions and sort orders and its XML in a
//! list.

use super::folder_context::FolderContext;
use super::message_shape::{self, MessageContext};
use super::property_context::{BodyType, PropertyContext, ReadOperation};
use super::property_path::PropertyPath;
use super::shape::{self, ItemShape};
use super::{private, search_values};
use crate::sim::event::{Event, ItemContent, StoredItem};
use crate::sim::ids::ItemLocator;
use crate::sim::mailbox::Mailbox;
use crate::sim::views;
use crate::sim::world::World;

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

    /// Applies the mask for callers without the right to see more.
    pub(super) fn apply_mask(self, mask: Option<&'a Event>) -> Self {
        match self {
            Self::Event(cx) => {
                Self::Event(PropertyContext { view: private::apply_mask(cx.view, mask), ..cx })
            }
            message => message,
        }
    }

    /// The value for a restriction or sort order.
    pub(super) fn value(&self, path: &PropertyPath) -> Option<super::property_value::PropertyValue> {
        match self {
            Self::Event(cx) => search_values::value(cx, path),
            Self::Message(cx) => cx.value(path),
            Self::Folder(cx) => cx.value(path),
        }
    }

    /// Its XML in a list.
    pub(super) fn show(&self, shape: &ItemShape) -> String {
        match self {
            Self::Event(cx) => shape::calendar_item(cx.world, cx.view, shape, ReadOperation::Find),
            Self::Message(cx) => message_shape::message(cx, shape, ReadOperation::Find),
            Self::Folder(_) => String::new(),
        }
    }
}
