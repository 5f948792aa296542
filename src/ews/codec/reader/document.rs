//! Walks an XML document element by element, on quick-xml's events.
//!
//! [`XmlDocument::children`] passes each child to a closure and skips what the closure left unread, so an unknown element costs no code
//! and no closure can read past the end of its element. Resolves namespaces and checks every tag, also in skipped elements. Never recurses
//! itself, and refuses a document that exceeds its limits.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::errors::{Error as XmlError, IllFormedError, SyntaxError};
use quick_xml::events::Event;

use super::super::error::{DecodeError, DecodeResult, Deviation};
use super::super::limits::DecodeLimits;
use super::super::rules::markup::{RawAttributes, split_name};
use super::super::rules::text;
use super::namespace::{Namespace, NamespaceScopes};

/// The document and the reading position.
pub(super) struct XmlDocument<'a> {
    text: &'a str,
    events: Reader<&'a [u8]>,
    scopes: NamespaceScopes<'a>,
    open_elements: Vec<&'a str>,
    entries: usize,
    limits: DecodeLimits,
    /// Length of the byte order mark before `text`.
    bom_len: usize,
}

/// An element whose start tag was read.
#[derive(Debug, Clone, Copy)]
pub(super) struct XmlElement<'a> {
    pub(super) namespace: Namespace,
    pub(super) local_name: &'a str,
    pub(super) offset: usize,
    attributes: RawAttributes<'a>,
    uri: &'a str,
    level: usize,
    self_closing: bool,
}

enum XmlToken<'a> {
    Open(XmlElement<'a>),
    Close,
    Text,
    Cdata(&'a str),
    Other,
    End,
}

impl<'a> XmlDocument<'a> {
    /// `text` is the body after the byte order mark, which had `bom_len` bytes.
    pub(super) fn new(text: &'a str, skipped: usize, limits: &DecodeLimits) -> Self {
        let mut events = Reader::from_str(text);
        let config = events.config_mut();
        config.allow_dangling_amp = true;
        config.check_end_names = true;
        Self {
            text,
            events,
            scopes: NamespaceScopes::new(),
            open_elements: Vec::new(),
            entries: 0,
            limits: *limits,
            bom_len: skipped,
        }
    }

    /// Reads up to the root element.
    pub(super) fn root(&mut self) -> DecodeResult<XmlElement<'a>> {
        loop {
            let start = self.position();
            match self.token()? {
                XmlToken::Open(element) => return Ok(element),
                XmlToken::Text if self.is_blank_since(start) => {}
                XmlToken::Other => {}
                XmlToken::End => return Err(self.error(Deviation::Empty, start)),
                XmlToken::Text | XmlToken::Cdata(_) | XmlToken::Close => {
                    return Err(self.error(Deviation::OutsideRoot, start));
                }
            }
        }
    }

    /// Reads to the end of the document: only white space, comments and processing instructions may follow the root.
    pub(super) fn finish(&mut self) -> DecodeResult<()> {
        loop {
            let start = self.position();
            match self.token()? {
                XmlToken::End => return Ok(()),
                XmlToken::Text if self.is_blank_since(start) => {}
                XmlToken::Other => {}
                _ => return Err(self.error(Deviation::OutsideRoot, start)),
            }
        }
    }

    /// Passes each child element of `parent` to `take` and skips what it leaves unread. Ignores text between the children.
    pub(super) fn children(
        &mut self,
        parent: &XmlElement<'a>,
        mut take: impl FnMut(&mut Self, &XmlElement<'a>) -> DecodeResult<()>,
    ) -> DecodeResult<()> {
        while !parent.self_closing && self.open_elements.len() >= parent.level {
            if let XmlToken::Open(child) = self.token_within()? {
                take(self, &child)?;
                self.skip_to_end_of(&child)?;
            }
        }
        Ok(())
    }

    /// Reads the text of `element`. Skips child elements with their text.
    pub(super) fn text(&mut self, element: &XmlElement<'a>) -> DecodeResult<Cow<'a, str>> {
        let mut pieces = JoinedText::default();
        let mut run = self.position()..self.position();
        while !element.self_closing && self.open_elements.len() >= element.level {
            let token = self.token_within()?;
            if let XmlToken::Text = token {
                run.end = self.position();
                continue;
            }
            pieces.push(text::text(self.slice(run.clone())));
            match token {
                XmlToken::Open(child) => self.skip_to_end_of(&child)?,
                XmlToken::Cdata(raw) => pieces.push(text::cdata(raw)),
                XmlToken::Close | XmlToken::Other | XmlToken::Text | XmlToken::End => {}
            }
            run = self.position()..self.position();
        }
        Ok(pieces.0)
    }

    /// Skips to the end tag of `element`.
    fn skip_to_end_of(&mut self, element: &XmlElement<'a>) -> DecodeResult<()> {
        while !element.self_closing && self.open_elements.len() >= element.level {
            self.token_within()?;
        }
        Ok(())
    }

    /// Counts a list entry towards the limit.
    pub(super) fn count_entry(&mut self, element: &XmlElement<'a>) -> DecodeResult<()> {
        self.entries += 1;
        if self.entries > self.limits.entries_max {
            return Err(DecodeError::new(Deviation::TooManyEntries(self.limits.entries_max), element.offset));
        }
        Ok(())
    }

    fn token_within(&mut self) -> DecodeResult<XmlToken<'a>> {
        let start = self.position();
        match self.token()? {
            XmlToken::End => {
                let name = self.open_elements.last().copied().unwrap_or_default();
                Err(self.error(Deviation::Truncated(name.to_owned()), start))
            }
            token => Ok(token),
        }
    }

    fn token(&mut self) -> DecodeResult<XmlToken<'a>> {
        let start = self.position();
        match self.events.read_event() {
            Ok(Event::Start(_)) => self.start_tag(start, false).map(XmlToken::Open),
            Ok(Event::Empty(_)) => self.start_tag(start, true).map(XmlToken::Open),
            Ok(Event::End(_)) => {
                self.scopes.leave_element(self.open_elements.len());
                self.open_elements.pop();
                Ok(XmlToken::Close)
            }
            Ok(Event::Text(_) | Event::GeneralRef(_)) => Ok(XmlToken::Text),
            Ok(Event::CData(_)) => Ok(XmlToken::Cdata(self.markup_since(start, "<![CDATA[", "]]>"))),
            Ok(Event::Comment(_) | Event::PI(_)) => Ok(XmlToken::Other),
            Ok(Event::Decl(declaration)) => {
                self.check_declaration(start, declaration.encoding().and_then(|e| e.ok()))?;
                Ok(XmlToken::Other)
            }
            Ok(Event::DocType(_)) => Err(self.error(Deviation::Doctype, start)),
            Ok(Event::Eof) => Ok(XmlToken::End),
            Err(error) => Err(self.xml_error(error, start)),
        }
    }

    /// Parses a start tag. Its namespace declarations apply to the tag itself, so they are read first.
    fn start_tag(&mut self, start: usize, empty: bool) -> DecodeResult<XmlElement<'a>> {
        let inside = self.markup_since(start, "<", if empty { "/>" } else { ">" });
        let name_len = inside.bytes().position(super::super::rules::is_space).unwrap_or(inside.len());
        let (name, rest) = inside.split_at(name_len);
        let Some((prefix, local)) = split_name(name) else {
            return Err(self.error(Deviation::InvalidName(name.to_owned()), start));
        };
        if self.open_elements.len() >= self.limits.depth_max {
            return Err(self.error(Deviation::TooDeep(self.limits.depth_max), start));
        }
        self.open_elements.push(name);
        let level = self.open_elements.len();
        self.declare_namespaces(name, rest, start)?;
        let Some((namespace, uri)) = self.scopes.resolve(prefix) else {
            return Err(self.error(Deviation::UnboundPrefix(prefix.to_owned()), start));
        };
        if empty {
            self.scopes.leave_element(level);
            self.open_elements.pop();
        }
        let attributes = RawAttributes::new(rest);
        Ok(XmlElement {
            namespace,
            local_name: local,
            uri,
            attributes,
            level,
            self_closing: empty,
            offset: start + self.bom_len,
        })
    }

    fn declare_namespaces(&mut self, element: &str, rest: &'a str, start: usize) -> DecodeResult<()> {
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
                self.scopes.declare(self.open_elements.len(), prefix, attribute.value);
            }
        }
        if super::super::rules::trim(attributes.rest()).is_empty() {
            Ok(())
        } else {
            Err(self.attribute_error(element, start))
        }
    }

    fn check_declaration(&self, start: usize, encoding: Option<Cow<'_, str>>) -> DecodeResult<()> {
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

    /// The markup read since `start`, without its delimiters.
    fn markup_since(&self, start: usize, open: &str, close: &str) -> &'a str {
        let whole = self.slice(start..self.position());
        whole.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)).unwrap_or_default()
    }

    fn is_blank_since(&self, start: usize) -> bool {
        super::super::rules::trim(self.slice(start..self.position())).is_empty()
    }

    #[cold]
    fn error(&self, deviation: Deviation, at: usize) -> DecodeError {
        DecodeError::new(deviation, at + self.bom_len)
    }

    #[cold]
    fn attribute_error(&self, element: &str, start: usize) -> DecodeError {
        self.error(Deviation::AttributeSyntax { element: element.to_owned() }, start)
    }

    #[cold]
    fn xml_error(&self, error: XmlError, start: usize) -> DecodeError {
        let deviation = match error {
            XmlError::Syntax(error) => syntax(error, self.open_elements.last().copied().unwrap_or_default()),
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

impl<'a> XmlElement<'a> {
    /// Whether the element has this namespace and local name.
    pub(super) fn is(&self, namespace: Namespace, local: &str) -> bool {
        self.namespace == namespace && self.local_name == local
    }

    /// The local name if the element is in `namespace`, else the empty string, which no element is named.
    pub(super) fn local_name_in(&self, namespace: Namespace) -> &'a str {
        if self.namespace == namespace { self.local_name } else { "" }
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

    /// The namespace URI as written.
    pub(super) fn uri(&self) -> &'a str {
        self.uri
    }
}

/// Text joined from pieces; borrowed while there is only one.
#[derive(Default)]
struct JoinedText<'a>(Cow<'a, str>);

impl<'a> JoinedText<'a> {
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
