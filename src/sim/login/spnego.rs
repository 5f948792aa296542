//! The server side of `Negotiate` (RFC 4178, MS-SPNG). It always selects NTLM, whatever mechanism the client prefers,
//! because the simulator has no Kerberos; both sides sign the mechanism list where RFC 4178 requires it. Knows no HTTP.

use super::der::{DerReader, ENUMERATED, OCTET_STRING, OID, SEQUENCE, context, wrap};
use super::ntlm::NtlmSession;

/// A client's token.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum SpnegoToken<'a> {
    /// NTLM without SPNEGO, which Windows accepts too.
    RawNtlm(&'a [u8]),
    Init(NegTokenInit<'a>),
    Response {
        token: Option<&'a [u8]>,
        signature: Option<&'a [u8]>,
    },
}

/// `NegTokenInit` of a client that supports NTLM.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NegTokenInit<'a> {
    /// `MechTypeList` in DER: the signed bytes.
    pub(crate) mechanisms: &'a [u8],
    /// NTLM is the client's first choice, so the token is an NTLM message.
    pub(crate) ntlm_first: bool,
    pub(crate) token: Option<&'a [u8]>,
}

/// Parses a token; `None` if it is malformed or the client does not support NTLM.
pub(crate) fn read(bytes: &[u8]) -> Option<SpnegoToken<'_>> {
    if bytes.starts_with(super::ntlm_messages::SIGNATURE) {
        return Some(SpnegoToken::RawNtlm(bytes));
    }
    let mut reader = DerReader::new(bytes);
    if let Some(mut frame) = reader.inside(GSS) {
        (frame.take(OID)?.content == SPNEGO).then_some(())?;
        return read_init(frame.inside(context(0))?.inside(SEQUENCE)?).map(SpnegoToken::Init);
    }
    let mut response = reader.inside(context(1))?.inside(SEQUENCE)?;
    response.take(context(0)); // negState: ignored, the server decides
    response.take(context(1)); // supportedMech
    Some(SpnegoToken::Response { token: octets(&mut response, 2)?, signature: octets(&mut response, 3)? })
}

fn read_init(mut init: DerReader<'_>) -> Option<NegTokenInit<'_>> {
    let mechanisms = init.inside(context(0))?.take(SEQUENCE)?;
    let mut all = DerReader::new(mechanisms.content);
    let known: Vec<_> = std::iter::from_fn(|| all.take(OID)).map(|oid| oid.content == NTLM).collect();
    init.take(context(1)); // reqFlags
    let token = octets(&mut init, 2)?;
    known.contains(&true).then(|| NegTokenInit {
        mechanisms: mechanisms.whole,
        ntlm_first: known.first() == Some(&true),
        token,
    })
}

/// `[number] OCTET STRING OPTIONAL`; the outer `None` for a malformed element.
fn octets<'a>(reader: &mut DerReader<'a>, number: u8) -> Option<Option<&'a [u8]>> {
    match reader.inside(context(number)) {
        None => Some(None),
        Some(mut inside) => Some(Some(inside.take(OCTET_STRING)?.content)),
    }
}

/// The `negState` of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NegState {
    Completed = 0,
    Incomplete = 1,
    /// NTLM is selected although it is not the first choice: the mechanism list must be signed.
    RequestMic = 3,
}

/// A `NegTokenResp` of the server.
#[derive(Debug)]
pub(crate) struct NegTokenResp<'a> {
    pub(crate) state: NegState,
    /// Only the first response names the mechanism.
    pub(crate) first: bool,
    pub(crate) token: Option<&'a [u8]>,
    pub(crate) signature: Option<&'a [u8]>,
}

impl NegTokenResp<'_> {
    pub(crate) fn write(&self) -> Vec<u8> {
        let state = wrap(context(0), &[&wrap(ENUMERATED, &[&[self.state as u8]])]);
        let mechanism = if self.first { wrap(context(1), &[&wrap(OID, &[NTLM])]) } else { Vec::new() };
        let octets = |number, bytes: Option<&[u8]>| {
            bytes.map(|bytes| wrap(context(number), &[&wrap(OCTET_STRING, &[bytes])])).unwrap_or_default()
        };
        let (token, signature) = (octets(2, self.token), octets(3, self.signature));
        wrap(context(1), &[&wrap(SEQUENCE, &[&state, &mechanism, &token, &signature])])
    }
}

/// The mechanism list, and whether signing it is mandatory.
#[derive(Debug)]
pub(crate) struct MechanismList {
    pub(crate) mechanisms: Vec<u8>,
    pub(crate) required: bool,
}

impl MechanismList {
    /// Verifies the client's signature and returns the server's, if one is due. The outer `None` rejects.
    pub(crate) fn verify_and_sign(
        &self,
        session: &NtlmSession,
        signature: Option<&[u8]>,
    ) -> Option<Option<[u8; 16]>> {
        if !session.signs() {
            return Some(None);
        }
        match signature {
            Some(theirs) => (theirs == session.of_client(&self.mechanisms).as_slice())
                .then(|| Some(session.of_server(&self.mechanisms))),
            None => (!self.required).then_some(None),
        }
    }
}

/// The tag of `InitialContextToken` (RFC 2743, 3.1).
const GSS: u8 = 0x60;
/// 1.3.6.1.5.5.2
const SPNEGO: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x02];
/// 1.3.6.1.4.1.311.2.2.10
const NTLM: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x82, 0x37, 0x02, 0x02, 0x0a];

#[cfg(test)]
mod tests {
    use super::*;

    /// 1.2.840.113554.1.2.2
    const KERBEROS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x12, 0x01, 0x02, 0x02];

    fn init(mechanisms: &[&[u8]], token: &[u8]) -> Vec<u8> {
        let list: Vec<u8> = mechanisms.iter().flat_map(|oid| wrap(OID, &[oid])).collect();
        let list = wrap(context(0), &[&wrap(SEQUENCE, &[&list])]);
        let token = wrap(context(2), &[&wrap(OCTET_STRING, &[token])]);
        let init = wrap(context(0), &[&wrap(SEQUENCE, &[&list, &token])]);
        wrap(GSS, &[&wrap(OID, &[SPNEGO]), &init])
    }

    #[test]
    fn ntlm_is_found_wherever_it_stands_in_the_list() {
        let first = init(&[NTLM, KERBEROS], b"type 1");
        let Some(SpnegoToken::Init(read_first)) = read(&first) else { panic!("{first:02x?}") };
        assert!(read_first.ntlm_first);
        assert_eq!(read_first.token, Some(&b"type 1"[..]));
        let second = init(&[KERBEROS, NTLM], b"ticket");
        assert!(matches!(read(&second), Some(SpnegoToken::Init(NegTokenInit { ntlm_first: false, .. }))));
        assert_eq!(read(&init(&[KERBEROS], b"ticket")), None);
        assert_eq!(read(b"NTLMSSP\0rest"), Some(SpnegoToken::RawNtlm(b"NTLMSSP\0rest")));
        for cut in 0..first.len() {
            assert_eq!(read(&first[..cut]), None, "{cut}");
        }
    }

    #[test]
    fn an_answer_is_what_rfc_4178_says() {
        // As printed by openssl asn1parse: [1] { SEQUENCE { [0] { ENUMERATED 01 } [1] { OID NTLM } [2] { OCTET STRING 61
        // } } }
        let expected = "a11a3018a0030a0101a10c060a2b06010401823702020aa203040161";
        let answer =
            NegTokenResp { state: NegState::Incomplete, first: true, token: Some(b"a"), signature: None };
        let written = answer.write();
        assert_eq!(written.iter().map(|byte| format!("{byte:02x}")).collect::<String>(), expected);
        assert_eq!(read(&written), Some(SpnegoToken::Response { token: Some(b"a"), signature: None }));
        let signed =
            NegTokenResp { state: NegState::Completed, first: false, token: None, signature: Some(b"sig") };
        let signed = signed.write();
        assert_eq!(read(&signed), Some(SpnegoToken::Response { token: None, signature: Some(b"sig") }));
    }
}
