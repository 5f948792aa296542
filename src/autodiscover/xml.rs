//! Reads an Autodiscover response as a tree of element names and texts. Reads no DTD, expands no entity but XML's own
//! five, never recurses, and rejects documents that are deeper or longer than any response of Autodiscover.
//!
//! Namespaces are ignored on purpose: Exchange's differ between its schema files and its documentation (`http`,
//! `https`), and no decision depends on them.

use quick_xml::Reader;
use quick_xml::escape::{escape, resolve_predefined_entity};
use quick_xml::events::{BytesRef, Event};

/// Responses have some ten levels.
const DEPTH_MAX: usize = 32;
/// The longest POX responses have a few hundred elements.
const ELEMENTS_MAX: usize = 10_000;

/// An element: its name without prefix, its own text, its children.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct XmlNode {
    pub(super) name: String,
    text: String,
    pub(super) children: Vec<XmlNode>,
}

impl XmlNode {
    /// The first child of this name.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The element at the end of a path of names.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |element, name| element.child(name))
    }

    /// The trimmed text of a child, if there is any.
    pub(super) fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }
}

/// For element content.
pub(super) fn escaped(text: &str) -> String {
    escape(text).into_owned()
}

/// Why a body is not a document that is read here.
#[derive(Debug, thiserror::Error)]
pub(super) enum XmlError {
    #[error("not an XML response: not UTF-8")]
    NotUtf8,
    /// Not a `source`: this error's text repeats those of its own sources.
    #[error("not an XML response: {0}")]
    Syntax(quick_xml::Error),
    #[error("not an XML response: it has a document type")]
    DocumentType,
    #[error("not an XML response: an undefined entity")]
    UndefinedEntity,
    #[error("not an XML response: an end tag without a start tag")]
    UnexpectedEndTag,
    #[error("not an XML response: it is cut off")]
    CutOff,
    #[error("not an XML response: not exactly one element")]
    NotOneElement,
    #[error("not an XML response: deeper or longer than any of Autodiscover")]
    TooLarge,
}

/// Reads a whole document.
pub(super) fn read(body: &[u8]) -> Result<XmlNode, XmlError> {
    let text = std::str::from_utf8(body).map_err(|_| XmlError::NotUtf8)?;
    let mut events = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let mut open = vec![XmlNode::default()];
    let mut elements = 0;
    loop {
        let event = events.read_event().map_err(XmlError::Syntax)?;
        match event {
            Event::Start(start) => open.push(named(start.local_name().as_ref())),
            Event::Empty(empty) => append(&mut open, named(empty.local_name().as_ref())),
            Event::End(_) => close(&mut open)?,
            Event::Text(text) => write(&mut open, &text),
            Event::CData(text) => write(&mut open, &text),
            Event::GeneralRef(reference) => resolve(&mut open, &reference)?,
            Event::DocType(_) => return Err(XmlError::DocumentType),
            Event::Eof => break,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
        }
        elements += 1; // texts count too; the limit is one of effort
        if open.len() > DEPTH_MAX || elements > ELEMENTS_MAX {
            return Err(XmlError::TooLarge);
        }
    }
    let (Some(document), true) = (open.pop(), open.is_empty()) else {
        return Err(XmlError::CutOff);
    };
    let mut roots = document.children.into_iter();
    match (roots.next(), roots.next()) {
        (Some(root), None) => Ok(root),
        _ => Err(XmlError::NotOneElement),
    }
}

fn named(name: &str) -> XmlNode {
    XmlNode { name: name.to_owned(), ..XmlNode::default() }
}

fn append(open: &mut [XmlNode], element: XmlNode) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(element);
    }
}

/// The first entry of `open` is the document, which no end tag closes.
fn close(open: &mut Vec<XmlNode>) -> Result<(), XmlError> {
    match open.pop() {
        Some(element) if !open.is_empty() => {
            append(open, element);
            Ok(())
        }
        _ => Err(XmlError::UnexpectedEndTag),
    }
}

fn write(open: &mut [XmlNode], text: &str) {
    if let Some(element) = open.last_mut() {
        element.text.push_str(text);
    }
}

fn resolve(open: &mut [XmlNode], reference: &BytesRef<'_>) -> Result<(), XmlError> {
    if let Some(character) = reference.resolve_char_ref().map_err(|_| XmlError::UndefinedEntity)? {
        write(open, character.encode_utf8(&mut [0; 4]));
        return Ok(());
    }
    write(open, resolve_predefined_entity(reference).ok_or(XmlError::UndefinedEntity)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_texts_are_read_whatever_the_prefix() {
        let root = read(b"\xef\xbb\xbf<?xml version='1.0'?><s:a xmlns:s='x'><b> a&amp;b&#x41;<![CDATA[<]]> </b><c/></s:a>");
        let root = root.unwrap();
        assert_eq!((root.name.as_str(), root.text_of("b"), root.text_of("c")), ("a", Some("a&bA<"), None));
        assert!(root.at(&["c"]).is_some() && root.at(&["b", "c"]).is_none());
    }

    #[test]
    fn what_is_no_document_of_ours_is_refused() {
        let deep = format!("{}{}", "<a>".repeat(40), "</a>".repeat(40));
        let long = format!("<a>{}</a>", "<b/>".repeat(20_000));
        for bad in [
            "",
            "text",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><a/>",
            "<a>&b;</a>",
            "<a>&#x110000;</a>",
            "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
            deep.as_str(),
            long.as_str(),
            &"<a>".repeat(300_000),
        ] {
            assert!(read(bad.as_bytes()).is_err(), "{:.40}", bad);
        }
        assert!(read(b"<a>\xff</a>").is_err());
    }

    #[test]
    fn what_is_written_is_read() {
        let text = "a<b>&\"'c";
        let root = read(format!("<a><b>{}</b></a>", escaped(text)).as_bytes()).unwrap();
        assert_eq!(root.text_of("b"), Some(text));
    }

    proptest! {
        #[test]
        fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&body);
        }

        #[test]
        fn no_markup_panics(body in "(<|>|/|&|;|#|x|a|b|:|=|'|\"|!|\\[|\\]|-|\\?| ){0,60}") {
            let _ = read(body.as_bytes());
        }
    }
}
