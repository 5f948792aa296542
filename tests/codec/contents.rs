//! Missing and empty content by both paths; references in namespaces; errors without text of the response.

use adjourn::ews::codec::{DecodeLimits, SoapBody, decode, decode_with_scanner};

use crate::support::{answer, deviation, message, page, read};

#[test]
fn a_missing_content_is_told_from_an_empty_one() {
    let found = |inside: &str| {
        let body =
            message("FindItem", "Success", &format!("<m:ResponseCode>NoError</m:ResponseCode>{inside}"));
        let SoapBody::FindItem(mut messages) = read(body.as_bytes()).unwrap().body else { panic!() };
        assert!(
            decode_with_scanner(body.as_bytes(), &DecodeLimits::default()).is_ok(),
            "the scanner reads it too"
        );
        messages.remove(0).payload.map(|folder| folder.items.map(|items| items.len()))
    };
    assert_eq!(found(""), None);
    assert_eq!(found("<m:RootFolder/>"), Some(None));
    assert_eq!(found("<m:RootFolder><t:Items/></m:RootFolder>"), Some(Some(0)));
    assert_eq!(found("<m:RootFolder><t:Items></t:Items></m:RootFolder>"), Some(Some(0)));
    for operation in ["GetItem", "CreateItem", "MoveItem", "UpdateItem"] {
        let items = |inside: &str| {
            let body =
                message(operation, "Success", &format!("<m:ResponseCode>NoError</m:ResponseCode>{inside}"));
            let read = read(body.as_bytes()).unwrap().body;
            assert!(decode_with_scanner(body.as_bytes(), &DecodeLimits::default()).is_ok());
            match read {
                SoapBody::GetItem(all) | SoapBody::CreateItem(all) | SoapBody::MoveItem(all) => {
                    all[0].payload.is_some()
                }
                SoapBody::UpdateItem(all) => all[0].payload.items.is_some(),
                other => panic!("{other:?}"),
            }
        };
        assert!(!items("") && items("<m:Items/>"), "{operation}");
    }
}

#[test]
fn references_in_namespaces_are_resolved() {
    let plain = page("<t:CalendarItem><t:Subject>a</t:Subject></t:CalendarItem>");
    let same =
        |body: String| assert_eq!(read(body.as_bytes()).unwrap(), read(plain.as_bytes()).unwrap(), "{body}");
    same(plain.replace("xmlns:t=\"h", "xmlns:t=\"&#x68;"));
    same(plain.replace("xmlns:m=\"http", "xmlns:m=\"&#104;t&#116;p"));
    same(plain.replace("/envelope/\"", "/envelop&#101;&#x2f;\""));
    let other = plain.replace("xmlns:t=\"http", "xmlns:t=\"&amp;http");
    assert_ne!(read(other.as_bytes()).unwrap(), read(plain.as_bytes()).unwrap());
}

/// Also in the default namespace, and where an inner element declares a prefix again.
#[test]
fn references_in_a_namespace_declared_inside_are_resolved() {
    let inside = page(
        "<x:CalendarItem xmlns:x=\"http&#58;//schemas.microsoft.com/exchange/services/2006/types\">\
         <Subject xmlns=\"http://schemas.microsoft.com/exchange/services/2006/&#x74;ypes\">a</Subject>\
         </x:CalendarItem>",
    );
    let plain = page("<t:CalendarItem><t:Subject>a</t:Subject></t:CalendarItem>");
    assert_eq!(read(inside.as_bytes()).unwrap(), read(plain.as_bytes()).unwrap());
}

#[test]
fn errors_are_bounded_and_show_no_text_of_the_answer() {
    let long = "Geheim".repeat(100_000);
    let (secret, words) = ("Geheimer Plan, ada@example.com", "m:X");
    let bodies = [
        format!("<{long}/>"),
        format!("<a xmlns=\"{long} {secret}\"/>"),
        format!("<{words}><{long}></{words}>"),
        format!("<{words} xmlns:m=\"{secret}\"></{long}>"),
        format!("<{long}:a/>"),
        format!("<a {long}=\"1\" {long}=\"1\"/>"),
        format!("<a><{secret}></a>"),
        answer("GetItem", &format!("<m:GetItemResponseMessage ResponseClass=\"{secret}\"/>")),
        format!("<?xml version=\"1.0\" encoding=\"{long}\"?><a/>"),
    ];
    for body in bodies {
        let error = decode(body.as_bytes(), &DecodeLimits::default()).unwrap_err().to_string();
        assert!(error.chars().count() < 400, "{} characters", error.chars().count());
        assert!(!error.contains("Plan") && !error.contains("ada@"), "{error}");
        let debugged = format!("{:?}", deviation(body.as_bytes()));
        assert!(debugged.chars().count() < 400 && !debugged.contains("ada@"), "{debugged}");
    }
}
