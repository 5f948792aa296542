//! The subset of DER that SPNEGO and certificates need: tags, lengths, nesting. Never trusts a length; interprets no
//! value.

/// The unread rest of some DER.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DerReader<'a>(&'a [u8]);

/// One DER element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DerElement<'a> {
    pub(crate) tag: u8,
    pub(crate) content: &'a [u8],
    /// Tag, length and content.
    pub(crate) whole: &'a [u8],
}

pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const ENUMERATED: u8 = 0x0a;
pub(crate) const SEQUENCE: u8 = 0x30;

/// The constructed context-specific tag `[number]`.
pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

impl<'a> DerReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// The next element, with any tag.
    pub(crate) fn any(&mut self) -> Option<DerElement<'a>> {
        let (&tag, after_tag) = self.0.split_first()?;
        let (&first, mut rest) = after_tag.split_first()?;
        let length = match first {
            0..=0x7f => usize::from(first),
            0x81..=0x84 => {
                let (digits, after) = rest.split_at_checked(usize::from(first & 0x7f))?;
                rest = after;
                digits.iter().fold(0, |sum, digit| (sum << 8) | usize::from(*digit))
            }
            _ => return None,
        };
        let (content, after) = rest.split_at_checked(length)?;
        let whole = self.0.get(..self.0.len() - after.len())?;
        self.0 = after;
        Some(DerElement { tag, content, whole })
    }

    /// The next element if it has this tag; otherwise nothing is consumed.
    pub(crate) fn take(&mut self, tag: u8) -> Option<DerElement<'a>> {
        let mut ahead = *self;
        let element = ahead.any().filter(|element| element.tag == tag)?;
        *self = ahead;
        Some(element)
    }

    /// A reader for the content of the next element, if it has this tag.
    pub(crate) fn inside(&mut self, tag: u8) -> Option<DerReader<'a>> {
        self.take(tag).map(|element| DerReader(element.content))
    }
}

/// Encodes an element of `tag` with the concatenated `parts` as content.
pub(crate) fn wrap(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut out = vec![tag];
    match length {
        0..=0x7f => out.push(length as u8),
        _ => {
            let bytes = length.to_be_bytes();
            let digits: Vec<u8> = bytes.iter().copied().skip_while(|digit| *digit == 0).collect();
            out.push(0x80 | digits.len() as u8);
            out.extend(digits);
        }
    }
    parts.iter().for_each(|part| out.extend_from_slice(part));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_and_what_is_cut_does_not() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let content = vec![7; length];
            let written = wrap(SEQUENCE, &[&wrap(OCTET_STRING, &[&content])]);
            let mut inside = DerReader::new(&written).inside(SEQUENCE).unwrap();
            assert_eq!(inside.take(OID), None);
            assert_eq!(inside.take(OCTET_STRING).unwrap().content, content);
            assert_eq!(inside.any(), None);
            for cut in [0, 1, 2, written.len() - 1] {
                assert_eq!(DerReader::new(&written[..cut]).any(), None, "{length} cut at {cut}");
            }
        }
        assert_eq!(
            DerReader::new(&[0x30, 0x80, 0, 0]).any(),
            None,
            "lengths without an end are BER, not DER"
        );
        assert_eq!(DerReader::new(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 1]).any(), None);
    }
}
