//! Corrects one element of `sspi`'s Kerberos message: the flag that the client supports channel bindings. `sspi` 0.23
//! writes it as the two bytes `40 00`, unwrapped; it has to be the number 0x4000 in four bytes, little-endian, inside
//! AD-IF-RELEVANT (MS-KILE, section 3.2.5.8; RFC 4120, section 5.2.6.1), and MIT's acceptor rejects every other form
//! ("Invalid message type").
//!
//! The binding itself (RFC 4121, section 4.1.1.2) is correct and stays unchanged. Remove this file once `sspi` writes
//! the flag correctly.

use picky_asn1::wrapper::{
    Asn1SequenceOf, ExplicitContextTag0, ExplicitContextTag1, ExplicitContextTag2, ExplicitContextTag8,
    IntegerAsn1, OctetStringAsn1, Optional,
};
use picky_asn1_der::{from_bytes, to_vec};
use picky_krb::constants::key_usages::AP_REQ_AUTHENTICATOR;
use picky_krb::crypto::CipherSuite;
use picky_krb::data_types::{Authenticator, AuthorizationData, AuthorizationDataInner};
use picky_krb::gss_api::{ApplicationTag0, GssApiNegInit, KrbMessage};
use picky_krb::messages::ApReq;
use zeroize::Zeroizing;

/// `AD-IF-RELEVANT`.
const IF_RELEVANT: [u8; 1] = [1];
/// `AD-AUTH-DATA-AP-OPTIONS`, 143.
const AP_OPTIONS: [u8; 2] = [0, 143];
/// `KERB_AP_OPTIONS_CBT`: the client supports channel bindings.
const CBT_FLAG: u32 = 0x4000;

/// The first message (SPNEGO with a ticket and its authenticator) with the corrected flag. `key` is the ticket's
/// session key. `None` if the message is of another kind or has another key. Input that `sspi` did not write may panic.
pub(super) fn corrected(message: &[u8], key: &[u8]) -> Option<Vec<u8>> {
    let mut message: ApplicationTag0<GssApiNegInit> = from_bytes(message).ok()?;
    let token = message.0.neg_token_init.0.mech_token.0.as_mut()?;
    let mut request = KrbMessage::<ApReq>::decode_application_krb_message(&token.0.0).ok()?;
    let sealed = &mut request.0.krb_msg.0.authenticator.0;
    let cipher = CipherSuite::try_from(sealed.etype.0.0.as_slice()).ok()?.cipher();
    let open = Zeroizing::new(cipher.decrypt(key, AP_REQ_AUTHENTICATOR, &sealed.cipher.0.0).ok()?);
    let mut authenticator: Authenticator = from_bytes(&open).ok()?;
    authenticator.0.authorization_data =
        Optional::from(Some(ExplicitContextTag8::from(ap_options_element()?)));
    let open = Zeroizing::new(to_vec(&authenticator).ok()?);
    let closed = cipher.encrypt(key, AP_REQ_AUTHENTICATOR, &open).ok()?;
    sealed.cipher = ExplicitContextTag2::from(OctetStringAsn1::from(closed));
    *token = ExplicitContextTag2::from(OctetStringAsn1::from(to_vec(&request).ok()?));
    to_vec(&message).ok()
}

fn ap_options_element() -> Option<AuthorizationData> {
    let inner = one(&AP_OPTIONS, CBT_FLAG.to_le_bytes().to_vec());
    Some(one(&IF_RELEVANT, to_vec(&inner).ok()?))
}

fn one(kind: &[u8], data: Vec<u8>) -> AuthorizationData {
    Asn1SequenceOf::from(vec![AuthorizationDataInner {
        ad_type: ExplicitContextTag0::from(IntegerAsn1::from(kind.to_vec())),
        ad_data: ExplicitContextTag1::from(OctetStringAsn1::from(data)),
    }])
}

#[cfg(test)]
mod tests {
    use md5::{Digest as _, Md5};

    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect()
    }

    /// Message, key and binding.
    fn fixture() -> [Vec<u8>; 3] {
        let text = include_str!("../../fixtures/logins/kerberos-word.txt");
        let mut lines = text.lines().filter(|line| !line.starts_with('#')).map(bytes);
        [(); 3].map(|()| lines.next().unwrap())
    }

    fn opened(message: &[u8], key: &[u8]) -> Vec<u8> {
        let message: ApplicationTag0<GssApiNegInit> = from_bytes(message).unwrap();
        let token = message.0.neg_token_init.0.mech_token.0.unwrap().0.0;
        let request = KrbMessage::<ApReq>::decode_application_krb_message(&token).unwrap();
        let sealed = &request.0.krb_msg.0.authenticator.0;
        let cipher = CipherSuite::try_from(sealed.etype.0.0.as_slice()).unwrap().cipher();
        cipher.decrypt(key, AP_REQ_AUTHENTICATOR, &sealed.cipher.0.0).unwrap()
    }

    #[test]
    fn the_note_becomes_what_ms_kile_says_and_the_rest_stays() {
        let [message, key, binding] = fixture();
        let (before, after) = (opened(&message, &key), opened(&corrected(&message, &key).unwrap(), &key));
        // [8]; 143; the two bytes.
        let theirs = bytes("a810300e300ca0040202008fa10404024000");
        assert!(before.ends_with(&theirs), "sspi writes it otherwise now: see whether this file may go");
        // [8]; AD-IF-RELEVANT; in it 143; 0x4000 in four bytes, the lowest first.
        let ours = bytes("a81f301d301ba003020101a11404123010300ea0040202008fa106040400400000");
        assert!(after.ends_with(&ours), "{after:02x?}");
        // No addresses; then the token with its length (RFC 2744, section 3.11; RFC 4121, section 4.1.1.2).
        let mut bindings = vec![0; 16];
        bindings.extend((binding.len() as u32).to_le_bytes());
        bindings.extend(&binding);
        let bound = Md5::digest(&bindings);
        for open in [&before, &after] {
            assert!(open.windows(16).any(|bytes| bytes == bound.as_slice()));
        }
        let mut again = from_bytes::<Authenticator>(&after).unwrap();
        let was = from_bytes::<Authenticator>(&before).unwrap();
        again.0.authorization_data = was.0.authorization_data.clone();
        assert_eq!(again, was);
    }

    #[test]
    fn a_word_of_another_key_is_not_mended() {
        let [message, key, _] = fixture();
        assert_eq!(corrected(&message, &[7; 32]), None);
        assert_eq!(corrected(&message, &key[1..]), None);
    }
}
