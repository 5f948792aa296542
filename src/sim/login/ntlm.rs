//! The server side of NTLM (MS-NLMP 3.2): issues a challenge and verifies the response. NTLMv2 only, as in a hardened
//! domain. `login` decides about channel bindings.

use chrono::{DateTime, Utc};

use super::account::ServiceAccount;
use super::binding::ChannelBindingHash;
use super::ntlm_keys::{NtlmKey, Rc4, SealingStrength, SigningSide, first_signature, hmac_md5, user_key};
use super::ntlm_messages as messages;
use super::ntlm_messages::{AuthenticateMessage, TargetNames, flag};

/// An issued challenge.
#[derive(Debug)]
pub(crate) struct IssuedChallenge {
    negotiate: Vec<u8>,
    message: Vec<u8>,
    nonce: [u8; 8],
}

/// A client that proved knowledge of the password.
#[derive(Debug)]
pub(crate) struct VerifiedUser {
    /// As the client sent it.
    pub(crate) name: String,
    /// The channel binding that the client sent.
    pub(crate) binding: Option<ChannelBindingHash>,
    pub(crate) session: NtlmSession,
}

/// The session key and flags, with which both sides sign.
#[derive(Debug)]
pub(crate) struct NtlmSession {
    key: NtlmKey,
    flags: u32,
}

impl IssuedChallenge {
    /// Answers a `NEGOTIATE_MESSAGE`; `None` if it is malformed or its flags cannot be satisfied.
    pub(crate) fn new(
        negotiate: &[u8],
        nonce: [u8; 8],
        names: &TargetNames,
        now: DateTime<Utc>,
    ) -> Option<Self> {
        let flags = negotiated_flags(messages::read_negotiate(negotiate)?)?;
        let message = messages::challenge(flags, nonce, names, filetime(now));
        Some(Self { negotiate: negotiate.to_vec(), message, nonce })
    }

    /// The `CHALLENGE_MESSAGE`.
    pub(crate) fn message(&self) -> &[u8] {
        &self.message
    }

    /// Verifies an `AUTHENTICATE_MESSAGE`; `None` if it proves nothing.
    pub(crate) fn verify(&self, message: &[u8], account: &ServiceAccount) -> Option<VerifiedUser> {
        let authenticate = AuthenticateMessage::read(message)?;
        let response = authenticate.response.as_ref()?;
        if !account.is(&authenticate.domain, &authenticate.user) {
            return None;
        }
        let user = user_key(&account.password, &authenticate.user, &authenticate.domain);
        if hmac_md5(&user, &[&self.nonce, response.blob]) != response.proof {
            return None;
        }
        let key = session_key(&authenticate, hmac_md5(&user, &[&response.proof]))?;
        if response.has_mic && !self.mic_is_right(message, &key) {
            return None;
        }
        let name = match authenticate.domain.as_str() {
            "" => authenticate.user,
            domain => format!("{domain}\\{}", authenticate.user),
        };
        Some(VerifiedUser {
            name,
            binding: response.binding,
            session: NtlmSession { key, flags: authenticate.flags },
        })
    }

    fn mic_is_right(&self, message: &[u8], key: &NtlmKey) -> bool {
        messages::take_mic(message)
            .is_some_and(|(mic, without)| hmac_md5(key, &[&self.negotiate, &self.message, &without]) == mic)
    }
}

impl NtlmSession {
    /// Whether signing was negotiated, in which case SPNEGO must sign its mechanism list.
    pub(crate) fn signs(&self) -> bool {
        self.flags & flag::SIGN != 0 && self.flags & flag::EXTENDED_SECURITY != 0
    }

    /// The client's signature over its first message.
    pub(crate) fn of_client(&self, message: &[u8]) -> [u8; 16] {
        self.sign(SigningSide::Client, message)
    }

    /// The server's signature over its first message.
    pub(crate) fn of_server(&self, message: &[u8]) -> [u8; 16] {
        self.sign(SigningSide::Server, message)
    }

    fn sign(&self, side: SigningSide, message: &[u8]) -> [u8; 16] {
        let strength = match self.flags {
            flags if flags & flag::BITS_128 != 0 => SealingStrength::Bits128,
            flags if flags & flag::BITS_56 != 0 => SealingStrength::Bits56,
            _ => SealingStrength::Bits40,
        };
        first_signature(side, &self.key, strength, self.flags & flag::KEY_EXCHANGE != 0, message)
    }
}

/// The intersection of the client's flags and the simulator's.
fn negotiated_flags(requested: u32) -> Option<u32> {
    let kept = requested
        & (flag::SIGN
            | flag::SEAL
            | flag::ALWAYS_SIGN
            | flag::EXTENDED_SECURITY
            | flag::VERSION
            | flag::BITS_128
            | flag::KEY_EXCHANGE
            | flag::BITS_56
            | flag::REQUEST_TARGET);
    let text = match (requested & flag::UNICODE, requested & flag::OEM) {
        (0, 0) => return None,
        (0, _) => flag::OEM,
        _ => flag::UNICODE,
    };
    Some(kept | text | flag::NTLM | flag::TARGET_INFO | flag::TARGET_IS_DOMAIN)
}

/// `ExportedSessionKey`, from `SessionBaseKey`.
fn session_key(authenticate: &AuthenticateMessage<'_>, base: NtlmKey) -> Option<NtlmKey> {
    if authenticate.flags & flag::KEY_EXCHANGE == 0 || authenticate.session_key.is_empty() {
        return Some(base);
    }
    let mut key: NtlmKey = authenticate.session_key.try_into().ok()?;
    Rc4::new(&base).apply(&mut key);
    Some(key)
}

/// 100 ns since 1601.
fn filetime(now: DateTime<Utc>) -> u64 {
    const SECONDS_BEFORE_1970: i64 = 11_644_473_600;
    let ticks = (now.timestamp() + SECONDS_BEFORE_1970).saturating_mul(10_000_000);
    u64::try_from(ticks).unwrap_or(0) + u64::from(now.timestamp_subsec_nanos() / 100)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// The messages of a handshake recorded by `fixtures/logins/make.py` with pyspnego.
    pub(in super::super) fn recorded(name: &str) -> Vec<Vec<u8>> {
        let path = format!("{}/fixtures/logins/{name}", env!("CARGO_MANIFEST_DIR"));
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let line = |line: &str| line.as_bytes().chunks(2).map(byte).collect();
        std::fs::read_to_string(path).unwrap().lines().map(line).collect()
    }

    pub(in super::super) fn given(negotiate: &[u8], message: &[u8]) -> IssuedChallenge {
        let nonce = message[24..32].try_into().unwrap();
        IssuedChallenge { negotiate: negotiate.to_vec(), message: message.to_vec(), nonce }
    }

    pub(in super::super) fn account() -> ServiceAccount {
        ServiceAccount::new("svc-adjourn@example.com", "EXAMPLE", "simulated")
    }

    #[test]
    fn a_strangers_client_proves_its_password_and_its_binding() {
        let [negotiate, challenge, authenticate] = recorded("ntlm.txt").try_into().unwrap();
        let proven = given(&negotiate, &challenge).verify(&authenticate, &account()).unwrap();
        assert_eq!(proven.name, "EXAMPLE\\svc-adjourn");
        // python: md5(16 zeros + length in 4 bytes + b"tls-server-end-point:" + 32 * b"\x5a")
        let binding = proven.binding.unwrap().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert_eq!(binding, "86e996ec5e117d96509dc7630fa8077f");
        let other = ServiceAccount::new("svc-adjourn@example.com", "EXAMPLE", "guessed");
        assert!(given(&negotiate, &challenge).verify(&authenticate, &other).is_none());
        let other = ServiceAccount::new("somebody@example.com", "EXAMPLE", "simulated");
        assert!(given(&negotiate, &challenge).verify(&authenticate, &other).is_none());
    }

    #[test]
    fn no_bit_of_a_conversation_may_change_and_none_may_be_missing() {
        let [negotiate, challenge, authenticate] = recorded("ntlm.txt").try_into().unwrap();
        let mut lenient = Vec::new();
        for bit in 0..authenticate.len() * 8 {
            let mut changed = authenticate.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            if given(&negotiate, &challenge).verify(&changed, &account()).is_some() {
                lenient.push(bit);
            }
        }
        assert_eq!(lenient, Vec::<usize>::new(), "the MIC covers every bit");
        for length in 0..authenticate.len() {
            assert!(given(&negotiate, &challenge).verify(&authenticate[..length], &account()).is_none());
        }
        let mut other = negotiate.clone();
        other[12] ^= 4;
        assert!(given(&other, &challenge).verify(&authenticate, &account()).is_none(), "nor before it");
    }

    #[test]
    fn ntlm_of_the_first_version_is_refused() {
        let [negotiate, challenge, mut authenticate] = recorded("ntlm.txt").try_into().unwrap();
        authenticate[20..24].copy_from_slice(&[24, 0, 24, 0]); // an NTLMv1 response has 24 bytes
        assert!(given(&negotiate, &challenge).verify(&authenticate, &account()).is_none());
        authenticate[20..24].copy_from_slice(&[0; 4]); // LM only, or anonymous
        assert!(given(&negotiate, &challenge).verify(&authenticate, &account()).is_none());
    }

    #[test]
    fn a_challenge_agrees_to_what_was_asked() {
        let names = TargetNames {
            domain: "EXAMPLE".to_owned(),
            dns_domain: "example.com".to_owned(),
            computer: "SIM".to_owned(),
        };
        let now = DateTime::from_timestamp(0, 0).unwrap();
        let give = |flags: u32| {
            let negotiate = [b"NTLMSSP\0".as_slice(), &1_u32.to_le_bytes(), &flags.to_le_bytes()].concat();
            IssuedChallenge::new(&negotiate, [7; 8], &names, now).map(|challenge| challenge.message)
        };
        let message = give(flag::UNICODE | flag::OEM | flag::SIGN).unwrap();
        let agreed = u32::from_le_bytes(message[20..24].try_into().unwrap());
        assert_eq!(agreed & (flag::UNICODE | flag::OEM), flag::UNICODE);
        assert_eq!(agreed & (flag::SIGN | flag::SEAL), flag::SIGN);
        assert_eq!(message[56..58], *b"E\0");
        assert_eq!(give(flag::OEM).unwrap()[56..58], *b"EX");
        assert_eq!(give(0), None);
        // 1970 in ticks since 1601
        assert!(message.windows(8).any(|eight| eight == 116_444_736_000_000_000_u64.to_le_bytes()));
    }
}
