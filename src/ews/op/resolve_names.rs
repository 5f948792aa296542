//! `ResolveNames`. Asks the directory who a name or address is; `ErrorNameResolutionNoResults` means: nobody.

use crate::ews::types::{Mailbox, ResponseMessage};

/// `ResolveNames` in the directory, without contact data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveNames<'a> {
    /// A name, or `smtp:` and an address.
    pub unresolved_entry: &'a str,
}

/// `m:ResolutionSet`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct ResolutionSet<'a> {
    /// `TotalItemsInView`.
    pub total_items_in_view: Option<u32>,
    /// False when there were more hits than the server gives (100).
    pub includes_last_item_in_range: Option<bool>,
    /// The hits. Several hits come as a Warning with `ErrorNameResolutionMultipleResults`.
    pub resolutions: Vec<Mailbox<'a>>,
}

/// The answer: one message.
pub type ResolveNamesAnswer<'a> = Vec<ResponseMessage<'a, ResolutionSet<'a>>>;
