//! `Property`: what a read can request of items, made from the table of fields. Never names a property that no request of Adjourn needs.

use crate::ews::fields::calendar_item_fields;
use crate::ews::soap::ServerVersion;

macro_rules! define_property {
    ($($(#[$_:meta])* $field:ident: $Name:ident $element:literal $kind:ident
       $(, event $event:ident $(since $since:ident)?)? $(, series $series:ident)?;)*) => {
        /// A property that a read can request (`t:FieldURI`).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Property {
            $(
                $(#[doc = concat!("`", stringify!($event), ":", $element, "`.")] $Name,)?
                $(#[doc = concat!("`", stringify!($series), ":", $element, "`.")] $Name,)?
            )*
            /// `item:ItemClass`: the kind of a meeting message.
            ItemClass,
            /// `item:DateTimeSent`, of messages.
            DateTimeSent,
        }

        impl Property {
            /// The properties of any event. FindItem and GetItem return all of them.
            pub const EVENT: &[Self] = &[$($(property!($event $Name),)?)*];

            /// The properties of a series master.
            pub const SERIES: &[Self] = &[$($(property!($event $Name),)? $(property!($series $Name),)?)*];

            /// The properties that identify a meeting message.
            pub const MESSAGE: &[Self] = &[Self::ItemClass, Self::DateTimeSent, Self::Uid, Self::Start];

            /// `FieldURI`: the property's name in the schema (`t:UnindexedFieldURIType`).
            pub fn field_uri(self) -> &'static str {
                match self {
                    $(
                        $(Self::$Name => concat!(stringify!($event), ":", $element),)?
                        $(Self::$Name => concat!(stringify!($series), ":", $element),)?
                    )*
                    Self::ItemClass => "item:ItemClass",
                    Self::DateTimeSent => "item:DateTimeSent",
                }
            }

            /// The oldest supported version that has the property; older requests omit it.
            pub fn since(self) -> ServerVersion {
                match self {
                    $($($(Self::$Name => ServerVersion::$since,)?)?)*
                    _ => ServerVersion::Exchange2010Sp2,
                }
            }
        }
    };
}

/// The property of a row with a request of this class.
macro_rules! property {
    ($class:ident $Name:ident) => {
        Property::$Name
    };
}

calendar_item_fields!(define_property);
