//! Responses that have broken clients before: each yields a value or a precise error, and costs no other item.

use adjourn::ews::codec::{DecodeLimits, Deviation, SoapBody};
use adjourn::ews::types::{Item, ResponseClass};

use crate::support::{
    ERRORS, SOAP11, SOAP12, TYPES, deviation, envelope, fault, items, message, page, read, read_within,
    subject,
};

#[test]
fn characters_that_xml_forbids_cost_one_character() {
    for reference in ["&#x0;", "&#x1;", "&#xD800;", "&#xFFFFFFFFFF;"] {
        assert_eq!(subject(&format!("he{reference}llo")), "he\u{FFFD}llo", "{reference}");
    }
}

#[test]
fn undeclared_entities_and_bare_ampersands_lose_nothing_behind_them() {
    assert_eq!(subject("he&nbsp;llo tail"), "he&nbsp;llo tail");
    assert_eq!(subject("R&D and B & B"), "R&D and B & B");
}

#[test]
fn an_answer_needs_no_header_and_bears_unknown_ones() {
    let page = page("<t:CalendarItem><t:Subject>a</t:Subject></t:CalendarItem>");
    assert_eq!(items(read(page.as_bytes()).unwrap()).len(), 1);
    let body = "<s:Body>";
    let header = format!(
        "<s:Header><x:New xmlns:x=\"urn:tomorrow\" s:mustUnderstand=\"1\">?</x:New></s:Header>{body}"
    );
    assert_eq!(items(read(page.replacen(body, &header, 1).as_bytes()).unwrap()).len(), 1);
}

#[test]
fn an_unknown_code_is_kept_verbatim() {
    let body = message("FindItem", "Error", "<m:ResponseCode>ErrorBrandNewCode</m:ResponseCode>");
    let SoapBody::FindItem(messages) = read(body.as_bytes()).unwrap().body else { panic!() };
    assert_eq!((messages[0].class, &*messages[0].code.0), (ResponseClass::Error, "ErrorBrandNewCode"));
}

#[test]
fn message_xml_may_hold_attributes_alone() {
    let details = "<m:MessageText>x</m:MessageText><m:ResponseCode>ErrorInvalidPropertySet</m:ResponseCode>\
                   <m:MessageXml><t:FieldURI FieldURI=\"calendar:EndTimeZone\"/></m:MessageXml>";
    let body = message("UpdateItem", "Error", details);
    let SoapBody::UpdateItem(messages) = read(body.as_bytes()).unwrap().body else { panic!() };
    assert_eq!(messages[0].message_xml[0].name.as_deref(), Some("calendar:EndTimeZone"));
}

#[test]
fn an_unknown_kind_of_item_costs_no_neighbour() {
    let body = page(
        "<t:Hologram><t:ItemId Id=\"H\"/><t:Depth>3</t:Depth></t:Hologram>\
         <t:CalendarItem><t:Subject>a</t:Subject><t:Mood>fine</t:Mood></t:CalendarItem>",
    );
    let read = items(read(body.as_bytes()).unwrap());
    assert!(
        matches!(&read[0], Item::Other(other) if other.element == "Hologram" && other.item_id.as_ref().unwrap().id == "H")
    );
    assert!(matches!(&read[1], Item::Calendar(item) if item.subject.as_deref() == Some("a")));
}

#[test]
fn faults_of_both_soap_versions_say_their_code() {
    let detail = format!("<e:ResponseCode xmlns:e=\"{ERRORS}\">ErrorServerBusy</e:ResponseCode>");
    let old = envelope(&format!(
        "<s:Fault><faultcode xmlns:a=\"{TYPES}\">a:ErrorServerBusy</faultcode><faultstring>.</faultstring>\
         <detail>{detail}</detail></s:Fault>"
    ));
    let new = envelope(&format!(
        "<s:Fault><s:Code><s:Value>s:Receiver</s:Value></s:Code><s:Reason><s:Text xml:lang=\"en\">.</s:Text>\
         </s:Reason><s:Detail>{detail}</s:Detail></s:Fault>"
    ))
    .replace(SOAP11, SOAP12);
    for body in [old, new] {
        assert_eq!(fault(read(body.as_bytes()).unwrap()).code(), Some("ErrorServerBusy"));
    }
}

#[test]
fn pages_and_nothing_are_named_as_what_they_are() {
    assert!(matches!(deviation(b"<html><body>503</body></html>"), Deviation::NotSoap { .. }));
    assert_eq!(deviation(b""), Deviation::Empty);
    assert!(matches!(deviation(b"\xFF\xFE<\0"), Deviation::NotUtf8(_)));
}

#[test]
fn bombs_do_not_go_off() {
    let doctype = format!("<!DOCTYPE a [<!ENTITY b \"bbbb\"><!ENTITY c \"&b;&b;\">]>{}", page(""));
    assert_eq!(
        deviation(doctype.replacen("<?xml version=\"1.0\" encoding=\"utf-8\"?>", "", 1).as_bytes()),
        Deviation::Doctype
    );
    let deep = page(&format!("<t:CalendarItem>{}", "<t:X>".repeat(100_000)));
    assert_eq!(deviation(deep.as_bytes()), Deviation::TooDeep(DecodeLimits::default().depth_max));
    let many = page(&"<t:CalendarItem/>".repeat(11));
    let limits = DecodeLimits { entries_max: 10, ..DecodeLimits::default() };
    assert_eq!(read_within(many.as_bytes(), &limits).unwrap_err().deviation, Deviation::TooManyEntries(10));
    let limits = DecodeLimits { body_bytes_max: 10, ..DecodeLimits::default() };
    assert!(matches!(
        read_within(many.as_bytes(), &limits).unwrap_err().deviation,
        Deviation::BodyTooLarge { limit: 10, .. }
    ));
}

#[test]
fn a_series_names_the_dates_that_were_changed() {
    let body = page(
        "<t:CalendarItem><t:ItemId Id=\"M\" ChangeKey=\"K\"/><t:CalendarItemType>RecurringMaster</t:CalendarItemType>\
         <t:ModifiedOccurrences><t:Occurrence><t:ItemId Id=\"A&amp;\" ChangeKey=\"K\"/>\
         <t:Start>2026-05-06T09:00:00Z</t:Start><t:End>2026-05-06T10:00:00Z</t:End>\
         <t:OriginalStart>2026-05-06T08:00:00Z</t:OriginalStart><t:Mood>fine</t:Mood></t:Occurrence>\
         <t:Occurrence/></t:ModifiedOccurrences><t:IsOrganizer>false</t:IsOrganizer></t:CalendarItem>",
    );
    let read = items(read(body.as_bytes()).unwrap());
    let Item::Calendar(item) = &read[0] else { panic!() };
    let [date, nameless] = item.modified_occurrences.as_slice() else { panic!("{item:?}") };
    assert_eq!(date.item_id.as_ref().unwrap().id, "A&");
    assert_eq!((date.end.unwrap() - date.original_start.unwrap()).num_hours(), 2);
    assert_eq!((&nameless.item_id, nameless.start), (&None, None));
    assert_eq!(item.is_organizer, Some(false));
}
