//! Checks that hold for every body: the fuzz targets run them on generated bodies, the tests on all bodies that they
//! decode.

use adjourn::ews::codec::{
    DecodeError, DecodeLimits, Decoded, EnvelopeSplitter, decode, decode_with_reader, decode_with_scanner,
};

/// Decodes `body`; an error must point into it.
pub fn decodes_or_says_where<'a>(body: &'a [u8], limits: &DecodeLimits) -> Result<Decoded<'a>, DecodeError> {
    let decoded = decode(body, limits);
    if let Err(error) = &decoded {
        assert!(error.offset <= body.len(), "byte {} of {}: {error}", error.offset, body.len());
    }
    decoded
}

/// Checks that the reader returns the scanner's value; returns whether the scanner decoded the body.
pub fn scanner_agrees_with_reader(body: &[u8], limits: &DecodeLimits) -> bool {
    let Ok(scanned) = decode_with_scanner(body, limits) else { return false };
    match decode_with_reader(body, limits) {
        Ok(read) => assert_eq!(scanned.envelope, read.envelope, "the scanner's value, and the reader's"),
        Err(error) => panic!("the scanner decoded a body that the reader refuses: {error}"),
    }
    true
}

/// Checks that a stream is split into the same envelopes, or fails at the same one, as a whole and byte by byte.
pub fn cuts_the_same_whatever_the_pieces(stream: &[u8]) {
    let cut = |piece: usize| {
        let (mut envelopes, mut whole) = (EnvelopeSplitter::new(300), Vec::new());
        for piece in stream.chunks(piece) {
            envelopes.push(piece);
            loop {
                match envelopes.next_envelope() {
                    Ok(Some(envelope)) => whole.push(envelope.to_vec()),
                    Ok(None) => break,
                    Err(uncut) => return (whole, Some(uncut)),
                }
            }
        }
        (whole, None)
    };
    assert_eq!(cut(stream.len().max(1)), cut(1));
}
