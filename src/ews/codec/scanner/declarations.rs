//! The namespace declarations of Exchange, which both ways to scan the start of a response check. A declaration that is not listed makes
//! the scanner decline.

const TYPES: &str = "http://schemas.microsoft.com/exchange/services/2006/types";
const MESSAGES: &str = "http://schemas.microsoft.com/exchange/services/2006/messages";

/// Exchange's declarations, with a bit for each that decoding depends on.
pub(super) const DECLARATIONS: [(&str, &str, u8); 7] = [
    ("xmlns:s", "http://schemas.xmlsoap.org/soap/envelope/", SOAP),
    ("xmlns:h", TYPES, HEADER),
    ("xmlns:m", MESSAGES, ANSWER),
    ("xmlns:t", TYPES, VALUES),
    ("xmlns", TYPES, 0),
    ("xmlns:xsi", "http://www.w3.org/2001/XMLSchema-instance", 0),
    ("xmlns:xsd", "http://www.w3.org/2001/XMLSchema", 0),
];
pub(super) const SOAP: u8 = 1;
pub(super) const HEADER: u8 = 2;
pub(super) const ANSWER: u8 = 4;
pub(super) const VALUES: u8 = 8;
