//! The cryptography of NTLMv2 (MS-NLMP 3.3.2 and 3.4): keys, proofs and signatures. Pure; `ntlm_messages` knows the
//! message layout.

use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Md4;
use md5::{Digest as _, Md5};

pub(super) type NtlmKey = [u8; 16];

/// `NTOWFv2`: the user's key, from the user and domain names that the client sent.
pub(super) fn user_key(password: &str, user: &str, domain: &str) -> NtlmKey {
    let secret: NtlmKey = Md4::digest(utf16(password)).into();
    hmac_md5(&secret, &[&utf16(&uppercase(user)), &utf16(domain)])
}

pub(super) fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

/// Maps each character to one character, as Windows does: `ß` stays `ß`.
fn uppercase(text: &str) -> String {
    let one = |letter: char| {
        let mut upper = letter.to_uppercase();
        upper.next().filter(|_| upper.next().is_none()).unwrap_or(letter)
    };
    text.chars().map(one).collect()
}

pub(super) fn hmac_md5(key: &NtlmKey, parts: &[&[u8]]) -> NtlmKey {
    let mut block = [0; 64]; // as HMAC pads a short key with zeros
    block[..key.len()].copy_from_slice(key);
    let mut mac = Hmac::<Md5>::new(&block.into());
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// RC4, with which NTLM encrypts its session key and its signatures.
pub(super) struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    pub(super) fn new(key: &NtlmKey) -> Self {
        let mut rc4 = Self { state: std::array::from_fn(|at| at as u8), i: 0, j: 0 };
        for at in 0..=u8::MAX {
            let byte = key[usize::from(at) % key.len()];
            rc4.j = rc4.j.wrapping_add(rc4.state[usize::from(at)]).wrapping_add(byte);
            rc4.state.swap(usize::from(at), usize::from(rc4.j));
        }
        rc4.j = 0;
        rc4
    }

    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.i = self.i.wrapping_add(1);
            let at_i = self.state[usize::from(self.i)];
            self.j = self.j.wrapping_add(at_i);
            let at_j = self.state[usize::from(self.j)];
            self.state.swap(usize::from(self.i), usize::from(self.j));
            *byte ^= self.state[usize::from(at_i.wrapping_add(at_j))];
        }
    }
}

/// The signing side.
#[derive(Debug, Clone, Copy)]
pub(super) enum SigningSide {
    Client,
    Server,
}

/// The negotiated strength of sealing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SealingStrength {
    Bits40,
    Bits56,
    Bits128,
}

/// A side's signature over its first message, with extended session security (MS-NLMP 3.4.4.2).
pub(super) fn first_signature(
    side: SigningSide,
    session: &NtlmKey,
    strength: SealingStrength,
    key_exchange: bool,
    message: &[u8],
) -> [u8; 16] {
    const NUMBER: [u8; 4] = [0; 4];
    let signing = side_key(side, "signing", session);
    let digest = hmac_md5(&signing, &[&NUMBER, message]);
    let mut checksum = [0; 8];
    checksum.copy_from_slice(&digest[..8]);
    if key_exchange {
        let part = match strength {
            SealingStrength::Bits40 => &session[..5],
            SealingStrength::Bits56 => &session[..7],
            SealingStrength::Bits128 => &session[..],
        };
        Rc4::new(&side_key(side, "sealing", part)).apply(&mut checksum);
    }
    let mut signature = [0; 16];
    signature[0] = 1; // version
    signature[4..12].copy_from_slice(&checksum);
    signature[12..].copy_from_slice(&NUMBER);
    signature
}

/// `SIGNKEY` and `SEALKEY`.
fn side_key(side: SigningSide, what: &str, session: &[u8]) -> NtlmKey {
    let direction = match side {
        SigningSide::Client => "client-to-server",
        SigningSide::Server => "server-to-client",
    };
    let mut md5 = Md5::new();
    md5.update(session);
    md5.update(format!("session key to {direction} {what} key magic constant\0"));
    md5.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        digits.chunks(2).map(byte).collect()
    }

    fn key(hex: &str) -> NtlmKey {
        bytes(hex).try_into().unwrap()
    }

    /// MS-NLMP 4.2.4: user `User`, domain `Domain`, password `Password`.
    #[test]
    fn the_example_of_the_specification() {
        let user = user_key("Password", "User", "Domain");
        assert_eq!(user, key("0c868a403bfd7a93a3001ef22ef02e3f"));
        let blob = bytes(
            "0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000 02000c0044006f006d00610069006e00 \
             01000c00530065007200760065007200 00000000 00000000",
        );
        let proof = hmac_md5(&user, &[&bytes("0123456789abcdef"), &blob]);
        assert_eq!(proof, key("68cd0ab851e51c96aabc927bebef6a1c"));
        let session = hmac_md5(&user, &[&proof]);
        assert_eq!(session, key("8de40ccadbc14a82f15cb0ad0de95ca3"));
        let mut exchanged = [0x55; 16];
        Rc4::new(&session).apply(&mut exchanged);
        assert_eq!(exchanged, key("c5dad2544fc9799094ce1ce90bc9d03e"));
        // 4.2.4.4: GSS_WrapEx seals `Plaintext` and then, with the same key stream, the checksum of its signature.
        let mut seal = Rc4::new(&side_key(SigningSide::Client, "sealing", &[0x55; 16]));
        let mut sealed = utf16("Plaintext");
        seal.apply(&mut sealed);
        assert_eq!(sealed, bytes("54e50165bf1936dc996020c1811b0f06fb5f"));
        assert_eq!(
            side_key(SigningSide::Client, "signing", &[0x55; 16]),
            key("4788dc861b4782f35d43fd98fe1a2d39")
        );
    }

    #[test]
    fn rc4_as_in_rfc_6229_and_uppercase_as_in_windows() {
        let mut zeros = [0; 16];
        Rc4::new(&key("0102030405060708090a0b0c0d0e0f10")).apply(&mut zeros);
        assert_eq!(zeros, key("9ac7cc9a609d1ef7b2932899cde41b97"));
        assert_eq!(uppercase("jürgen.weiß"), "JÜRGEN.WEIß");
    }
}
