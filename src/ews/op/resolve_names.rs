//! `ResolveNames`. Asks the directory who a name or address is; `ErrorNameResolutionNoResults` means: nobody.

use super::{Effect, Operation};
use crate::ews::codec::writer::Writer;
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

impl Operation for ResolveNames<'_> {
    const NAME: &'static str = "ResolveNames";
    const EFFECT: Effect = Effect::Read;

    /// `SearchScope` is said because its default also looks through the contacts of the mailbox (ResolveNames page).
    fn write_body(&self, out: &mut Writer<'_>) {
        out.raw(r#"<m:ResolveNames ReturnFullContactData="false" SearchScope="ActiveDirectory">"#);
        out.element("m:UnresolvedEntry", self.unresolved_entry);
        out.raw("</m:ResolveNames>");
    }
}
