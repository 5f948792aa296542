//! Tests of the wire rules: each line of the table in `ews::codec::rules`, and each rule for values.

use adjourn::ews::types::{CalendarItemType, FreeBusyStatus, ResponseType, Sensitivity};

use crate::support::{first_of_page, page_of, subject};

#[test]
fn references_that_xml_forbids_become_the_replacement_character() {
    for code in (0x0..=0x8).chain([0xb, 0xc]).chain(0xe..=0x1f) {
        assert_eq!(subject(&format!("a&#x{code:x};b")), "a\u{fffd}b");
        assert_eq!(subject(&format!("a&#x{code:X};b")), "a\u{fffd}b");
        assert_eq!(subject(&format!("a&#{code};b")), "a\u{fffd}b");
    }
    assert_eq!(subject("a&#xFFFE;b"), "a\u{fffe}b");
}

#[test]
fn references_to_no_character_at_all_become_the_replacement_character() {
    for reference in ["&#xD800;", "&#xDFFF;", "&#x110000;", "&#55296;", "&#99999999999999999999;"] {
        assert_eq!(subject(&format!("a{reference}b")), "a\u{fffd}b", "{reference}");
    }
}

#[test]
fn raw_control_characters_become_the_replacement_character() {
    for code in (0x0..=0x8u8).chain([0xb, 0xc]).chain(0xe..=0x1f) {
        assert_eq!(subject(&format!("a{}b", char::from(code))), "a\u{fffd}b", "{code:#x}");
    }
    assert_eq!(subject("a\u{7f}\u{85}b"), "a\u{7f}\u{85}b");
}

#[test]
fn entities_nobody_declared_are_kept_as_written() {
    assert_eq!(subject("he&nbsp;llo tail"), "he&nbsp;llo tail");
    assert_eq!(subject("&auml;&;&AMP;&#;&#x;&#xg;&#1a;"), "&auml;&;&AMP;&#;&#x;&#xg;&#1a;");
}

#[test]
fn a_bare_ampersand_is_kept_as_written() {
    assert_eq!(subject("R&D"), "R&D");
    assert_eq!(subject("R & D;"), "R & D;");
    assert_eq!(subject("&"), "&");
    assert_eq!(subject("&&amp;&"), "&&&");
    assert_eq!(subject("&#65"), "&#65");
}

#[test]
fn references_that_mean_something_are_resolved() {
    assert_eq!(subject("&lt;&gt;&amp;&quot;&apos;"), "<>&\"'");
    assert_eq!(subject("&#x41;&#66;&#x1F600;"), "AB\u{1f600}");
    assert_eq!(subject("&amp;lt;"), "&lt;");
}

#[test]
fn the_end_of_a_cdata_section_in_text_is_kept() {
    assert_eq!(subject("a]]>b"), "a]]>b");
}

#[test]
fn cdata_means_itself() {
    assert_eq!(subject("a<![CDATA[<b> & &amp;]]>c"), "a<b> & &amp;c");
    assert_eq!(subject("<![CDATA[]]><![CDATA[x]]>"), "x");
    assert_eq!(subject("<![CDATA[\r\n\u{1}]]>"), "\n\u{fffd}");
}

#[test]
fn noncharacters_are_kept() {
    assert_eq!(subject("a\u{fffe}\u{ffff}b"), "a\u{fffe}\u{ffff}b");
}

#[test]
fn line_ends_are_lf_unless_referred_to() {
    assert_eq!(subject("a\r\nb\rc\nd"), "a\nb\nc\nd");
    assert_eq!(subject("a&#xD;&#xA;b"), "a\r\nb");
    assert_eq!(subject("a&#xD;\nb"), "a\r\nb");
}

#[test]
fn white_space_in_an_attribute_is_spaces_unless_referred_to() {
    let page = page_of("<t:ItemId Id=\"a\tb\nc\rd\r\ne\" ChangeKey=\"&#9;&#10;&#13; \"/>");
    let id = first_of_page(&page).item_id.unwrap();
    assert_eq!((&*id.id, id.change_key.as_deref()), ("a b c d e", Some("\t\n\r ")));
}

#[test]
fn attributes_know_the_same_references() {
    let page = page_of("<t:ItemId Id='&lt;\"&#x0;&nbsp;&' ChangeKey=\"'>/\u{1}\"/>");
    let id = first_of_page(&page).item_id.unwrap();
    assert_eq!((&*id.id, id.change_key.as_deref()), ("<\"\u{fffd}&nbsp;&", Some("'>/\u{fffd}")));
}

#[test]
fn comments_and_instructions_inside_text_are_not_text() {
    assert_eq!(subject("a<!-- <b> & -->b<?c d?>e"), "abe");
}

#[test]
fn elements_inside_text_are_not_text() {
    assert_eq!(subject("a<t:b>c<t:d/>e</t:b>f"), "af");
}

#[test]
fn text_keeps_its_white_space() {
    assert_eq!(subject(" a  b\t"), " a  b\t");
    assert_eq!(subject(""), "");
    assert_eq!(subject(" \n"), " \n");
}

fn start(raw: &str) -> Option<String> {
    let page = page_of(&format!("<t:Start>{raw}</t:Start>"));
    first_of_page(&page).start.map(|time| time.format("%Y-%m-%dT%H:%M:%S%.f").to_string())
}

#[test]
fn times_with_and_without_zone_and_fraction() {
    for (raw, utc) in [
        ("2026-11-24T09:30:00Z", "2026-11-24T09:30:00"),
        ("2026-11-24T09:30:00", "2026-11-24T09:30:00"),
        (" 2026-11-24T09:30:00Z\n", "2026-11-24T09:30:00"),
        ("2026-11-24T00:30:00+05:30", "2026-11-23T19:00:00"),
        ("2026-11-24T23:30:00-14:00", "2026-11-25T13:30:00"),
        ("2026-11-24T09:30:00.5Z", "2026-11-24T09:30:00.500"),
        ("2026-11-24T09:30:00.1234567-01:00", "2026-11-24T10:30:00.123456700"),
        ("2026-11-24T09:30:00.12345678999Z", "2026-11-24T09:30:00.123456789"),
        ("2028-02-29T00:00:00Z", "2028-02-29T00:00:00"),
        ("2026-11-24T09:30:00&#x5A;", "2026-11-24T09:30:00"),
    ] {
        assert_eq!(start(raw).as_deref(), Some(utc), "{raw:?}");
    }
}

#[test]
fn moments_that_do_not_exist_are_no_time_and_cost_nothing_else() {
    for raw in [
        "",
        "recurrence-id",
        "2026-02-30T00:00:00Z",
        "2027-02-29T00:00:00Z",
        "2026-11-24T25:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T23:60:00Z",
        "2026-11-24T23:59:60Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-24",
        "2026-11-24T09:30Z",
        "2026-11-24 09:30:00Z",
        "2026-11-24t09:30:00z",
        "2026-11-24T09:30:00.Z",
        "2026-11-24T09:30:00+5:30",
        "2026-11-24T09:30:00+14:01",
        "2026-11-24T09:30:00 Z",
        "+2026-11-24T09:30:00Z",
        "２026-11-24T09:30:00Z",
    ] {
        assert_eq!(start(raw), None, "{raw:?}");
    }
}

#[test]
fn the_ends_of_time() {
    assert_eq!(start("0001-01-01T00:00:00Z").as_deref(), Some("0001-01-01T00:00:00"));
    assert_eq!(start("9999-12-31T23:59:59Z").as_deref(), Some("9999-12-31T23:59:59"));
    assert_eq!(start("0000-01-01T00:00:00+14:00").as_deref(), Some("-0001-12-31T10:00:00"));
}

#[test]
fn truths() {
    for (raw, value) in [
        ("true", Some(true)),
        ("1", Some(true)),
        (" false\r\n", Some(false)),
        ("0", Some(false)),
        ("True", None),
        ("", None),
        ("yes", None),
    ] {
        let page = page_of(&format!("<t:IsCancelled>{raw}</t:IsCancelled>"));
        assert_eq!(first_of_page(&page).is_cancelled, value, "{raw:?}");
    }
}

#[test]
fn numbers() {
    for (raw, value) in [("7", Some(7)), (" -1 ", Some(-1)), ("7.0", None), ("2147483648", None), ("", None)]
    {
        let page = page_of(&format!("<t:AppointmentState>{raw}</t:AppointmentState>"));
        assert_eq!(first_of_page(&page).appointment_state, value, "{raw:?}");
    }
}

#[test]
fn names_without_the_white_space_around_them_and_unknown_ones_verbatim() {
    let page = page_of(
        "<t:Sensitivity> Private\n</t:Sensitivity><t:LegacyFreeBusyStatus>Elsewhere</t:LegacyFreeBusyStatus>\
         <t:CalendarItemType>Nth &amp; last</t:CalendarItemType><t:MyResponseType>Maybe</t:MyResponseType>",
    );
    let item = first_of_page(&page);
    assert_eq!(item.sensitivity, Some(Sensitivity::Private));
    assert_eq!(item.legacy_free_busy_status, Some(FreeBusyStatus::Unknown("Elsewhere".into())));
    assert_eq!(item.calendar_item_type, Some(CalendarItemType::Unknown("Nth & last".into())));
    assert_eq!(item.my_response_type, Some(ResponseType::Other("Maybe".into())));
}

#[test]
fn an_empty_name_is_none() {
    let item = page_of("<t:Sensitivity/><t:CalendarItemType> </t:CalendarItemType>");
    let item = first_of_page(&item);
    assert_eq!((item.sensitivity, item.calendar_item_type), (None, None));
}

#[test]
fn every_name_we_know() {
    let names = |element: &str, known: &[&str]| {
        for name in known {
            let page = page_of(&format!("<t:{element}>{name}</t:{element}>"));
            let shown = format!("{:?}", first_of_page(&page));
            assert!(!shown.contains("Unknown(") && !shown.contains("Other("), "{name}: {shown}");
        }
    };
    names("Sensitivity", &["Normal", "Personal", "Private", "Confidential"]);
    names("CalendarItemType", &["Single", "Occurrence", "Exception", "RecurringMaster"]);
    names("LegacyFreeBusyStatus", &["Free", "Tentative", "Busy", "OOF", "NoData", "WorkingElsewhere"]);
    names(
        "MyResponseType",
        &["Unknown", "Organizer", "Tentative", "Accept", "Decline", "NoResponseReceived"],
    );
}
