//! Parses `application/x-www-form-urlencoded`. Does not know the meaning of a field.

/// The decoded fields in order; `None` for invalid percent-encoding or UTF-8.
pub(super) fn read(form: &[u8]) -> Option<Vec<(String, String)>> {
    let text = std::str::from_utf8(form).ok()?;
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decode(name)?, decode(value)?))
    };
    text.split('&').filter(|field| !field.is_empty()).map(pair).collect()
}

fn decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let (digits, after) = rest.split_at_checked(2)?;
                out.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
                rest = after;
            }
            _ => out.push(byte),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_what_is_cut_is_refused() {
        let read_back = read(b"scope=https%3A%2F%2Fx%2F.default&secret=a+b%2Bc&empty=&bare").unwrap();
        let expected = [("scope", "https://x/.default"), ("secret", "a b+c"), ("empty", ""), ("bare", "")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(read_back, expected);
        for wrong in ["a=%4", "a=%", "a=%zz", "a=%ff"] {
            assert_eq!(read(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
