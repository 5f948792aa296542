//! Reads a key from a keytab file, as `ktpass` and `ktutil` write it (MIT krb5, "Keytab file format", version 0x502).
//! Never writes one.

use std::path::{Path, PathBuf};
use std::{fmt, io};

use picky_krb::crypto::CipherSuite;
use zeroize::Zeroizing;

/// Largest keytab file that is read.
const FILE_BYTES_MAX: u64 = 1 << 20;
/// `aes256-cts-hmac-sha1-96` and `aes128-cts-hmac-sha1-96` (RFC 3962).
const AES256: u16 = 18;
const AES128: u16 = 17;

/// An account's long-term key.
#[derive(Clone)]
pub struct KeytabKey {
    bytes: Zeroizing<Vec<u8>>,
    kind: u16,
}

impl fmt::Debug for KeytabKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// Why a keytab has no key for an account.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {fault}", path = path.display())]
pub struct KeytabError {
    /// The file.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: KeytabFault,
}

/// What is wrong with a keytab.
#[derive(Debug, thiserror::Error)]
pub enum KeytabFault {
    /// The file cannot be read.
    #[error(transparent)]
    Read(#[from] io::Error),
    /// The file is too large for a keytab.
    #[error("the file is larger than {FILE_BYTES_MAX} bytes")]
    TooLarge,
    /// The file begins otherwise.
    #[error("the file is not a keytab of version 0x502")]
    NotAKeytab,
    /// The file was cut.
    #[error("the file ends in the middle of an entry")]
    CutOff,
    /// The file has keys of other accounts, or of other kinds.
    #[error("the keytab has no AES key of {account}; it has keys of {known}")]
    NoKey {
        /// The account.
        account: String,
        /// The principals in the file, separated by commas.
        known: String,
    },
}

impl KeytabKey {
    /// The newest AES key of this account in this file. `name@REALM` and `REALM\name` mean one principal. `DOMAIN\name`
    /// with a NetBIOS domain matches any principal of that name, since the domain does not determine the realm.
    ///
    /// # Errors
    /// What is wrong with the file, or which accounts it contains instead.
    pub fn read(path: &Path, account: &str) -> Result<Self, KeytabError> {
        Self::find(path, account).map_err(|fault| KeytabError { path: path.to_owned(), fault })
    }

    fn find(path: &Path, account: &str) -> Result<Self, KeytabFault> {
        if std::fs::metadata(path)?.len() > FILE_BYTES_MAX {
            return Err(KeytabFault::TooLarge);
        }
        Self::parse(&Zeroizing::new(std::fs::read(path)?), account)
    }

    fn parse(bytes: &[u8], account: &str) -> Result<Self, KeytabFault> {
        let rest = bytes.strip_prefix(&[5, 2]).ok_or(KeytabFault::NotAKeytab)?;
        let entries = entries(rest).ok_or(KeytabFault::CutOff)?;
        let mine = entries.iter().filter(|entry| entry.is_of(account));
        let usable = mine.filter(|entry| matches!(entry.kind, AES256 | AES128));
        match usable.max_by_key(|entry| (entry.version, entry.kind)) {
            Some(entry) => Ok(Self { bytes: Zeroizing::new(entry.key.to_vec()), kind: entry.kind }),
            None => {
                let mut known: Vec<_> = entries.iter().map(|entry| entry.principal.as_str()).collect();
                known.dedup();
                Err(KeytabFault::NoKey { account: account.to_owned(), known: known.join(", ") })
            }
        }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn suite(&self) -> CipherSuite {
        if self.kind == AES256 { CipherSuite::Aes256CtsHmacSha196 } else { CipherSuite::Aes128CtsHmacSha196 }
    }
}

struct KeytabEntry<'a> {
    principal: String,
    version: u32,
    kind: u16,
    key: &'a [u8],
}

impl KeytabEntry<'_> {
    fn is_of(&self, account: &str) -> bool {
        let (name, realm) = match account.split_once('\\') {
            Some((domain, name)) => (name, Some(domain).filter(|domain| domain.contains('.'))),
            None => account.split_once('@').map_or((account, None), |(name, realm)| (name, Some(realm))),
        };
        let Some((principal, of)) = self.principal.rsplit_once('@') else { return false };
        principal.eq_ignore_ascii_case(name) && realm.is_none_or(|realm| of.eq_ignore_ascii_case(realm))
    }
}

/// Each entry has a length before it; a negative one is a hole. `None` if one is cut off.
fn entries(mut rest: &[u8]) -> Option<Vec<KeytabEntry<'_>>> {
    let mut all = Vec::new();
    while !rest.is_empty() {
        let length = i32::from_be_bytes(take(&mut rest, 4)?.try_into().ok()?);
        let size = usize::try_from(length.unsigned_abs()).ok()?;
        let bytes = take(&mut rest, size)?;
        if length > 0 {
            all.push(entry(bytes)?);
        }
    }
    Some(all)
}

fn entry(mut rest: &[u8]) -> Option<KeytabEntry<'_>> {
    let components = number(&mut rest)?;
    let realm = text(&mut rest)?;
    let names: Option<Vec<_>> = (0..components).map(|_| text(&mut rest)).collect();
    take(&mut rest, 8)?; // name type, time
    let short = u32::from(*take(&mut rest, 1)?.first()?);
    let kind = number(&mut rest)?;
    let size = number(&mut rest)?;
    let key = take(&mut rest, usize::from(size))?;
    let long = take(&mut rest, 4).and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)));
    let version = long.filter(|version| *version != 0).unwrap_or(short);
    Some(KeytabEntry { principal: format!("{}@{realm}", names?.join("/")), version, kind, key })
}

fn text(rest: &mut &[u8]) -> Option<String> {
    let size = number(rest)?;
    Some(String::from_utf8_lossy(take(rest, usize::from(size))?).into_owned())
}

fn number(rest: &mut &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes(take(rest, 2)?.try_into().ok()?))
}

fn take<'a>(rest: &mut &'a [u8], size: usize) -> Option<&'a [u8]> {
    let (taken, left) = rest.split_at_checked(size)?;
    *rest = left;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::error::error_chain;

    /// As `ktutil` (MIT krb5) writes it, for `svc-rooms@EXAMPLE.COM`: this key number, kind and key.
    fn keytab(version: u8, kind: u16, key: &[u8]) -> Vec<u8> {
        let mut entry = vec![0, 1];
        for text in ["EXAMPLE.COM", "svc-rooms"] {
            entry.extend((text.len() as u16).to_be_bytes());
            entry.extend(text.as_bytes());
        }
        entry.extend([0, 0, 0, 1, 0, 0, 0, 0, version]);
        entry.extend(kind.to_be_bytes());
        entry.extend((key.len() as u16).to_be_bytes());
        entry.extend(key);
        let mut file = (entry.len() as u32).to_be_bytes().to_vec();
        file.extend(entry);
        file
    }

    #[test]
    fn the_newest_aes_key_of_the_account_is_taken() {
        let mut file = vec![5, 2];
        file.extend(keytab(1, AES256, &[1; 32]));
        file.extend([0xff, 0xff, 0xff, 0xfe, 0, 0]); // a hole of two bytes
        file.extend(keytab(2, 23, &[2; 16]));
        file.extend(keytab(2, AES128, &[3; 16]));
        file.extend(keytab(2, AES256, &[4; 32]));
        let key = KeytabKey::parse(&file, "SVC-rooms@example.com").unwrap();
        assert_eq!(key.bytes(), [4; 32]);
        assert_eq!(format!("{key:?}"), "Key(…)");
        for other_form in [r"EXAMPLE.COM\svc-rooms", r"EXAMPLE\svc-rooms"] {
            assert_eq!(KeytabKey::parse(&file, other_form).unwrap().bytes(), [4; 32]);
        }
        assert!(KeytabKey::parse(&file, r"OTHER.COM\svc-rooms").is_err());
        let other = KeytabKey::parse(&file, "svc@EXAMPLE.COM").unwrap_err();
        assert_eq!(
            other.to_string(),
            "the keytab has no AES key of svc@EXAMPLE.COM; it has keys of svc-rooms@EXAMPLE.COM"
        );
    }

    #[test]
    fn any_cut_is_an_error_and_no_panic() {
        let mut file = vec![5, 2];
        file.extend(keytab(1, AES256, &[1; 32]));
        for end in 0..file.len() {
            assert!(KeytabKey::parse(&file[..end], "svc-rooms@EXAMPLE.COM").is_err(), "{end}");
        }
    }

    #[test]
    fn an_error_names_the_file_and_then_what_is_wrong_with_it() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "no keytab").unwrap();
        let error = KeytabKey::read(file.path(), "svc").unwrap_err();
        let why = "the file is not a keytab of version 0x502";
        assert_eq!(error_chain(&error), format!("{}: {why}", file.path().display()));
    }
}
