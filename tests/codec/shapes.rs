//! The shapes that the scanner decodes: each fixture of its operations takes the fast path, every change of one is decoded as the reader
//! decodes it or declined, and nothing is allocated that need not be owned.

use std::ops::Range;

use adjourn::ews::codec::{DecodeLimits, decode, decode_with_scanner};

use crate::checks;
use crate::support::{fixture, fixtures};

/// The fixtures that the reader decodes: a truncated one, a fault of SOAP 1.2, and operations whose responses are read a few times a day.
const OF_THE_READER: [&str; 6] = [
    "fault_soap12.xml",
    "get_folder.xml",
    "get_room_lists.xml",
    "get_rooms.xml",
    "get_rooms_unknown_list.xml",
    "resolve_names.xml",
];

fn fast_shapes() -> Vec<(String, String)> {
    let fast = fixtures().into_iter().filter(|(name, _)| !OF_THE_READER.contains(&name.as_str()));
    fast.map(|(name, body)| (name, String::from_utf8(body).unwrap())).collect()
}

fn scanned(body: &str) -> bool {
    checks::scanner_agrees_with_reader(body.as_bytes(), &DecodeLimits::default())
}

#[test]
fn every_fixture_of_the_scanners_operations_takes_the_fast_path() {
    assert!(fast_shapes().len() >= 22, "{}", fast_shapes().len());
    for (name, body) in fast_shapes() {
        let declined = decode_with_scanner(body.as_bytes(), &DecodeLimits::default()).err();
        assert!(declined.is_none(), "{name}: {declined:?}");
        assert!(scanned(&body), "{name}");
    }
    for name in OF_THE_READER {
        assert!(!scanned(&String::from_utf8(fixture(name)).unwrap()), "{name} is on the fast path: move it");
    }
}

/// The byte offsets at which markup can be inserted between two tags.
fn borders(body: &str) -> Vec<usize> {
    body.match_indices('<').map(|(at, _)| at).filter(|at| *at > 0).chain([body.len()]).collect()
}

/// The ranges of the tags, without `<` and `>`.
fn tags(body: &str) -> Vec<Range<usize>> {
    let ends = |(start, _): (usize, &str)| Some(start + 1..start + body[start..].find('>')?);
    body.match_indices('<').filter_map(ends).collect()
}

fn inserted(body: &str, at: usize, what: &str) -> String {
    format!("{}{what}{}", &body[..at], &body[at..])
}

#[test]
fn markup_that_exchange_never_writes_is_declined_wherever_it_stands() {
    for (name, body) in fast_shapes() {
        assert!(!scanned(&inserted(&body, 0, "<!DOCTYPE a>")), "{name}");
        for at in borders(&body) {
            for surprise in ["<!-- x -->", "<![CDATA[x]]>", "<?x y?>", "<!DOCTYPE a>", "</t:X>", "<u:X/>"] {
                let changed = inserted(&body, at, surprise);
                assert!(!scanned(&changed), "{name}: {surprise} at {at}");
            }
        }
    }
}

#[test]
fn white_space_text_and_elements_between_the_tags() {
    for (_, body) in fast_shapes() {
        for at in borders(&body) {
            let texts = [" ", "\r\n\t", "x", "&amp;", "&#x0;", "\u{b}", "\u{a0}", "é", "]]>"];
            let elements = ["<t:X/>", "<m:X/>", "<X/>", "<t:X a=\"1\">y</t:X>", "<t:ItemId Id=\"I\"/>"];
            for what in texts.into_iter().chain(elements) {
                scanned(&inserted(&body, at, what));
            }
        }
    }
}

#[test]
fn tags_with_other_names_prefixes_attributes_and_spaces() {
    for (_, body) in fast_shapes() {
        for tag in tags(&body) {
            let inside = &body[tag.clone()];
            let name_end = inside.find([' ', '/']).filter(|at| *at > 0).unwrap_or(inside.len());
            let (name, rest) = inside.split_at(name_end);
            for other in [
                format!("{name}x{rest}"),
                format!("u:{name}{rest}"),
                name.replacen("t:", "m:", 1) + rest,
                name.replacen("m:", "t:", 1) + rest,
                name.split_once(':').map_or(name, |(_, local)| local).to_owned() + rest,
                format!("{name} a=\"1\"{rest}"),
                format!("{name} a=\"1\" a=\"2\"{rest}"),
                format!("{name} xmlns=\"urn:x\"{rest}"),
                format!("{name} xmlns:t=\"urn:x\"{rest}"),
                format!("{name} {rest}"),
                format!("{name}\n{rest}"),
                rest.replace('"', "'") + name,
                format!("{name}{}", rest.replace('"', "'")),
                format!("{name}{}", rest.replace("=\"", " = \"")),
                format!("{name}{}", rest.replacen("=\"", "=\"&#x0;", 1)),
                format!("{name}{}", rest.replacen("=\"", "=\"&#65;", 1)),
                format!("{name}{}", rest.replacen("http", "https", 1)),
            ] {
                scanned(&format!("{}{other}{}", &body[..tag.start], &body[tag.end..]));
            }
        }
    }
}

/// A start tag and its end tag change together, so that the body stays well-formed.
/// Where an element is empty, what followed its start tag are its siblings.
#[test]
fn elements_emptied_everywhere() {
    let details = "<m:MessageXml/><t:Value Name=\"BackOffMilliseconds\">3600000</t:Value>";
    for (_, body) in fast_shapes() {
        for tag in tags(&body) {
            let element = body[tag.clone()].split([' ', '/']).next().unwrap_or_default();
            let end = format!("</{element}>");
            let Some(at) = body[tag.end..].find(&end).map(|at| tag.end + at) else { continue };
            scanned(&format!("{}/{}{}", &body[..tag.end], &body[tag.end..at], &body[at + end.len()..]));
        }
        for at in borders(&body) {
            scanned(&inserted(&body, at, details));
        }
    }
}

#[test]
fn elements_renamed_everywhere() {
    for (name, body) in fast_shapes() {
        let mut names: Vec<&str> = tags(&body)
            .into_iter()
            .map(|tag| body[tag].trim_start_matches('/').split([' ', '/']).next().unwrap_or_default())
            .filter(|name| !name.is_empty() && !name.starts_with('?'))
            .collect();
        names.sort_unstable();
        names.dedup();
        assert!(names.len() > 3, "{name}");
        for name in names {
            for other in [format!("{name}s"), name.replacen("t:", "m:", 1), name.replacen("m:", "t:", 1)] {
                let mut changed = body.clone();
                for (from, to) in [("<", "<"), ("</", "</")] {
                    for end in [">", " ", "/"] {
                        changed =
                            changed.replace(&format!("{from}{name}{end}"), &format!("{to}{other}{end}"));
                    }
                }
                scanned(&changed);
            }
        }
    }
}

/// The values between two tags.
#[test]
fn values_of_every_form() {
    for (_, body) in fast_shapes() {
        for (at, _) in body.match_indices("</") {
            let start = body[..at].rfind('>').unwrap() + 1;
            for value in [
                "",
                " ",
                " a ",
                "a b",
                "&lt;",
                "&",
                "&#x0;",
                "\u{1}",
                "é",
                "0",
                "12345678901",
                "true",
                "a:b",
                ":",
            ] {
                scanned(&format!("{}{value}{}", &body[..start], &body[at..]));
            }
        }
    }
}

#[test]
fn every_pair_of_neighbours_in_the_other_order() {
    for (_, body) in fast_shapes() {
        let borders = borders(&body);
        for three in borders.windows(3) {
            let [a, b, c] = three else { continue };
            scanned(&format!("{}{}{}{}", &body[..*a], &body[*b..*c], &body[*a..*b], &body[*c..]));
            scanned(&inserted(&body, *c, &body[*a..*c]));
        }
    }
}

#[test]
fn both_paths_count_the_same_entries() {
    for (name, body) in fast_shapes() {
        let fits = |entries_max: usize| {
            let limits = DecodeLimits { entries_max, ..DecodeLimits::default() };
            let by_scanner = checks::scanner_agrees_with_reader(body.as_bytes(), &limits);
            assert_eq!(by_scanner, decode(body.as_bytes(), &limits).is_ok(), "{name}, {entries_max} entries");
            by_scanner
        };
        assert!((0..200).any(fits), "{name}");
    }
}

/// Lists are owned, and nothing else: no text is copied, and a list of one is allocated once.
#[test]
fn a_response_allocates_its_lists_only() {
    for (name, lists) in [
        ("delete_item_online.xml", 1),
        ("update_item_online.xml", 2),
        ("update_item.xml", 2),
        ("move_item.xml", 2),
        ("update_item_conflict.xml", 1),
        ("update_item_refused.xml", 2),
        ("fault_impersonation_denied.xml", 0),
        ("fault_server_busy.xml", 1),
        ("fault_schema_validation.xml", 1),
        ("stream_heartbeat.xml", 1),
        ("stream_notification.xml", 4),
        ("stream_subscription_lost.xml", 2),
        ("sync_folder_items.xml", 2),
        ("get_user_availability.xml", 2),
        ("find_item_empty.xml", 1),
    ] {
        let body = fixture(name);
        let counted = allocation_counter::measure(|| {
            drop(decode(&body, &DecodeLimits::default()).unwrap());
        });
        assert_eq!(counted.count_total, lists, "{name}");
    }
}
