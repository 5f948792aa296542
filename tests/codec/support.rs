//! Bodies for the tests: the fixtures, and responses assembled from parts. Never asserts what is right.

use std::path::Path;

use adjourn::ews::codec::{DecodeError, DecodeLimits, Deviation, SoapBody, SoapEnvelope, decode_with_reader};
use adjourn::ews::soap::SoapFault;
use adjourn::ews::types::{CalendarItem, Item};

use crate::checks;

pub const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
pub const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";
pub const ERRORS: &str = "http://schemas.microsoft.com/exchange/services/2006/errors";
pub const SOAP11: &str = "http://schemas.xmlsoap.org/soap/envelope/";
pub const SOAP12: &str = "http://www.w3.org/2003/05/soap-envelope";

const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>";

/// All files in `fixtures/answers`, with their names.
pub fn fixtures() -> Vec<(String, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/answers");
    let mut files: Vec<_> = std::fs::read_dir(&directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    files.sort();
    files
}

/// One of the fixtures.
pub fn fixture(name: &str) -> Vec<u8> {
    fixtures().into_iter().find(|(file, _)| file == name).unwrap_or_else(|| panic!("no fixture {name}")).1
}

/// The reader's value, after comparing the whole decoder with it.
pub fn read(body: &[u8]) -> Result<SoapEnvelope<'_>, DecodeError> {
    read_within(body, &DecodeLimits::default())
}

pub fn read_within<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<SoapEnvelope<'a>, DecodeError> {
    checks::scanner_agrees_with_reader(body, limits);
    let read = decode_with_reader(body, limits).map(|decoded| decoded.envelope);
    let decoded = checks::decodes_or_says_where(body, limits).map(|decoded| decoded.envelope);
    assert_eq!(read, decoded);
    read
}

/// The deviation of a body that must not decode.
pub fn deviation(body: &[u8]) -> Deviation {
    match read(body) {
        Ok(envelope) => panic!("decoded: {envelope:?}"),
        Err(error) => error.deviation,
    }
}

/// `body` inside a SOAP 1.1 envelope without a header.
pub fn envelope(body: &str) -> String {
    format!("{DECLARATION}<s:Envelope xmlns:s=\"{SOAP11}\"><s:Body>{body}</s:Body></s:Envelope>")
}

/// A response of `operation` with `messages`.
pub fn answer(operation: &str, messages: &str) -> String {
    envelope(&format!(
        "<m:{operation}Response xmlns:m=\"{MESSAGES}\" xmlns:t=\"{TYPES}\"><m:ResponseMessages>{messages}\
         </m:ResponseMessages></m:{operation}Response>"
    ))
}

/// A response of `operation` with one message.
pub fn message(operation: &str, class: &str, inside: &str) -> String {
    let name = format!("m:{operation}ResponseMessage");
    answer(operation, &format!("<{name} ResponseClass=\"{class}\">{inside}</{name}>"))
}

/// A FindItem response with `items`.
pub fn page(items: &str) -> String {
    let folder = "<m:RootFolder TotalItemsInView=\"1\" IncludesLastItemInRange=\"true\">";
    let inside =
        format!("<m:ResponseCode>NoError</m:ResponseCode>{folder}<t:Items>{items}</t:Items></m:RootFolder>");
    message("FindItem", "Success", &inside)
}

/// A FindItem response with two items, the first of which holds `properties`: a bad first item must not cost the second.
pub fn page_of(properties: &str) -> String {
    page(&format!(
        "<t:CalendarItem>{properties}</t:CalendarItem>\
         <t:CalendarItem><t:Subject>neighbour</t:Subject></t:CalendarItem>"
    ))
}

/// The items of a page.
pub fn items<'a>(envelope: SoapEnvelope<'a>) -> Vec<Item<'a>> {
    match envelope.body {
        SoapBody::FindItem(mut messages) if messages.len() == 1 => {
            messages.remove(0).payload.and_then(|folder| folder.items).expect("a list of items")
        }
        other => panic!("no page: {other:?}"),
    }
}

/// The first item of [`page_of`]; checks that the second was decoded.
pub fn first_of_page(body: &str) -> CalendarItem<'_> {
    let mut items = items(read(body.as_bytes()).unwrap());
    assert_eq!(items.len(), 2);
    assert_eq!(calendar(items.remove(1)).subject.as_deref(), Some("neighbour"));
    calendar(items.remove(0))
}

pub fn calendar(item: Item<'_>) -> CalendarItem<'_> {
    match item {
        Item::Calendar(item) => item,
        other => panic!("no calendar item: {other:?}"),
    }
}

/// The decoded subject of `raw`.
pub fn subject(raw: &str) -> String {
    let page = page_of(&format!("<t:Subject>{raw}</t:Subject>"));
    first_of_page(&page).subject.expect("a subject").into_owned()
}

pub fn fault(envelope: SoapEnvelope<'_>) -> SoapFault<'_> {
    match envelope.body {
        SoapBody::Fault(fault) => fault,
        other => panic!("no fault: {other:?}"),
    }
}
