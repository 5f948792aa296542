//! The three NTLM messages as bytes (MS-NLMP 2.2): parses those of clients without trusting an offset, and writes the
//! challenge. Holds no keys.

use super::binding::ChannelBindingHash;
use super::ntlm_keys::utf16;

pub(super) const SIGNATURE: &[u8] = b"NTLMSSP\0";

/// The negotiate flags used here.
pub(super) mod flag {
    pub(in super::super) const UNICODE: u32 = 1;
    pub(in super::super) const OEM: u32 = 1 << 1;
    pub(in super::super) const REQUEST_TARGET: u32 = 1 << 2;
    pub(in super::super) const SIGN: u32 = 1 << 4;
    pub(in super::super) const SEAL: u32 = 1 << 5;
    pub(in super::super) const NTLM: u32 = 1 << 9;
    pub(in super::super) const ALWAYS_SIGN: u32 = 1 << 15;
    pub(in super::super) const TARGET_IS_DOMAIN: u32 = 1 << 16;
    pub(in super::super) const EXTENDED_SECURITY: u32 = 1 << 19;
    pub(in super::super) const TARGET_INFO: u32 = 1 << 23;
    pub(in super::super) const VERSION: u32 = 1 << 25;
    pub(in super::super) const BITS_128: u32 = 1 << 29;
    pub(in super::super) const KEY_EXCHANGE: u32 = 1 << 30;
    pub(in super::super) const BITS_56: u32 = 1 << 31;
}

/// AV pair ids (`MsvAv…`).
mod av {
    pub(super) const COMPUTER: u16 = 1;
    pub(super) const DOMAIN: u16 = 2;
    pub(super) const DNS_COMPUTER: u16 = 3;
    pub(super) const DNS_DOMAIN: u16 = 4;
    pub(super) const DNS_TREE: u16 = 5;
    pub(super) const FLAGS: u16 = 6;
    pub(super) const TIMESTAMP: u16 = 7;
    pub(super) const CHANNEL_BINDINGS: u16 = 10;
}

/// `VERSION`: Windows Server 2022, NTLM revision 15.
const VERSION: [u8; 8] = [10, 0, 0x7c, 0x4f, 0, 0, 0, 15];
/// Length of the fixed part of a challenge.
const CHALLENGE_HEAD: u32 = 56;
/// Position of the MIC in an `AUTHENTICATE_MESSAGE`.
const MIC: std::ops::Range<usize> = 72..88;

/// The server's names, for the target information of a challenge.
#[derive(Debug, Clone)]
pub(crate) struct TargetNames {
    pub(crate) domain: String,
    pub(crate) dns_domain: String,
    pub(crate) computer: String,
}

/// The message type.
pub(super) fn kind(message: &[u8]) -> Option<u32> {
    message.starts_with(SIGNATURE).then(|| number(message, 8)).flatten()
}

/// The flags of a `NEGOTIATE_MESSAGE`.
pub(super) fn read_negotiate(message: &[u8]) -> Option<u32> {
    (kind(message)? == 1).then(|| number(message, 12)).flatten()
}

/// Writes a `CHALLENGE_MESSAGE`. `filetime` counts units of 100 ns since 1601.
pub(super) fn challenge(flags: u32, nonce: [u8; 8], names: &TargetNames, filetime: u64) -> Vec<u8> {
    let target = match flags & flag::UNICODE {
        0 => names.domain.clone().into_bytes(),
        _ => utf16(&names.domain),
    };
    let info = target_info(names, filetime);
    let mut out = Vec::with_capacity(256);
    out.extend_from_slice(SIGNATURE);
    out.extend_from_slice(&2_u32.to_le_bytes());
    out.extend(field(target.len(), CHALLENGE_HEAD));
    out.extend_from_slice(&flags.to_le_bytes());
    out.extend_from_slice(&nonce);
    out.extend_from_slice(&[0; 8]);
    out.extend(field(info.len(), CHALLENGE_HEAD + target.len() as u32));
    out.extend_from_slice(&VERSION);
    out.extend(target);
    out.extend(info);
    out
}

fn field(length: usize, offset: u32) -> [u8; 8] {
    let [a, b] = (length as u16).to_le_bytes();
    let [c, d, e, f] = offset.to_le_bytes();
    [a, b, a, b, c, d, e, f]
}

fn target_info(names: &TargetNames, filetime: u64) -> Vec<u8> {
    let dns_computer = format!("{}.{}", names.computer.to_lowercase(), names.dns_domain);
    let mut out = Vec::new();
    let mut pair = |id: u16, value: &[u8]| {
        out.extend_from_slice(&id.to_le_bytes());
        out.extend_from_slice(&(value.len() as u16).to_le_bytes());
        out.extend_from_slice(value);
    };
    pair(av::DOMAIN, &utf16(&names.domain));
    pair(av::COMPUTER, &utf16(&names.computer));
    pair(av::DNS_DOMAIN, &utf16(&names.dns_domain));
    pair(av::DNS_COMPUTER, &utf16(&dns_computer));
    pair(av::DNS_TREE, &utf16(&names.dns_domain));
    pair(av::TIMESTAMP, &filetime.to_le_bytes());
    pair(0, &[]);
    out
}

/// An `AUTHENTICATE_MESSAGE`.
#[derive(Debug)]
pub(super) struct AuthenticateMessage<'a> {
    pub(super) flags: u32,
    /// The parsed `NtChallengeResponse`; `None` if it is not an NTLMv2 response.
    pub(super) response: Option<NtlmV2Response<'a>>,
    pub(super) domain: String,
    pub(super) user: String,
    pub(super) session_key: &'a [u8],
}

/// `NTLMv2_RESPONSE`.
#[derive(Debug)]
pub(super) struct NtlmV2Response<'a> {
    pub(super) proof: [u8; 16],
    /// The bytes under the proof: `NTLMv2_CLIENT_CHALLENGE`.
    pub(super) blob: &'a [u8],
    /// Whether the client announces a MIC.
    pub(super) has_mic: bool,
    /// `MsvAvChannelBindings`, if present.
    pub(super) binding: Option<ChannelBindingHash>,
}

impl<'a> AuthenticateMessage<'a> {
    pub(super) fn read(message: &'a [u8]) -> Option<Self> {
        if kind(message)? != 3 {
            return None;
        }
        let flags = number(message, 60)?;
        let text = |at| read_text(payload(message, at)?, flags);
        Some(Self {
            flags,
            response: read_response(payload(message, 20)?),
            domain: text(28)?,
            user: text(36)?,
            session_key: payload(message, 52)?,
        })
    }
}

/// The MIC, and the message with the MIC zeroed, over which it was computed.
pub(super) fn take_mic(message: &[u8]) -> Option<([u8; 16], Vec<u8>)> {
    let mic = message.get(MIC)?.try_into().ok()?;
    let mut blank = message.to_vec();
    blank.get_mut(MIC)?.fill(0);
    Some((mic, blank))
}

fn read_response(bytes: &[u8]) -> Option<NtlmV2Response<'_>> {
    let (proof, blob) = bytes.split_first_chunk::<16>()?;
    let mut rest = blob.strip_prefix(&[1, 1])?.get(26..)?; // versions, then time, nonce and reserved fields
    let mut response = NtlmV2Response { proof: *proof, blob, has_mic: false, binding: None };
    loop {
        let (id, after) = rest.split_first_chunk::<2>()?;
        let (length, after) = after.split_first_chunk::<2>()?;
        let (value, after) = after.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
        match u16::from_le_bytes(*id) {
            0 => return Some(response),
            av::FLAGS => response.has_mic = value.first().is_some_and(|flags| flags & 2 != 0),
            av::CHANNEL_BINDINGS => response.binding = Some(value.try_into().ok()?),
            _ => {}
        }
        rest = after;
    }
}

/// The payload of a field with length, maximum length and offset at `at`.
fn payload(message: &[u8], at: usize) -> Option<&[u8]> {
    let length = u16::from_le_bytes(message.get(at..at.checked_add(2)?)?.try_into().ok()?);
    let from = usize::try_from(number(message, at + 4)?).ok()?;
    match length {
        0 => Some(&[]),
        _ => message.get(from..from.checked_add(usize::from(length))?),
    }
}

fn number(message: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(message.get(at..at + 4)?.try_into().ok()?))
}

fn read_text(bytes: &[u8], flags: u32) -> Option<String> {
    if flags & flag::UNICODE == 0 {
        return String::from_utf8(bytes.to_vec()).ok();
    }
    let (units, []) = bytes.as_chunks::<2>() else { return None };
    String::from_utf16(&units.iter().map(|unit| u16::from_le_bytes(*unit)).collect::<Vec<_>>()).ok()
}
