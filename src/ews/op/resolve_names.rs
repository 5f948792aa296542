//! `ResolveNames`: searches the directory for a name or an address; `ErrorNameResolutionNoResults` means no match.

use super::{Effect, Operation};
use crate::ews::codec::xml_writer::XmlWriter;
use crate::ews::types::{Mailbox, ResponseMessage, Text};

/// `ResolveNames` in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolveNames<'a> {
    /// A name, an X.500 address, or `smtp:` and an address. Exchange matches the beginnings of values, so a match may have
    /// another address than the one in the request (UnresolvedEntry page).
    pub unresolved_entry: &'a str,
    /// `ReturnFullContactData`: the response lists the proxy addresses of each match.
    pub full_contact_data: bool,
}

/// `m:ResolutionSet`.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize)]
pub struct ResolutionSet<'a> {
    /// `TotalItemsInView`.
    pub total_items_in_view: Option<u32>,
    /// False when there were more matches than the server returns (100).
    pub includes_last_item_in_range: Option<bool>,
    /// The matches. Several matches come as a Warning with `ErrorNameResolutionMultipleResults`.
    pub resolutions: Vec<Resolution<'a>>,
}

/// `t:Resolution`: one match.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Resolution<'a> {
    /// `t:Mailbox`, with the primary address.
    pub mailbox: Mailbox<'a>,
    /// `t:Contact/t:EmailAddresses/t:Entry`: proxy addresses with their routing types, such as `smtp:old@example.com`.
    /// Only with full contact data; Exchange returns a few of them, not all.
    pub email_addresses: Vec<Text<'a>>,
}

/// The response: one message.
pub type ResolveNamesAnswer<'a> = Vec<ResponseMessage<'a, Option<ResolutionSet<'a>>>>;

impl Operation for ResolveNames<'_> {
    const NAME: &'static str = "ResolveNames";
    const EFFECT: Effect = Effect::Read;

    /// Sets `SearchScope`, because the default also searches the contacts of the mailbox (ResolveNames page).
    fn write_body(&self, out: &mut XmlWriter<'_>) {
        out.raw(r#"<m:ResolveNames ReturnFullContactData=""#);
        out.raw(if self.full_contact_data { "true" } else { "false" });
        out.raw(r#"" SearchScope="ActiveDirectory">"#);
        out.element("m:UnresolvedEntry", self.unresolved_entry);
        out.raw("</m:ResolveNames>");
    }
}
