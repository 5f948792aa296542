//! Reads text files that people write, in every encoding that editors and shells produce: UTF-8 with or without a byte
//! order mark, UTF-16 with one. Never writes a file.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read as _};
use std::path::Path;

use zeroize::Zeroizing;

const UTF8_BOM: &[u8] = b"\xef\xbb\xbf";
const UTF16_LE_BOM: &[u8] = b"\xff\xfe";
const UTF16_BE_BOM: &[u8] = b"\xfe\xff";

/// Why bytes are not text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TextDecodeError {
    /// Neither UTF-8 nor marked as UTF-16.
    #[error("byte {0} is not UTF-8; save the file as UTF-8")]
    Utf8(usize),
    /// Marked as UTF-16, but not valid UTF-16.
    #[error("the file has a UTF-16 mark but is not UTF-16; save it as UTF-8")]
    Utf16,
    /// UTF-16 or UTF-32 without a byte order mark, or binary data.
    #[error("the file contains zero bytes, as UTF-16 does; save it as UTF-8")]
    ZeroBytes,
}

/// Decodes a file's bytes; the text has no byte order mark.
pub(crate) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, TextDecodeError> {
    let text = if let Some(rest) = bytes.strip_prefix(UTF16_LE_BOM) {
        Cow::Owned(utf16(rest, u16::from_le_bytes)?)
    } else if let Some(rest) = bytes.strip_prefix(UTF16_BE_BOM) {
        Cow::Owned(utf16(rest, u16::from_be_bytes)?)
    } else {
        let rest = strip_bom(bytes);
        let skipped = bytes.len() - rest.len();
        Cow::Borrowed(
            std::str::from_utf8(rest)
                .map_err(|error| TextDecodeError::Utf8(skipped + error.valid_up_to()))?,
        )
    };
    if text.contains('\0') { Err(TextDecodeError::ZeroBytes) } else { Ok(text) }
}

/// The bytes after a UTF-8 byte order mark, if there is one.
pub(crate) fn strip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(UTF8_BOM).unwrap_or(bytes)
}

/// A reader of a text file: UTF-8 without its byte order mark. A UTF-16 file is read whole first, up to `utf16_max`
/// bytes.
#[cfg(feature = "service")]
pub(crate) fn open(path: &Path, utf16_max: u64) -> io::Result<Box<dyn io::Read>> {
    let mut file = std::fs::File::open(path)?;
    let mut begin = Vec::new();
    file.by_ref().take(UTF8_BOM.len() as u64).read_to_end(&mut begin)?;
    if begin.starts_with(UTF16_LE_BOM) || begin.starts_with(UTF16_BE_BOM) {
        let text = read(path, utf16_max)?;
        return Ok(Box::new(io::Cursor::new(text.as_bytes().to_vec())));
    }
    let begin = strip_bom(&begin).to_vec();
    Ok(Box::new(io::Cursor::new(begin).chain(file)))
}

/// Reads a text file of at most `bytes_max` bytes. The text is wiped from memory when dropped, since it may contain
/// secrets.
pub(crate) fn read(path: &Path, bytes_max: u64) -> io::Result<Zeroizing<String>> {
    let file = std::fs::File::open(path)?;
    let expected = file.metadata().map_or(0, |facts| facts.len()).min(bytes_max);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or_default() + 1));
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bytes_max {
        return Err(io::Error::new(
            ErrorKind::FileTooLarge,
            format!("the file is larger than {bytes_max} bytes"),
        ));
    }
    let text = decode(&bytes).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    Ok(Zeroizing::new(text.into_owned()))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, TextDecodeError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(TextDecodeError::Utf16);
    }
    char::decode_utf16(pairs.iter().map(|pair| unit(*pair)))
        .collect::<Result<_, _>>()
        .map_err(|_| TextDecodeError::Utf16)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16_bytes(text: &str, mark: &[u8], bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        mark.iter().copied().chain(text.encode_utf16().flat_map(bytes)).collect()
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        let text = "pässwörd\r\n𝄞";
        let marked = [UTF8_BOM, text.as_bytes()].concat();
        let (le, be) = (
            utf16_bytes(text, UTF16_LE_BOM, u16::to_le_bytes),
            utf16_bytes(text, UTF16_BE_BOM, u16::to_be_bytes),
        );
        for bytes in [text.as_bytes(), &marked, &le, &be] {
            assert_eq!(decode(bytes).unwrap(), text);
        }
        assert_eq!(decode(b"").unwrap(), "");
        assert_eq!(decode(UTF8_BOM).unwrap(), "");
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_reason() {
        assert_eq!(decode(b"abc\xe4"), Err(TextDecodeError::Utf8(3)), "Windows-1252");
        assert_eq!(decode(b"\xff\xfea"), Err(TextDecodeError::Utf16), "half a code unit");
        assert_eq!(decode(b"\xff\xfe\x00\xd8a\x00"), Err(TextDecodeError::Utf16), "half a surrogate pair");
        assert_eq!(decode(b"s\0e\0"), Err(TextDecodeError::ZeroBytes), "UTF-16 without a mark");
        assert_eq!(decode(b"\xff\xfe\0\0s\0\0\0"), Err(TextDecodeError::ZeroBytes), "UTF-32");
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), b"\xef\xbb\xbfabc").unwrap();
        assert_eq!(read(file.path(), 6).unwrap().as_str(), "abc");
        assert_eq!(read(file.path(), 5).unwrap_err().kind(), ErrorKind::FileTooLarge);
    }
}
