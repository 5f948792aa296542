//! Parses challenges of `WWW-Authenticate` and `Proxy-Authenticate`: a list (RFC 9110, sections 5.3 and 11.6.1) in one
//! field or several, whose parameters are separated by commas as well.

use http::{HeaderMap, HeaderName};

/// Challenges that are read of one response; servers send two to five.
const CHALLENGES_MAX: usize = 32;

/// All challenges with their parameters, in the order of the fields.
pub(crate) fn challenges(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    let mut all = Vec::new();
    for value in headers.get_all(name) {
        // A realm may contain any byte; the other schemes still count.
        let value = String::from_utf8_lossy(value.as_bytes());
        split(&value, &mut all);
        if all.len() >= CHALLENGES_MAX {
            all.truncate(CHALLENGES_MAX);
            break;
        }
    }
    all
}

fn split(value: &str, all: &mut Vec<String>) {
    let before = all.len();
    for element in elements(value) {
        if !is_parameter(element) {
            if all.len() >= CHALLENGES_MAX {
                return;
            }
            all.push(element.to_owned());
        } else if let Some(challenge) = all[before..].last_mut() {
            challenge.push_str(", ");
            challenge.push_str(element);
        }
        // Otherwise it is a parameter without a scheme.
    }
}

/// The elements between commas outside quoted strings.
fn elements(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    let is_end = move |letter: char| {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ => {}
        }
        letter == ',' && !quoted
    };
    value.split(is_end).map(str::trim).filter(|element| !element.is_empty())
}

/// Whether the element is a parameter, `name = value`. A challenge begins with a scheme, followed by a space or
/// nothing; its first parameter, if any, is in the same element.
fn is_parameter(element: &str) -> bool {
    let name_ends =
        element.find(|letter: char| letter.is_whitespace() || letter == '=').unwrap_or(element.len());
    element[name_ends..].trim_start().starts_with('=')
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header};

    use super::*;

    fn read(values: &[&[u8]]) -> Vec<String> {
        let values =
            values.iter().map(|value| (header::WWW_AUTHENTICATE, HeaderValue::from_bytes(value).unwrap()));
        challenges(&values.collect(), &header::WWW_AUTHENTICATE)
    }

    #[test]
    fn challenges_are_the_same_in_one_field_and_in_several() {
        let apart = read(&[b"NTLM TlRMTVNTUAAC==", b"Negotiate", b"Basic realm=\"mail\", charset=\"UTF-8\""]);
        let together = read(&[b"NTLM TlRMTVNTUAAC==, Negotiate ,Basic realm=\"mail\", charset=\"UTF-8\""]);
        assert_eq!(apart, ["NTLM TlRMTVNTUAAC==", "Negotiate", "Basic realm=\"mail\", charset=\"UTF-8\""]);
        assert_eq!(together, apart);
    }

    #[test]
    fn commas_and_schemes_in_quotes_are_text() {
        let value = br#"Newauth realm="apps, \"NTLM, x\"", type=1 , title="Login to", Basic realm="simple""#;
        let all = read(&[value]);
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all[0].starts_with("Newauth ") && all[0].ends_with("title=\"Login to\""), "{all:?}");
        assert_eq!(all[1], "Basic realm=\"simple\"");
    }

    #[test]
    fn what_is_written_oddly_is_read_as_far_as_it_is_clear() {
        assert_eq!(read(&[b",, ,NTLM,,Negotiate,"]), ["NTLM", "Negotiate"]);
        assert_eq!(read(&[b"realm=\"of no scheme\", NTLM"]), ["NTLM"]);
        assert_eq!(read(&[b"Bearer realm = \"x\" , error = \"invalid_token\""]).len(), 1);
        assert_eq!(read(&[b"Basic realm=\"never closed, NTLM"]).len(), 1);
        assert_eq!(read(&[b"Basic realm=\"B\xfcro\", NTLM"])[1], "NTLM", "Latin-1 in a realm");
        assert!(read(&[b""]).is_empty());
    }

    #[test]
    fn a_long_list_is_cut() {
        let many = "NTLM,".repeat(10_000);
        assert_eq!(read(&[many.as_bytes(), b"Basic"]).len(), CHALLENGES_MAX);
        let parameters = format!("Digest {}", "a=b,".repeat(1_000));
        assert_eq!(read(&[parameters.as_bytes()]).len(), 1);
    }
}
