//! The namespace declarations of Exchange, which both ways to scan the start of a response check. A declaration that is not listed makes
//! the scanner decline.

/// The namespaces, as macros, so that [`concat!`] can make whole tags of them.
macro_rules! namespace {
    (soap) => {
        "http://schemas.xmlsoap.org/soap/envelope/"
    };
    (types) => {
        "http://schemas.microsoft.com/exchange/services/2006/types"
    };
    (messages) => {
        "http://schemas.microsoft.com/exchange/services/2006/messages"
    };
    (errors) => {
        "http://schemas.microsoft.com/exchange/services/2006/errors"
    };
    (schema) => {
        "http://www.w3.org/2001/XMLSchema"
    };
    (instance) => {
        "http://www.w3.org/2001/XMLSchema-instance"
    };
}
pub(super) use namespace;

/// Exchange's declarations, with a bit for each that decoding depends on.
pub(super) const DECLARATIONS: [(&str, &str, u8); 7] = [
    ("xmlns:s", namespace!(soap), SOAP),
    ("xmlns:h", namespace!(types), HEADER),
    ("xmlns:m", namespace!(messages), ANSWER),
    ("xmlns:t", namespace!(types), VALUES),
    ("xmlns", namespace!(types), DEFAULT),
    ("xmlns:xsi", namespace!(instance), 0),
    ("xmlns:xsd", namespace!(schema), 0),
];
pub(super) const SOAP: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const ANSWER: u8 = 4;
pub(super) const VALUES: u8 = 8;
/// The namespace of elements without a prefix, which a fault's children must not have.
pub(super) const DEFAULT: u8 = 16;
