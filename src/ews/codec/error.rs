//! Errors of decoding: the exact problem and its byte offset.
//!
//! Never holds text of the response beyond the beginning of a name: subjects and bodies stay out of logs, and a name of a megabyte adds
//! no megabyte to a log.

use std::fmt;

use thiserror::Error;

/// Why a body could not be decoded, and the byte offset.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("failed to decode the response at byte {offset}: {deviation}")]
pub struct DecodeError {
    /// The problem.
    pub deviation: Deviation,
    /// Its byte offset in the body.
    pub offset: usize,
}

/// A decoded value, or why the body could not be decoded.
pub(crate) type DecodeResult<T> = Result<T, DecodeError>;

impl DecodeError {
    #[cold]
    pub(crate) fn new(deviation: Deviation, offset: usize) -> Self {
        Self { deviation: deviation.bounded(), offset }
    }
}

/// Maximum characters of an element's or attribute's name in an error.
const NAME_CHARS_MAX: usize = 60;
/// Maximum characters of a namespace's name in an error.
const NAMESPACE_CHARS_MAX: usize = 120;

/// The beginning of `name`, up to the first character that plain names do not have; an ellipsis stands for the rest.
fn plain(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':');
    beginning(name, NAME_CHARS_MAX, is_plain)
}

fn beginning(text: &str, max: usize, is_shown: impl Fn(char) -> bool) -> String {
    let shown: String = text.chars().take_while(|letter| is_shown(*letter)).take(max).collect();
    if shown.len() < text.len() { shown + "…" } else { shown }
}

impl Deviation {
    /// The same deviation with its names shortened.
    fn bounded(self) -> Self {
        match self {
            Self::AttributeSyntax { element } => Self::AttributeSyntax { element: plain(&element) },
            Self::DeclaredEncoding(name) => Self::DeclaredEncoding(plain(&name)),
            Self::DuplicateAttribute { element, name } => {
                Self::DuplicateAttribute { element: plain(&element), name: plain(&name) }
            }
            Self::InvalidName(name) => Self::InvalidName(plain(&name)),
            Self::MismatchedEndTag { expected, found } => {
                Self::MismatchedEndTag { expected: plain(&expected), found: plain(&found) }
            }
            Self::MissingElement { element, inside } => {
                Self::MissingElement { element, inside: plain(&inside) }
            }
            Self::ResponseClass(class) => Self::ResponseClass(class.as_deref().map(plain)),
            Self::NotSoap { root, namespace } => {
                let namespace =
                    beginning(&namespace, NAMESPACE_CHARS_MAX, |letter| letter.is_ascii_graphic());
                Self::NotSoap { root: plain(&root), namespace }
            }
            Self::Truncated(name) => Self::Truncated(plain(&name)),
            Self::UnboundPrefix(prefix) => Self::UnboundPrefix(plain(&prefix)),
            other => other,
        }
    }
}

/// The exact problem of a body.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Deviation {
    /// An attribute without `=`, quotes or a space before it, or with a `<` in its value.
    #[error("malformed attribute in <{element}>")]
    AttributeSyntax {
        /// The element's name as written.
        element: String,
    },
    /// More bytes than [`super::DecodeLimits::body_bytes_max`].
    #[error("body of {bytes} bytes exceeds the limit of {limit}")]
    BodyTooLarge {
        /// Size of the body.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// The XML declaration names an encoding other than UTF-8.
    #[error("declared encoding {0:?} is not UTF-8")]
    DeclaredEncoding(String),
    /// A DOCTYPE: Exchange never sends one, and entity expansion attacks need one.
    #[error("a DOCTYPE is not allowed")]
    Doctype,
    /// The same attribute twice in one tag.
    #[error("attribute {name:?} appears twice in <{element}>")]
    DuplicateAttribute {
        /// The element's name as written.
        element: String,
        /// The attribute's name.
        name: String,
    },
    /// The body has no bytes except white space.
    #[error("the body is empty")]
    Empty,
    /// A SOAP envelope without `Body`, or with an empty one.
    #[error("the SOAP envelope has no content")]
    EmptyEnvelope,
    /// An invalid XML name.
    #[error("{0:?} is not an XML name")]
    InvalidName(String),
    /// `<?xml …?>` not at the start.
    #[error("an XML declaration is not at the start")]
    MisplacedDeclaration,
    /// An end tag that does not match the open element.
    #[error("</{found}> closes <{expected}>")]
    MismatchedEndTag {
        /// The open element.
        expected: String,
        /// The end tag's name.
        found: String,
    },
    /// A required element is missing.
    #[error("{inside} has no {element}")]
    MissingElement {
        /// The missing element.
        element: &'static str,
        /// Its parent.
        inside: String,
    },
    /// `ResponseClass` is missing, or is not Success, Warning or Error.
    #[error("response class {0:?} is unknown")]
    ResponseClass(Option<String>),
    /// Well-formed XML, but not a SOAP envelope: an error page, a login page, another service.
    #[error("<{root}> in namespace {namespace:?} is not a SOAP envelope")]
    NotSoap {
        /// Local name of the root element.
        root: String,
        /// Its namespace.
        namespace: String,
    },
    /// The body is not UTF-8.
    #[error("the body is not UTF-8 ({0})")]
    NotUtf8(Encoding),
    /// Another XML syntax error.
    #[error("{0}")]
    Syntax(&'static str),
    /// Text or markup other than comments and processing instructions beside the root element.
    #[error("text or markup outside the root element")]
    OutsideRoot,
    /// More attributes in one tag than [`super::DecodeLimits::attributes_max`].
    #[error("more than {0} attributes in one tag")]
    TooManyAttributes(usize),
    /// Deeper than [`super::DecodeLimits::depth_max`].
    #[error("elements nest deeper than {0}")]
    TooDeep(usize),
    /// More items, attendees, messages and the like than [`super::DecodeLimits::entries_max`].
    #[error("more than {0} list entries")]
    TooManyEntries(usize),
    /// More namespace declarations in force at once than [`super::DecodeLimits::namespaces_max`].
    #[error("more than {0} namespace declarations in force")]
    TooManyNamespaces(usize),
    /// The body ends inside an element.
    #[error("the body ends inside <{0}>")]
    Truncated(String),
    /// A namespace prefix without a declaration.
    #[error("prefix {0:?} is not declared")]
    UnboundPrefix(String),
}

/// The likely encoding of a body that is not UTF-8.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Begins with a big-endian byte order mark, or with a NUL and `<`.
    Utf16Be,
    /// Begins with a little-endian byte order mark, or with `<` and a NUL.
    Utf16Le,
    /// Another encoding; the error's offset is the first invalid byte.
    Unknown,
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf16Be => "big-endian UTF-16",
            Self::Utf16Le => "little-endian UTF-16",
            Self::Unknown => "invalid byte sequence",
        })
    }
}
