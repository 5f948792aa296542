//! A stream of answers, cut into its envelopes as the bytes arrive: `GetStreamingEvents` answers with one after another, each
//! with a root of its own, and nothing but XML says where one ends.
//!
//! Cuts and nothing else: whether an envelope is any good is for [`decode`](super::decode) to say. Looks at each byte once,
//! whatever the pieces they come in; holds no more than one envelope may have, and what came with it.

use thiserror::Error;

/// Cuts one stream. After an error it is of no more use: where the next envelope begins is not known.
#[derive(Debug)]
pub struct Envelopes {
    /// What came and was not handed out.
    bytes: Vec<u8>,
    /// Up to where it was looked at.
    seen: usize,
    /// Where what has not been handed out begins.
    start: usize,
    at: At,
    /// Elements that are open.
    depth: u32,
    bytes_max: usize,
}

/// Why a stream cannot be cut any more.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Uncut {
    /// More bytes than an envelope may have, and no end.
    #[error("an envelope of the stream is larger than {0} bytes")]
    TooLarge(usize),
    /// Something else than XML's markup: a page for people, most likely.
    #[error("the stream is not a series of envelopes")]
    NotXml,
}

/// Where in the markup the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
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

impl Envelopes {
    /// A stream of envelopes of at most so many bytes each.
    pub fn new(bytes_max: usize) -> Self {
        Self { bytes: Vec::new(), seen: 0, start: 0, at: At::Text, depth: 0, bytes_max }
    }

    /// More bytes of the stream have come.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.start);
        self.seen -= self.start;
        self.start = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole envelope among what has come; `None` when none is.
    ///
    /// # Errors
    /// When there is no telling where it ends.
    pub fn next_envelope(&mut self) -> Result<Option<&[u8]>, Uncut> {
        while let Some(&byte) = self.bytes.get(self.seen) {
            self.seen += 1;
            if self.step(byte)? {
                let whole = self.start..self.seen;
                self.start = self.seen;
                return Ok(self.bytes.get(whole));
            }
            if self.seen - self.start > self.bytes_max {
                return Err(Uncut::TooLarge(self.bytes_max));
            }
            // What stands between envelopes is not kept.
            if self.depth == 0 && self.at == At::Text && is_blank(byte) && self.is_blank_so_far() {
                self.start = self.seen;
            }
        }
        Ok(None)
    }

    /// Whether an envelope has begun and not ended: a stream that ends here was cut.
    pub fn is_within(&self) -> bool {
        self.start < self.bytes.len()
    }

    fn is_blank_so_far(&self) -> bool {
        self.seen == self.start + 1
    }

    /// One byte on. Whether it ends the root element.
    fn step(&mut self, byte: u8) -> Result<bool, Uncut> {
        self.at = match (self.at, byte) {
            (At::Text, b'<') => At::Less,
            // A byte order mark may stand before an envelope, and text inside one.
            (At::Text, _) if self.depth > 0 || is_blank(byte) || is_mark(byte) => At::Text,
            (At::Text, _) => return Err(Uncut::NotXml),
            (At::Less, b'?') => At::Instruction { mark: false },
            (At::Less, b'!') => At::Bang(0),
            (At::Less, b'/') => At::End,
            (At::Less, _) => At::Tag { slash: false },
            (At::Tag { slash: true }, b'>') => return Ok(self.close(false)),
            (At::Tag { slash: false }, b'>') => {
                self.depth = self.depth.saturating_add(1);
                At::Text
            }
            (At::Tag { .. }, quote @ (b'"' | b'\'')) => At::Value(quote),
            (At::Tag { .. }, byte) => At::Tag { slash: byte == b'/' },
            (At::Value(quote), byte) if byte == quote => At::Tag { slash: false },
            (At::End, b'>') => return Ok(self.close(true)),
            (At::Instruction { mark: true }, b'>') => At::Text,
            (At::Instruction { .. }, byte) => At::Instruction { mark: byte == b'?' },
            (At::Bang(0), b'-') => At::Bang(1),
            (At::Bang(1), b'-') => At::Comment(0),
            (At::Bang(0), b'[') => At::Bang(2),
            (At::Bang(count @ 2..), byte) if CDATA.get(usize::from(count) - 2) == Some(&byte) => {
                if usize::from(count) - 1 == CDATA.len() {
                    At::Cdata(0)
                } else {
                    At::Bang(count + 1)
                }
            }
            (At::Bang(_), _) => return Err(Uncut::NotXml),
            (At::Comment(dashes), byte) => after(dashes, byte, b'-').map_or(At::Text, At::Comment),
            (At::Cdata(brackets), byte) => after(brackets, byte, b']').map_or(At::Text, At::Cdata),
            (same @ (At::Value(_) | At::End), _) => same,
        };
        Ok(false)
    }

    /// An element ended: by a tag of its own, or in its start tag. Whether it was the root.
    fn close(&mut self, by_tag: bool) -> bool {
        self.at = At::Text;
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
fn after(count: u8, byte: u8, closing: u8) -> Option<u8> {
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

    fn cut(text: &str, piece: usize) -> Result<Vec<String>, Uncut> {
        let mut envelopes = Envelopes::new(1_000);
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
        let mut envelopes = Envelopes::new(1_000);
        envelopes.push(b"<a></a> ");
        assert_eq!(envelopes.next_envelope().unwrap(), Some(&b"<a></a>"[..]));
        assert_eq!(envelopes.next_envelope().unwrap(), None);
        assert!(!envelopes.is_within());
        envelopes.push(b"<a>");
        assert_eq!(envelopes.next_envelope().unwrap(), None);
        assert!(envelopes.is_within());
    }

    #[test]
    fn what_has_no_end_and_what_is_no_xml_is_refused_within_the_limit() {
        assert_eq!(cut(&format!("<a>{}", "x".repeat(2_000)), 7), Err(Uncut::TooLarge(1_000)));
        assert_eq!(cut("Service Unavailable", 7), Err(Uncut::NotXml));
        assert_eq!(cut("<!DOCTYPE html><html>", 7), Err(Uncut::NotXml));
        // Any number of blanks may come between envelopes: some servers send them to keep a proxy awake.
        assert_eq!(cut(&" ".repeat(5_000), 7), Ok(Vec::new()));
    }

    #[test]
    fn more_end_tags_than_elements_cost_one_envelope() {
        assert_eq!(cut("</a></b><c/>", 3).unwrap(), ["</a>", "</b>", "<c/>"]);
    }
}
