//! Fingerprints of client certificates: a key that is bound to one is valid only over a TLS connection on which that certificate
//! was presented (RFC 8705). Reads and compares fingerprints; never certificates.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SHA-256 of a certificate in DER. Printed as hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

/// A text is not a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a certificate's fingerprint is its SHA-256: 64 hexadecimal digits (`openssl x509 -noout -fingerprint -sha256`), or \
     43 characters of base64url (`x5t#S256`)"
)]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// Hexadecimal digits, with or without colons, or base64url without padding.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let text = text.trim();
        let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').collect();
        let bytes = match digits.len() {
            64 => hex(&digits),
            _ => URL_SAFE_NO_PAD.decode(text).ok(),
        };
        let bytes = bytes.and_then(|bytes| bytes.try_into().ok());
        bytes.map(Self).ok_or(FingerprintError)
    }
}

fn hex(digits: &[u8]) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, _) = digits.as_chunks::<2>();
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_openssl_and_rfc_8705_write_it() {
        let bytes: [u8; 32] = std::array::from_fn(|at| (at * 8) as u8);
        let fingerprint = Fingerprint(bytes);
        let plain = fingerprint.to_string();
        let pairs: Vec<_> = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        for text in [&plain, &pairs.join(":"), &URL_SAFE_NO_PAD.encode(bytes), &format!(" {plain}\n")] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
        for text in ["", "sha256", &plain[2..], &format!("{plain}00"), &plain.replace('0', "g")] {
            assert_eq!(text.parse::<Fingerprint>(), Err(FingerprintError), "{text}");
        }
    }
}
