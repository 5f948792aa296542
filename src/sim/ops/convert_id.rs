//! `ConvertId`: the same item or folder, written in another of the formats that Exchange has for ids. What an id names need not
//! be there any more.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use roxmltree::Node;

use super::Desk;
use crate::sim::ids::{self, Named};
use crate::sim::soap_in::{Refusal, choice, elements, need_m};
use crate::sim::soap_out::{escape, messages};

const FORMATS: [&str; 6] = ["EwsLegacyId", "EwsId", "EntryId", "HexEntryId", "StoreId", "OwaId"];
/// Ids of one request.
const IDS_MAX: usize = 1_000;

pub(super) fn answer(desk: &Desk<'_>, request: Node<'_, '_>) -> Result<String, Refusal> {
    let format = choice(request, "DestinationFormat", &FORMATS)?
        .ok_or_else(|| Refusal::schema(request, "The required attribute 'DestinationFormat' is missing."))?;
    let all: Vec<_> = elements(need_m(request, "SourceIds")?).collect();
    if all.len() > IDS_MAX {
        return Err(Refusal::new("ErrorInvalidRequest", "There are more than 1000 ids in the request."));
    }
    let outcomes = all.into_iter().map(|id| one(desk, id, format)).collect::<Result<Vec<_>, _>>()?;
    Ok(messages("ConvertId", &outcomes, ""))
}

/// The outer error is the whole request's.
fn one(desk: &Desk<'_>, id: Node<'_, '_>, to: &str) -> Result<Result<String, Refusal>, Refusal> {
    let missing = |name: &str| Refusal::schema(id, &format!("The required attribute '{name}' is missing."));
    let from = choice(id, "Format", &FORMATS)?.ok_or_else(|| missing("Format"))?;
    let word = id.attribute("Id").ok_or_else(|| missing("Id"))?;
    match id.tag_name().name() {
        "AlternateId" if id.attribute("Mailbox").is_none() => return Err(missing("Mailbox")),
        "AlternateId" => {}
        "AlternatePublicFolderId" | "AlternatePublicFolderItemId" => {
            return Ok(Err(Refusal::new("ErrorInvalidOperation", "There are no public folders.")));
        }
        other => return Err(Refusal::schema(id, &format!("'{other}' is no id."))),
    }
    Ok(converted(desk, word, from, to))
}

/// The mailbox in the answer is the one that the id is of, whatever the request has: clients learn their own address so.
fn converted(desk: &Desk<'_>, word: &str, from: &str, to: &str) -> Result<String, Refusal> {
    let malformed = || Refusal::new("ErrorInvalidIdMalformed", "Id is malformed.");
    let bytes = read(word, from).ok_or_else(malformed)?;
    let number = match ids::read_id(&STANDARD.encode(&bytes)).ok_or_else(malformed)? {
        Named::Item(at) => at.mailbox,
        Named::Folder { mailbox, .. } => mailbox,
    };
    let mailbox = desk.world.mailboxes.get(&number).ok_or_else(|| {
        Refusal::new("ErrorNonExistentMailbox", "The SMTP address has no mailbox associated with it.")
    })?;
    let word = write(&bytes, to).ok_or_else(malformed)?;
    Ok(format!(
        r#"<m:AlternateId xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="t:AlternateIdType" Format="{to}" Id="{}" Mailbox="{}"/>"#,
        escape(&word),
        escape(&mailbox.address)
    ))
}

/// The bytes of an id of this store. The formats of MAPI leave out what only EWS has: the mailbox, which the entry names too.
fn read(word: &str, format: &str) -> Option<Vec<u8>> {
    match format {
        "EntryId" => ids::of_entry(&STANDARD.decode(word).ok()?),
        "HexEntryId" => ids::of_entry(&ids::from_hex(word)?),
        "StoreId" => {
            let bytes = STANDARD.decode(word).ok()?;
            ids::of_entry(bytes.strip_suffix(&[STORE_ID_END])?)
        }
        "OwaId" => STANDARD.decode(unescaped(word)).ok(),
        _ => STANDARD.decode(word).ok(),
    }
}

fn write(bytes: &[u8], format: &str) -> Option<String> {
    let entry = || ids::entry_of(bytes);
    Some(match format {
        "EntryId" => STANDARD.encode(entry()?),
        "HexEntryId" => entry()?.iter().map(|byte| format!("{byte:02X}")).collect(),
        "StoreId" => STANDARD.encode([entry()?, &[STORE_ID_END]].concat()),
        "OwaId" => STANDARD.encode(bytes).replace('+', "%2B").replace('/', "%2F").replace('=', "%3D"),
        _ => STANDARD.encode(bytes),
    })
}

/// What a `StoreId` has after its entry: a message, whatever it is.
const STORE_ID_END: u8 = 0x01;

fn unescaped(word: &str) -> String {
    word.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
}
