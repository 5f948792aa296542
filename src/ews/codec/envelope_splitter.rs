//! A stream of answers, cut into its envelopes as the bytes arrive: `GetStreamingEvents` answers with one after another, each
//! with a root of its own, and nothing but XML says where one ends.
//!
//! Cuts and nothing else: whether an envelope is any good is for [`decode`](super::decode) to say. Looks at each byte once,
//! whatever the pieces they come in; holds no more than one envelope may have, and what came with it.

use thiserror::Error;

/// Cuts one stream. After an error it is of no more use: where the next envelope begins is not known.
#[derive(Debug)]
pub struct EnvelopeSplitter {
    /// What came and was not handed out.
    buffer: Vec<u8>,
    /// Up to where it was looked at.
    scanned: usize,
    /// Where what has not been handed out begins.
    start: usize,
    state: MarkupState,
    /// Elements that are open.
    depth: u32,
    bytes_max: usize,
}

/// Why a stream cannot be cut any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FramingError {
    /// More bytes than an envelope may have, and no end.
    #[error("an envelope of the stream is larger than {0} bytes")]
    TooLarge(usize),
    /// Something else than XML's markup: a page for people, most likely.
    #[error("the stream is not a series of envelopes")]
    NotXml,
}

/// Where in the markup the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MarkupState {
    /// Between two tags.
    Text,
    /// After `<`.
    Less,
    /// In a start tag; whether the last byte was a `/`.
    Tag { slash: bool },
    /// In a start tag, in an attribute's value that ends with this quote.
    Value(u8),
    /// In an end tag.
    End,
    /// After `<?`; whether the last byte was a `?`.
    Instruction { mark: bool },
    /// After `<!` and so much of `--` or `[CDATA[`.
    Bang(u8),
    /// In a comment, after so many dashes in a row (two count as all).
    Comment(u8),
    /// In a CDATA section, after so many `]` in a row (two count as all).
    Cdata(u8),
}

impl EnvelopeSplitter {
    /// A stream of envelopes of at most so many bytes each.
    pub fn new(bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), scanned: 0, start: 0, state: MarkupState::Text, depth: 0, bytes_max }
    }

    /// More bytes of the stream have come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole envelope among what has come; `None` when none is.
    ///
    /// # Errors
    /// When there is no telling where it ends.
    pub fn next_envelope(&mut self) -> Result<Option<&[u8]>, FramingError> {
        while let Some(&byte) = self.buffer.get(self.scanned) {
            self.scanned += 1;
            if self.step(byte)? {
                let whole = self.start..self.scanned;
                self.start = self.scanned;
                return Ok(self.buffer.get(whole));
            }
            if self.scanned - self.start > self.bytes_max {
                return Err(FramingError::TooLarge(self.bytes_max));
            }
            // What stands between envelopes is not kept.
            if self.depth == 0 && self.state == MarkupState::Text && is_blank(byte) && self.has_one_byte() {
                self.start = self.scanned;
            }
        }
        Ok(None)
    }

    /// Whether an envelope has begun and not ended: a stream that ends here was cut.
    pub fn is_incomplete(&self) -> bool {
        self.start < self.buffer.len()
    }

    fn has_one_byte(&self) -> bool {
        self.scanned == self.start + 1
    }

    /// One byte on. Whether it ends the root element.
    fn step(&mut self, byte: u8) -> Result<bool, FramingError> {
        self.state = match (self.state, byte) {
            (MarkupState::Text, b'<') => MarkupState::Less,
            // A byte order mark may stand before an envelope, and text inside one.
            (MarkupState::Text, _) if self.depth > 0 || is_blank(byte) || is_mark(byte) => MarkupState::Text,
            (MarkupState::Text, _) => return Err(FramingError::NotXml),
            (MarkupState::Less, b'?') => MarkupState::Instruction { mark: false },
            (MarkupState::Less, b'!') => MarkupState::Bang(0),
            (MarkupState::Less, b'/') => MarkupState::End,
            (MarkupState::Less, _) => MarkupState::Tag { slash: false },
            (MarkupState::Tag { slash: true }, b'>') => return Ok(self.close_element(false)),
            (MarkupState::Tag { slash: false }, b'>') => {
                self.depth = self.depth.saturating_add(1);
                MarkupState::Text
            }
            (MarkupState::Tag { .. }, quote @ (b'"' | b'\'')) => MarkupState::Value(quote),
            (MarkupState::Tag { .. }, byte) => MarkupState::Tag { slash: byte == b'/' },
            (MarkupState::Value(quote), byte) if byte == quote => MarkupState::Tag { slash: false },
            (MarkupState::End, b'>') => return Ok(self.close_element(true)),
            (MarkupState::Instruction { mark: true }, b'>') => MarkupState::Text,
            (MarkupState::Instruction { .. }, byte) => MarkupState::Instruction { mark: byte == b'?' },
            (MarkupState::Bang(0), b'-') => MarkupState::Bang(1),
            (MarkupState::Bang(1), b'-') => MarkupState::Comment(0),
            (MarkupState::Bang(0), b'[') => MarkupState::Bang(2),
            (MarkupState::Bang(count @ 2..), byte) if CDATA.get(usize::from(count) - 2) == Some(&byte) => {
                if usize::from(count) - 1 == CDATA.len() {
                    MarkupState::Cdata(0)
                } else {
                    MarkupState::Bang(count + 1)
                }
            }
            (MarkupState::Bang(_), _) => return Err(FramingError::NotXml),
            (MarkupState::Comment(dashes), byte) => {
                closing_count(dashes, byte, b'-').map_or(MarkupState::Text, MarkupState::Comment)
            }
            (MarkupState::Cdata(brackets), byte) => {
                closing_count(brackets, byte, b']').map_or(MarkupState::Text, MarkupState::Cdata)
            }
            (same @ (MarkupState::Value(_) | MarkupState::End), _) => same,
        };
        Ok(false)
    }

    /// An element ended: by a tag of its own, or in its start tag. Whether it was the root.
    fn close_element(&mut self, by_tag: bool) -> bool {
        self.state = MarkupState::Text;
        let was_inside = self.depth > 0;
        if by_tag {
            self.depth = self.depth.saturating_sub(1);
        }
        // An end tag that closes nothing ends an envelope that no decoder takes.
        self.depth == 0 && (by_tag || !was_inside)
    }
}

/// What stands between `<![` and the text.
const CDATA: &[u8] = b"CDATA[";

/// After so many of the closing byte in a row: how many now, or `None` when this byte is the `>` that ends it.
fn closing_count(count: u8, byte: u8, closing: u8) -> Option<u8> {
    match byte {
        b'>' if count >= 2 => None,
        _ if byte == closing => Some(count.saturating_add(1).min(2)),
        _ => Some(0),
    }
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn is_mark(byte: u8) -> bool {
    matches!(byte, 0xef | 0xbb | 0xbf)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = concat!(
        "<?xml version=\"1.0\"?><!-- a > -- <b> --><a x='/>' y=\"</a>\"><b/><c z='1'/>",
        "<![CDATA[</a>]]]]><![CDATA[]]>t</a>"
    );

    fn cut(text: &str, piece: usize) -> Result<Vec<String>, FramingError> {
        let mut envelopes = EnvelopeSplitter::new(1_000);
        let mut whole = Vec::new();
        for piece in text.as_bytes().chunks(piece) {
            envelopes.push(piece);
            while let Some(envelope) = envelopes.next_envelope()? {
                whole.push(String::from_utf8(envelope.to_vec()).unwrap());
            }
        }
        Ok(whole)
    }

    #[test]
    fn whatever_the_pieces_the_envelopes_are_the_same() {
        let second = "<?xml version=\"1.0\"?>\r\n<s:Envelope xmlns:s='u'><s:Body/></s:Envelope>";
        let stream = format!("{ODD}{second}\n <e/>{ODD}");
        for piece in 1..=stream.len() {
            assert_eq!(cut(&stream, piece).unwrap(), [ODD, second, "<e/>", ODD], "in pieces of {piece}");
        }
    }

    #[test]
    fn a_stream_that_ends_within_an_envelope_says_so() {
        let mut envelopes = EnvelopeSplitter::new(1_000);
        envelopes.push(b"<a></a> ");
        assert_eq!(envelopes.next_envelope().unwrap(), Some(&b"<a></a>"[..]));
        assert_eq!(envelopes.next_envelope().unwrap(), None);
        assert!(!envelopes.is_incomplete());
        envelopes.push(b"<a>");
        assert_eq!(envelopes.next_envelope().unwrap(), None);
        assert!(envelopes.is_incomplete());
    }

    #[test]
    fn what_has_no_end_and_what_is_no_xml_is_refused_within_the_limit() {
        assert_eq!(cut(&format!("<a>{}", "x".repeat(2_000)), 7), Err(FramingError::TooLarge(1_000)));
        assert_eq!(cut("Service Unavailable", 7), Err(FramingError::NotXml));
        assert_eq!(cut("<!DOCTYPE html><html>", 7), Err(FramingError::NotXml));
        // Any number of blanks may come between envelopes: some servers send them to keep a proxy awake.
        assert_eq!(cut(&" ".repeat(5_000), 7), Ok(Vec::new()));
    }

    #[test]
    fn more_end_tags_than_elements_cost_one_envelope() {
        assert_eq!(cut("</a></b><c/>", 3).unwrap(), ["</a>", "</b>", "<c/>"]);
    }
}
