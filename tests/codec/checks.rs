//! What must hold for every body whatever: the fuzz targets run these over what they invent, and the tests over
//! everything they decode.

use adjourn::ews::codec::{DecodeError, Decoded, Limits, decode, decode_with_reader, decode_with_scanner};

/// Decodes `body`; an error must point into it.
pub fn decodes_or_says_where<'a>(body: &'a [u8], limits: &Limits) -> Result<Decoded<'a>, DecodeError> {
    let decoded = decode(body, limits);
    if let Err(error) = &decoded {
        assert!(error.offset <= body.len(), "byte {} of {}: {error}", error.offset, body.len());
    }
    decoded
}

/// Whenever the scanner answers, the reader gives the same answer. Answers whether the scanner did.
pub fn scanner_agrees_with_reader(body: &[u8], limits: &Limits) -> bool {
    let Ok(scanned) = decode_with_scanner(body, limits) else { return false };
    match decode_with_reader(body, limits) {
        Ok(read) => assert_eq!(scanned.envelope, read.envelope, "the scanner's answer, and the reader's"),
        Err(error) => panic!("the scanner answers where the reader says: {error}"),
    }
    true
}
