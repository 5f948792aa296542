//! A document walked element by element, on quick-xml's events.
//!
//! [`Document::children`] hands each child to a closure and skips whatever of it the closure left unread, so that an
//! unknown element costs nothing and nobody can read past the end of their own. Namespaces are resolved here; every
//! tag is checked here, also in what is skipped. Never recurses by itself, and refuses what exceeds its limits.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::errors::{Error as XmlError, IllFormedError, SyntaxError};
use quick_xml::events::Event;

use super::super::decode::Limits;
use super::super::error::{DecodeError, Deviation};
use super::super::rules::markup::{RawAttributes, split_name};
use super::super::rules::text;
use super::namespace::{Namespace, Scopes};

type Result<T> = std::result::Result<T, DecodeError>;

/// The document and how far it was read.
pub(super) struct Document<'a> {
    text: &'a str,
    events: Reader<&'a [u8]>,
    scopes: Scopes<'a>,
    open: Vec<&'a str>,
    entries: usize,
    limits: Limits,
    /// Bytes of a byte order mark before `text`.
    skipped: usize,
}

/// An element whose start tag was just read.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) namespace: Namespace,
    pub(super) local: &'a str,
    pub(super) offset: usize,
    attributes: RawAttributes<'a>,
    uri: &'a str,
    level: usize,
    empty: bool,
}

enum Token<'a> {
    Open(Element<'a>),
    Close,
    Text,
    Cdata(&'a str),
    Other,
    End,
}

impl<'a> Document<'a> {
    /// `text` is the body without a byte order mark, of which it had `skipped` bytes.
    pub(super) fn new(text: &'a str, skipped: usize, limits: &Limits) -> Self {
        let mut events = Reader::from_str(text);
        let config = events.config_mut();
        config.allow_dangling_amp = true;
        config.check_end_names = true;
        Self { text, events, scopes: Scopes::new(), open: Vec::new(), entries: 0, limits: *limits, skipped }
    }

    /// The root element.
    pub(super) fn root(&mut self) -> Result<Element<'a>> {
        loop {
            let start = self.position();
            match self.token()? {
                Token::Open(element) => return Ok(element),
                Token::Text if self.is_blank_since(start) => {}
                Token::Other => {}
                Token::End => return Err(self.error(Deviation::Empty, start)),
                Token::Text | Token::Cdata(_) | Token::Close => {
                    return Err(self.error(Deviation::OutsideRoot, start));
                }
            }
        }
    }

    /// Nothing but white space, comments and instructions may follow the root.
    pub(super) fn finish(&mut self) -> Result<()> {
        loop {
            let start = self.position();
            match self.token()? {
                Token::End => return Ok(()),
                Token::Text if self.is_blank_since(start) => {}
                Token::Other => {}
                _ => return Err(self.error(Deviation::OutsideRoot, start)),
            }
        }
    }

    /// Hands each child element of `parent` to `take`; skips what it leaves unread. Text between them is not ours.
    pub(super) fn children(
        &mut self,
        parent: &Element<'a>,
        mut take: impl FnMut(&mut Self, &Element<'a>) -> Result<()>,
    ) -> Result<()> {
        while !parent.empty && self.open.len() >= parent.level {
            if let Token::Open(child) = self.token_within()? {
                take(self, &child)?;
                self.leave(&child)?;
            }
        }
        Ok(())
    }

    /// The text of `element`. Elements inside it are skipped, with their text.
    pub(super) fn text(&mut self, element: &Element<'a>) -> Result<Cow<'a, str>> {
        let mut pieces = Pieces::default();
        let mut run = self.position()..self.position();
        while !element.empty && self.open.len() >= element.level {
            let token = self.token_within()?;
            if let Token::Text = token {
                run.end = self.position();
                continue;
            }
            pieces.push(text::text(self.slice(run.clone())));
            match token {
                Token::Open(child) => self.leave(&child)?,
                Token::Cdata(raw) => pieces.push(text::cdata(raw)),
                Token::Close | Token::Other | Token::Text | Token::End => {}
            }
            run = self.position()..self.position();
        }
        Ok(pieces.0)
    }

    /// Reads on until `element` is closed.
    fn leave(&mut self, element: &Element<'a>) -> Result<()> {
        while !element.empty && self.open.len() >= element.level {
            self.token_within()?;
        }
        Ok(())
    }

    /// Counts one more entry of any list against its limit.
    pub(super) fn count_entry(&mut self, element: &Element<'a>) -> Result<()> {
        self.entries += 1;
        if self.entries > self.limits.entries_max {
            return Err(DecodeError::new(Deviation::TooManyEntries(self.limits.entries_max), element.offset));
        }
        Ok(())
    }

    fn token_within(&mut self) -> Result<Token<'a>> {
        let start = self.position();
        match self.token()? {
            Token::End => {
                let name = self.open.last().copied().unwrap_or_default();
                Err(self.error(Deviation::Truncated(name.to_owned()), start))
            }
            token => Ok(token),
        }
    }

    fn token(&mut self) -> Result<Token<'a>> {
        let start = self.position();
        match self.events.read_event() {
            Ok(Event::Start(_)) => self.start_tag(start, false).map(Token::Open),
            Ok(Event::Empty(_)) => self.start_tag(start, true).map(Token::Open),
            Ok(Event::End(_)) => {
                self.scopes.leave(self.open.len());
                self.open.pop();
                Ok(Token::Close)
            }
            Ok(Event::Text(_) | Event::GeneralRef(_)) => Ok(Token::Text),
            Ok(Event::CData(_)) => Ok(Token::Cdata(self.inside(start, "<![CDATA[", "]]>"))),
            Ok(Event::Comment(_) | Event::PI(_)) => Ok(Token::Other),
            Ok(Event::Decl(declaration)) => {
                self.check_declaration(start, declaration.encoding().and_then(|e| e.ok()))?;
                Ok(Token::Other)
            }
            Ok(Event::DocType(_)) => Err(self.error(Deviation::Doctype, start)),
            Ok(Event::Eof) => Ok(Token::End),
            Err(error) => Err(self.xml_error(error, start)),
        }
    }

    /// Namespaces are in force on the tag that declares them, so they come first.
    fn start_tag(&mut self, start: usize, empty: bool) -> Result<Element<'a>> {
        let inside = self.inside(start, "<", if empty { "/>" } else { ">" });
        let name_len = inside.bytes().position(super::super::rules::is_space).unwrap_or(inside.len());
        let (name, rest) = inside.split_at(name_len);
        let Some((prefix, local)) = split_name(name) else {
            return Err(self.error(Deviation::InvalidName(name.to_owned()), start));
        };
        if self.open.len() >= self.limits.depth_max {
            return Err(self.error(Deviation::TooDeep(self.limits.depth_max), start));
        }
        self.open.push(name);
        let level = self.open.len();
        self.declare_namespaces(name, rest, start)?;
        let Some((namespace, uri)) = self.scopes.resolve(prefix) else {
            return Err(self.error(Deviation::UnboundPrefix(prefix.to_owned()), start));
        };
        if empty {
            self.scopes.leave(level);
            self.open.pop();
        }
        let attributes = RawAttributes::new(rest);
        Ok(Element { namespace, local, uri, attributes, level, empty, offset: start + self.skipped })
    }

    fn declare_namespaces(&mut self, element: &str, rest: &'a str, start: usize) -> Result<()> {
        let mut attributes = RawAttributes::new(rest);
        let mut seen: Vec<&str> = Vec::new();
        while let Some(attribute) = attributes.next_attribute() {
            let Ok(attribute) = attribute else { return Err(self.attribute_error(element, start)) };
            if seen.len() >= self.limits.attributes_max {
                return Err(self.error(Deviation::TooManyAttributes(self.limits.attributes_max), start));
            }
            if seen.contains(&attribute.name) {
                let deviation = Deviation::DuplicateAttribute {
                    element: element.to_owned(),
                    name: attribute.name.to_owned(),
                };
                return Err(self.error(deviation, start));
            }
            seen.push(attribute.name);
            let declared = match attribute.name {
                "xmlns" => Some(""),
                name => name.strip_prefix("xmlns:"),
            };
            if let Some(prefix) = declared {
                if self.scopes.len() >= self.limits.namespaces_max {
                    return Err(self.error(Deviation::TooManyNamespaces(self.limits.namespaces_max), start));
                }
                self.scopes.declare(self.open.len(), prefix, attribute.value);
            }
        }
        if super::super::rules::trim(attributes.rest()).is_empty() {
            Ok(())
        } else {
            Err(self.attribute_error(element, start))
        }
    }

    fn check_declaration(&self, start: usize, encoding: Option<Cow<'_, str>>) -> Result<()> {
        if start > 0 {
            return Err(self.error(Deviation::MisplacedDeclaration, start));
        }
        match encoding {
            Some(name) if !is_utf8_name(&name) => {
                Err(self.error(Deviation::DeclaredEncoding(name.into_owned()), start))
            }
            _ => Ok(()),
        }
    }

    fn position(&self) -> usize {
        self.events.buffer_position() as usize
    }

    fn slice(&self, range: std::ops::Range<usize>) -> &'a str {
        self.text.get(range).unwrap_or_default()
    }

    /// The markup that began at `start` and was just read, without its delimiters.
    fn inside(&self, start: usize, open: &str, close: &str) -> &'a str {
        let whole = self.slice(start..self.position());
        whole.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).unwrap_or_default()
    }

    fn is_blank_since(&self, start: usize) -> bool {
        super::super::rules::trim(self.slice(start..self.position())).is_empty()
    }

    #[cold]
    fn error(&self, deviation: Deviation, at: usize) -> DecodeError {
        DecodeError::new(deviation, at + self.skipped)
    }

    #[cold]
    fn attribute_error(&self, element: &str, start: usize) -> DecodeError {
        self.error(Deviation::AttributeSyntax { element: element.to_owned() }, start)
    }

    #[cold]
    fn xml_error(&self, error: XmlError, start: usize) -> DecodeError {
        let deviation = match error {
            XmlError::Syntax(error) => syntax(error, self.open.last().copied().unwrap_or_default()),
            XmlError::IllFormed(IllFormedError::MismatchedEndTag { expected, found }) => {
                Deviation::MismatchedEndTag { expected, found }
            }
            XmlError::IllFormed(IllFormedError::UnmatchedEndTag(_)) => Deviation::OutsideRoot,
            XmlError::IllFormed(IllFormedError::MissingDoctypeName) => Deviation::Doctype,
            _ => Deviation::Syntax("malformed XML"),
        };
        self.error(deviation, start)
    }
}

impl<'a> Element<'a> {
    /// Whether this is `local` in `namespace`.
    pub(super) fn is(&self, namespace: Namespace, local: &str) -> bool {
        self.namespace == namespace && self.local == local
    }

    /// The local name if this is in `namespace`, else nothing that any element is called.
    pub(super) fn local_in(&self, namespace: Namespace) -> &'a str {
        if self.namespace == namespace { self.local } else { "" }
    }

    /// The value of the unprefixed attribute `name`.
    pub(super) fn attribute(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut attributes = self.attributes;
        while let Some(Ok(attribute)) = attributes.next_attribute() {
            if attribute.name == name {
                return Some(text::attribute(attribute.value));
            }
        }
        None
    }

    /// The namespace as written.
    pub(super) fn uri(&self) -> &'a str {
        self.uri
    }
}

/// Text in pieces: borrowed while there is one.
#[derive(Default)]
struct Pieces<'a>(Cow<'a, str>);

impl<'a> Pieces<'a> {
    fn push(&mut self, piece: Cow<'a, str>) {
        if self.0.is_empty() {
            self.0 = piece;
        } else if !piece.is_empty() {
            self.0.to_mut().push_str(&piece);
        }
    }
}

fn is_utf8_name(name: &str) -> bool {
    ["utf-8", "utf8", "us-ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

fn syntax(error: SyntaxError, inside: &str) -> Deviation {
    match error {
        SyntaxError::UnclosedDoctype => Deviation::Doctype,
        SyntaxError::InvalidBangMarkup => Deviation::Syntax("unknown markup after <!"),
        _ => Deviation::Truncated(inside.to_owned()),
    }
}
