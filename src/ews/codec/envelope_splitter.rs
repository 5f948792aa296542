//! Splits a stream of responses into SOAP envelopes as the bytes arrive. `GetStreamingEvents` sends one envelope after another, each
//! with its own root element, without lengths or separators.
//!
//! Never validates an envelope: [`decode`](super::decode) does. Examines each byte once, however the stream is chunked; holds at most one
//! envelope up to the limit and the bytes that arrived with it.

use thiserror::Error;

/// Splits one stream. After an error it is unusable, because the start of the next envelope is unknown.
#[derive(Debug)]
pub struct EnvelopeSplitter {
    /// Bytes that were received and not returned.
    buffer: Vec<u8>,
    /// End of the bytes already examined.
    scanned: usize,
    /// Start of the bytes not yet returned.
    start: usize,
    state: MarkupState,
    /// Number of open elements.
    depth: u32,
    bytes_max: usize,
}

/// Why a stream cannot be split any further.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum FramingError {
    /// An envelope exceeds the size limit.
    #[error("an envelope of the stream is larger than {0} bytes")]
    TooLarge(usize),
    /// The stream is not XML: most likely an HTML page.
    #[error("the stream is not a sequence of SOAP envelopes")]
    NotXml,
}

/// Position of the next byte in the markup.
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
    /// After `<!` and this many bytes of `--` or `[CDATA[`.
    Bang(u8),
    /// In a comment, after this many dashes in a row (two counts as all).
    Comment(u8),
    /// In a CDATA section, after this many `]` in a row (two counts as all).
    Cdata(u8),
}

impl EnvelopeSplitter {
    /// Splits envelopes of at most `bytes_max` bytes each.
    pub fn new(bytes_max: usize) -> Self {
        Self { buffer: Vec::new(), scanned: 0, start: 0, state: MarkupState::Text, depth: 0, bytes_max }
    }

    /// Adds received bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.scanned -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete envelope; `None` until more bytes arrive.
    ///
    /// # Errors
    /// The end of the envelope cannot be found.
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
            // White space between envelopes is dropped.
            if self.depth == 0 && self.state == MarkupState::Text && is_blank(byte) && self.has_one_byte() {
                self.start = self.scanned;
            }
        }
        Ok(None)
    }

    /// Whether an envelope has started and not ended: a stream that ends here is truncated.
    pub fn is_incomplete(&self) -> bool {
        self.start < self.buffer.len()
    }

    fn has_one_byte(&self) -> bool {
        self.scanned == self.start + 1
    }

    /// Processes one byte; returns whether it ends the root element.
    fn step(&mut self, byte: u8) -> Result<bool, FramingError> {
        self.state = match (self.state, byte) {
            (MarkupState::Text, b'<') => MarkupState::Less,
            // A byte order mark may precede an envelope, and text may appear inside one.
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

    /// Handles the end of an element, by an end tag or a self-closing tag; returns whether it was the root.
    fn close_element(&mut self, by_tag: bool) -> bool {
        self.state = MarkupState::Text;
        let was_inside = self.depth > 0;
        if by_tag {
            self.depth = self.depth.saturating_sub(1);
        }
        // An end tag without a start tag ends an envelope, which the decoder then refuses.
        self.depth == 0 && (by_tag || !was_inside)
    }
}

/// The keyword after `<![`.
const CDATA: &[u8] = b"CDATA[";

/// Given the number of closing bytes in a row, the number after this byte, or `None` if this byte is the final `>`.
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
        // Any amount of white space may separate envelopes: some servers send it to keep a proxy's connection open.
        assert_eq!(cut(&" ".repeat(5_000), 7), Ok(Vec::new()));
    }

    #[test]
    fn more_end_tags_than_elements_cost_one_envelope() {
        assert_eq!(cut("</a></b><c/>", 3).unwrap(), ["</a>", "</b>", "<c/>"]);
    }
}
