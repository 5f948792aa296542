//! What can be wrong with an answer, named exactly, with the byte where it shows.
//!
//! Never holds text of the answer beyond the beginning of a name: subjects and bodies stay out of logs, and a name of a
//! megabyte costs a log no megabyte.

use std::fmt;

use thiserror::Error;

/// Why a body could not be decoded, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("failed to decode an answer at byte {offset}: {deviation}")]
pub struct DecodeError {
    /// What is wrong.
    pub deviation: Deviation,
    /// The byte of the body where it shows.
    pub offset: usize,
}

impl DecodeError {
    #[cold]
    pub(crate) fn new(deviation: Deviation, offset: usize) -> Self {
        Self { deviation: deviation.bounded(), offset }
    }
}

/// Characters of an element's or attribute's name in an error.
const NAME_CHARS_MAX: usize = 60;
/// Characters of a namespace's name in an error.
const NAMESPACE_CHARS_MAX: usize = 120;

/// The beginning of `name`, as far as it is a plain name; an ellipsis stands for the rest.
fn plain(name: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-' | '.' | ':');
    beginning(name, NAME_CHARS_MAX, is_plain)
}

fn beginning(text: &str, max: usize, is_shown: impl Fn(char) -> bool) -> String {
    let shown: String = text.chars().take_while(|letter| is_shown(*letter)).take(max).collect();
    if shown.len() < text.len() { shown + "…" } else { shown }
}

impl Deviation {
    /// The same, with nothing in it but the beginnings of names.
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

/// Exactly what is wrong with a body.
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
        /// How many came.
        bytes: usize,
        /// How many are allowed.
        limit: usize,
    },
    /// The XML declaration names an encoding other than UTF-8.
    #[error("declared encoding {0:?} is not UTF-8")]
    DeclaredEncoding(String),
    /// A DOCTYPE: Exchange never writes one, and entity bombs need one.
    #[error("a DOCTYPE is refused")]
    Doctype,
    /// The same attribute twice in one tag.
    #[error("attribute {name:?} twice in <{element}>")]
    DuplicateAttribute {
        /// The element's name as written.
        element: String,
        /// The attribute's.
        name: String,
    },
    /// No bytes, or nothing but white space.
    #[error("the body is empty")]
    Empty,
    /// A SOAP envelope without `SoapBody`, or with nothing in it.
    #[error("the SOAP envelope has no content")]
    EmptyEnvelope,
    /// Neither a tag nor an attribute may be called so.
    #[error("{0:?} is no name")]
    InvalidName(String),
    /// `<?xml …?>` elsewhere than at the start.
    #[error("an XML declaration after the start")]
    MisplacedDeclaration,
    /// An end tag that closes something else than is open.
    #[error("</{found}> closes <{expected}>")]
    MismatchedEndTag {
        /// What is open.
        expected: String,
        /// What is closed.
        found: String,
    },
    /// An element that must be there is not.
    #[error("{inside} without {element}")]
    MissingElement {
        /// What is missing.
        element: &'static str,
        /// Where.
        inside: String,
    },
    /// `ResponseClass` is missing or none of Success, Warning, Error.
    #[error("response class {0:?} is unknown")]
    ResponseClass(Option<String>),
    /// Well-formed, but no SOAP envelope: an error page, a login page, another service.
    #[error("<{root}> in namespace {namespace:?} is no SOAP envelope")]
    NotSoap {
        /// Local name of the root element.
        root: String,
        /// Its namespace.
        namespace: String,
    },
    /// Not UTF-8.
    #[error("the body is not UTF-8 ({0})")]
    NotUtf8(Encoding),
    /// What XML knows no other name for.
    #[error("{0}")]
    Syntax(&'static str),
    /// Something other than white space, comments and instructions beside the root element.
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
    /// The body ends before the element does.
    #[error("the body ends inside <{0}>")]
    Truncated(String),
    /// A prefix that nothing declares.
    #[error("prefix {0:?} is not declared")]
    UnboundPrefix(String),
}

/// What a body that is not UTF-8 seems to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Begins with a big-endian byte order mark, or with a NUL and `<`.
    Utf16Be,
    /// Begins with a little-endian byte order mark, or with `<` and a NUL.
    Utf16Le,
    /// Some other byte sequence; the error's offset is the first bad byte.
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
