//! `ConvertId`: converts an id between Exchange's id formats. The item need not exist.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use roxmltree::Node;

use super::request_context::RequestContext;
use crate::sim::ews_error::EwsError;
use crate::sim::ids::{self, DecodedId};
use crate::sim::soap_request::{elements, enum_attribute, require_m};
use crate::sim::soap_response::messages;
use crate::sim::xml::escape;

const FORMATS: [&str; 6] = ["EwsLegacyId", "EwsId", "EntryId", "HexEntryId", "StoreId", "OwaId"];
/// Limit of ids in one request.
const IDS_MAX: usize = 1_000;

pub(super) fn answer(context: &RequestContext<'_>, request: Node<'_, '_>) -> Result<String, EwsError> {
    let format = enum_attribute(request, "DestinationFormat", &FORMATS)?.ok_or_else(|| {
        EwsError::schema_violation(request, "The required attribute 'DestinationFormat' is missing.")
    })?;
    let all: Vec<_> = elements(require_m(request, "SourceIds")?).collect();
    if all.len() > IDS_MAX {
        return Err(EwsError::new("ErrorInvalidRequest", "There are more than 1000 ids in the request."));
    }
    let outcomes = all.into_iter().map(|id| one(context, id, format)).collect::<Result<Vec<_>, _>>()?;
    Ok(messages("ConvertId", &outcomes, ""))
}

/// The outer error fails the whole request.
fn one(
    context: &RequestContext<'_>,
    id: Node<'_, '_>,
    to: &str,
) -> Result<Result<String, EwsError>, EwsError> {
    let missing =
        |name: &str| EwsError::schema_violation(id, &format!("The required attribute '{name}' is missing."));
    let from = enum_attribute(id, "Format", &FORMATS)?.ok_or_else(|| missing("Format"))?;
    let word = id.attribute("Id").ok_or_else(|| missing("Id"))?;
    match id.tag_name().name() {
        "AlternateId" if id.attribute("Mailbox").is_none() => return Err(missing("Mailbox")),
        "AlternateId" => {}
        "AlternatePublicFolderId" | "AlternatePublicFolderItemId" => {
            return Ok(Err(EwsError::new("ErrorInvalidOperation", "There are no public folders.")));
        }
        other => {
            return Err(EwsError::schema_violation(
                id,
                &format!("The element 'SourceIds' has invalid child element '{other}'."),
            ));
        }
    }
    Ok(converted(context, word, from, to))
}

/// The response names the mailbox that the id belongs to, whatever the request names; clients find out their own address
/// by it.
fn converted(context: &RequestContext<'_>, word: &str, from: &str, to: &str) -> Result<String, EwsError> {
    let malformed = || EwsError::new("ErrorInvalidIdMalformed", "Id is malformed.");
    let bytes = read(word, from).ok_or_else(malformed)?;
    let number = match ids::read_id(&STANDARD.encode(&bytes)).ok_or_else(malformed)? {
        DecodedId::Item(at) => at.mailbox,
        DecodedId::Folder { mailbox, .. } => mailbox,
    };
    let mailbox = context.world.mailboxes.get(&number).ok_or_else(|| {
        EwsError::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
    })?;
    let word = write(&bytes, to).ok_or_else(malformed)?;
    Ok(format!(
        r#"<m:AlternateId xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="t:AlternateIdType" Format="{to}" Id="{}" Mailbox="{}"/>"#,
        escape(&word),
        escape(&mailbox.address)
    ))
}

/// The bytes of an id of this store. MAPI formats omit the leading mailbox GUID, which the entry id implies.
fn read(word: &str, format: &str) -> Option<Vec<u8>> {
    match format {
        "EntryId" => ids::id_bytes_of_entry(&STANDARD.decode(word).ok()?),
        "HexEntryId" => ids::id_bytes_of_entry(&ids::from_hex(word)?),
        "StoreId" => {
            let bytes = STANDARD.decode(word).ok()?;
            ids::id_bytes_of_entry(bytes.strip_suffix(&[STORE_ID_END])?)
        }
        "OwaId" => STANDARD.decode(unescaped(word)).ok(),
        _ => STANDARD.decode(word).ok(),
    }
}

fn write(bytes: &[u8], format: &str) -> Option<String> {
    let entry = || ids::entry_id_of(bytes);
    Some(match format {
        "EntryId" => STANDARD.encode(entry()?),
        "HexEntryId" => entry()?.iter().map(|byte| format!("{byte:02X}")).collect(),
        "StoreId" => STANDARD.encode([entry()?, &[STORE_ID_END]].concat()),
        "OwaId" => STANDARD.encode(bytes).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
        _ => STANDARD.encode(bytes),
    })
}

/// Last byte of a `StoreId`: a message.
const STORE_ID_END: u8 = 0x01;

fn unescaped(word: &str) -> String {
    word.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
}
