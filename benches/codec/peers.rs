//! The decoders under comparison, and the digest of each one's result.

use adjourn::ews::codec::{DecodeLimits, Decoded, SoapBody, decode, decode_with_reader};
use adjourn::ews::types::{CalendarItem, Item};
use ews::soap::Envelope;
use quick_xml::events::Event;
use serde::Deserialize;

use crate::pages::{Digest, seconds};

/// Adjourn's decoder as the application uses it: the scanner, and the reader if the scanner declines.
pub(crate) fn adjourn(xml: &[u8]) -> Decoded<'_> {
    decode(xml, &DecodeLimits::default()).expect("a page")
}

/// Adjourn's reader alone.
pub(crate) fn adjourn_reader(xml: &[u8]) -> Decoded<'_> {
    decode_with_reader(xml, &DecodeLimits::default()).expect("a page")
}

pub(crate) fn digest_of(decoded: &Decoded<'_>) -> Digest {
    let SoapBody::FindItem(messages) = &decoded.envelope.body else { panic!("another answer") };
    let folders = messages.iter().filter_map(|message| message.payload.as_ref());
    let items = folders.flat_map(|folder| folder.items.iter().flatten());
    items.fold(Digest::default(), |mut digest, item| {
        let Item::Calendar(item) = item else { panic!("another kind of item") };
        add(&mut digest, item);
        digest
    })
}

fn add(digest: &mut Digest, item: &CalendarItem<'_>) {
    digest.items += 1;
    digest.subject_bytes += item.subject.as_ref().map_or(0, |subject| subject.len());
    digest.id_bytes += item.item_id.as_ref().map_or(0, |id| id.id.len());
    digest.start_seconds += item.start.map_or(0, |time| time.timestamp());
    digest.end_seconds += item.end.map_or(0, |time| time.timestamp());
    digest.meetings += usize::from(item.is_meeting == Some(true));
    let address = item.organizer.as_ref().and_then(|organizer| organizer.email_address.as_ref());
    digest.organizer_bytes += address.map_or(0, |address| address.len());
}

/// quick-xml's events without extracting anything: the reference for all goals. Returns their number.
pub(crate) fn quick_xml_events(xml: &[u8]) -> usize {
    let mut reader = quick_xml::Reader::from_reader(xml);
    let mut count = 0;
    loop {
        match reader.read_event().expect("a page") {
            Event::Eof => return count,
            _ => count += 1,
        }
    }
}

/// quick-xml with serde, into the same fields.
pub(crate) fn quick_xml_serde(xml: &[u8]) -> SerdeEnvelope {
    quick_xml::de::from_reader(xml).expect("a page")
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct SerdeEnvelope {
    body: SerdeBody,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SerdeBody {
    find_item_response: SerdeResponse,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SerdeResponse {
    response_messages: SerdeMessages,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SerdeMessages {
    find_item_response_message: Vec<SerdeMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SerdeMessage {
    root_folder: SerdeFolder,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SerdeFolder {
    items: SerdeItems,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SerdeItems {
    #[serde(default)]
    calendar_item: Vec<SerdeItem>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "serde fills the fields; the digest reads only some of them")]
struct SerdeItem {
    item_id: Option<SerdeItemId>,
    subject: Option<String>,
    sensitivity: Option<String>,
    last_modified_time: Option<chrono::DateTime<chrono::Utc>>,
    #[serde(rename = "UID")]
    uid: Option<String>,
    start: Option<chrono::DateTime<chrono::Utc>>,
    end: Option<chrono::DateTime<chrono::Utc>>,
    is_all_day_event: Option<bool>,
    legacy_free_busy_status: Option<String>,
    is_meeting: Option<bool>,
    is_cancelled: Option<bool>,
    calendar_item_type: Option<String>,
    my_response_type: Option<String>,
    organizer: Option<SerdeOrganizer>,
}

#[derive(Deserialize)]
#[expect(dead_code, reason = "serde fills the fields; the digest reads only some of them")]
struct SerdeItemId {
    #[serde(rename = "@Id")]
    id: String,
    #[serde(rename = "@ChangeKey")]
    change_key: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SerdeOrganizer {
    mailbox: SerdeMailbox,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
#[expect(dead_code, reason = "serde fills the fields; the digest reads only some of them")]
struct SerdeMailbox {
    name: Option<String>,
    email_address: Option<String>,
    routing_type: Option<String>,
    mailbox_type: Option<String>,
}

impl SerdeEnvelope {
    pub(crate) fn digest(&self) -> Digest {
        let messages = &self.body.find_item_response.response_messages.find_item_response_message;
        let items = messages.iter().flat_map(|message| &message.root_folder.items.calendar_item);
        items.fold(Digest::default(), |mut digest, item| {
            digest.items += 1;
            digest.subject_bytes += item.subject.as_ref().map_or(0, String::len);
            digest.id_bytes += item.item_id.as_ref().map_or(0, |id| id.id.len());
            digest.start_seconds += item.start.map_or(0, |time| time.timestamp());
            digest.end_seconds += item.end.map_or(0, |time| time.timestamp());
            digest.meetings += usize::from(item.is_meeting == Some(true));
            let address = item.organizer.as_ref().and_then(|who| who.mailbox.email_address.as_ref());
            digest.organizer_bytes += address.map_or(0, String::len);
            digest
        })
    }
}

/// roxmltree: a tree, then the fields of the digest (the others are visited, not kept).
pub(crate) fn roxmltree(xml: &[u8]) -> Digest {
    let text = std::str::from_utf8(xml).expect("UTF-8");
    let document = roxmltree::Document::parse(text).expect("a page");
    let mut digest = Digest::default();
    for item in document.descendants().filter(|node| node.tag_name().name() == "CalendarItem") {
        digest.items += 1;
        for field in item.children() {
            let text = field.text().unwrap_or_default();
            match field.tag_name().name() {
                "ItemId" => digest.id_bytes += field.attribute("Id").map_or(0, str::len),
                "Subject" => digest.subject_bytes += text.len(),
                "Start" => digest.start_seconds += seconds(text),
                "End" => digest.end_seconds += seconds(text),
                "IsMeeting" => digest.meetings += usize::from(text == "true"),
                "Organizer" => {
                    let address = field.descendants().find(|node| node.tag_name().name() == "EmailAddress");
                    digest.organizer_bytes += address.and_then(|node| node.text()).map_or(0, str::len);
                }
                _ => {}
            }
        }
    }
    digest
}

/// Thunderbird's crate `ews`, which has 4 of the fields (id, subject, sensitivity, last change).
pub(crate) fn ews_crate(xml: &[u8]) -> Envelope<ews::find_item::FindItemResponse> {
    Envelope::from_xml_document(xml).expect("a page")
}

/// The deletion, the only short response that the crate `ews` decodes: it has no calendar items.
pub(crate) fn ews_crate_deletion(xml: &[u8]) -> Envelope<ews::delete_item::DeleteItemResponse> {
    Envelope::from_xml_document(xml).expect("an answer")
}

/// Number of items, bytes of subjects, bytes of ids: what the crate `ews` can be compared by.
pub(crate) fn ews_crate_digest(
    envelope: &Envelope<ews::find_item::FindItemResponse>,
) -> (usize, usize, usize) {
    use ews::response::ResponseClass;
    let messages = &envelope.body.response_messages.response_messages;
    let items = messages.iter().flat_map(|message| match message {
        ResponseClass::Success(message) => &message.root_folder.items.inner[..],
        _ => &[],
    });
    items.fold((0, 0, 0), |(count, subjects, ids), item| {
        let item = item.inner_message();
        let subject = item.subject.as_ref().map_or(0, String::len);
        let id = item.item_id.as_ref().map_or(0, |id| id.id.len());
        (count + 1, subjects + subject, ids + id)
    })
}
