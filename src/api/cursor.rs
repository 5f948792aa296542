//! Cursors of the audit: an encrypted journal position. A cursor reveals nothing about actions that the caller may not read.
//!
//! A page may end at another caller's action. Its time and number would reveal when and how often others acted, so the position
//! is encrypted (ChaCha20-Poly1305, RFC 8439) with a key of this process. After a restart old cursors are refused, and the client
//! starts again at the first page.

use std::sync::OnceLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

use super::problem::Problem;
use crate::journal::Position;

/// Bytes of a plaintext position: milliseconds, then the number.
const POSITION_LEN: usize = 16;
const KEY_LEN: usize = 32;

/// The key of this process; `None` where the system's random generator fails.
fn key() -> Option<&'static LessSafeKey> {
    static KEY: OnceLock<Option<LessSafeKey>> = OnceLock::new();
    let made = KEY.get_or_init(|| {
        let mut bytes = [0; KEY_LEN];
        SystemRandom::new().fill(&mut bytes).ok()?;
        UnboundKey::new(&CHACHA20_POLY1305, &bytes).ok().map(LessSafeKey::new)
    });
    made.as_ref()
}

/// Encrypts a position; `None` where the system's random generator fails.
pub(super) fn seal(Position { at_ms, number }: Position) -> Option<String> {
    let mut nonce = [0; NONCE_LEN];
    SystemRandom::new().fill(&mut nonce).ok()?;
    let mut sealed = [at_ms.to_be_bytes(), number.to_be_bytes()].concat();
    let key = key()?;
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed).ok()?;
    Some(URL_SAFE_NO_PAD.encode([&nonce[..], &sealed].concat()))
}

/// Decrypts a cursor of this process.
pub(super) fn open(cursor: &str) -> Result<Position, Problem> {
    read(cursor).ok_or_else(|| {
        Problem::bad_request(
            "`cursor` is not valid: cursors end with a restart of the service. Start again without one.",
        )
    })
}

fn read(cursor: &str) -> Option<Position> {
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN)?;
    let mut sealed = sealed.to_vec();
    let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
    let plain: &[u8] = key()?.open_in_place(nonce, Aad::empty(), &mut sealed).ok()?;
    let plain: [u8; POSITION_LEN] = plain.try_into().ok()?;
    let (at_ms, number) = plain.split_first_chunk::<8>()?;
    let (number, _) = number.split_first_chunk::<8>()?;
    Some(Position { at_ms: i64::from_be_bytes(*at_ms), number: u64::from_be_bytes(*number) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_leads_back_to_its_position_and_a_changed_one_nowhere() {
        let position = Position { at_ms: 1_767_225_600_123, number: 4_711 };
        let cursor = seal(position).unwrap();
        assert_eq!(read(&cursor), Some(position));
        assert_ne!(seal(position).unwrap(), cursor, "two cursors of one position cannot be compared");
        for at in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(read(std::str::from_utf8(&changed).unwrap()), None, "{at}");
        }
        for text in ["", "x", "00000000-0000-0000-0000-000000000000", &cursor[..20]] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
