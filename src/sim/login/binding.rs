//! Channel bindings of type `tls-server-end-point` (RFC 5929) in the form that NTLM carries: the MD5 of GSS-API's
//! channel bindings structure around a hash of the server's certificate. Pure.

use md5::{Digest as _, Md5};
use sha2::{Sha224, Sha256, Sha384, Sha512};

use super::der::{DerReader, OID, SEQUENCE, context};

/// The hash of the channel bindings: the value of `MsvAvChannelBindings`.
pub(crate) type ChannelBindingHash = [u8; 16];

/// The hash expected for this certificate; `None` if RFC 5929 defines none for its signature algorithm.
pub(crate) fn binding_of_certificate(certificate: &[u8]) -> Option<ChannelBindingHash> {
    let hash = match hash_of_signature(certificate)? {
        SignatureHash::Sha224 => Sha224::digest(certificate).to_vec(),
        SignatureHash::Sha256 => Sha256::digest(certificate).to_vec(),
        SignatureHash::Sha384 => Sha384::digest(certificate).to_vec(),
        SignatureHash::Sha512 => Sha512::digest(certificate).to_vec(),
    };
    Some(gss(&[b"tls-server-end-point:", hash.as_slice()].concat()))
}

/// MD5 of `gss_channel_bindings_struct` (RFC 4121, 4.1.1.2) without addresses, with this application data.
fn gss(data: &[u8]) -> ChannelBindingHash {
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut md5 = Md5::new();
    md5.update([0; 16]); // initiator and acceptor: type and length of the address
    md5.update(length.to_le_bytes());
    md5.update(data);
    md5.finalize().into()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignatureHash {
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// The hash of the certificate's signature algorithm; MD5 and SHA-1 are replaced by SHA-256, as RFC 5929 requires.
fn hash_of_signature(certificate: &[u8]) -> Option<SignatureHash> {
    let mut certificate = DerReader::new(certificate).inside(SEQUENCE)?;
    certificate.any()?; // tbsCertificate
    let mut algorithm = certificate.inside(SEQUENCE)?;
    match algorithm.take(OID)?.content {
        RSA_PSS => hash_of_pss(algorithm.inside(SEQUENCE)?),
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, last] => match last {
            4 | 5 | 11 => Some(SignatureHash::Sha256), // with MD5, SHA-1, SHA-256
            12 => Some(SignatureHash::Sha384),
            13 => Some(SignatureHash::Sha512),
            14 => Some(SignatureHash::Sha224),
            _ => None,
        },
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01] => Some(SignatureHash::Sha256), // ecdsa-with-SHA1
        [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, last] => match last {
            1 => Some(SignatureHash::Sha224),
            2 => Some(SignatureHash::Sha256),
            3 => Some(SignatureHash::Sha384),
            4 => Some(SignatureHash::Sha512),
            _ => None,
        },
        _ => None,
    }
}

/// `RSASSA-PSS-params`: the first field is the hash; if it is absent, SHA-1.
fn hash_of_pss(mut parameters: DerReader<'_>) -> Option<SignatureHash> {
    let Some(mut field) = parameters.inside(context(0)) else { return Some(SignatureHash::Sha256) };
    match field.inside(SEQUENCE)?.take(OID)?.content {
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 1] => Some(SignatureHash::Sha256),
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 2] => Some(SignatureHash::Sha384),
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 3] => Some(SignatureHash::Sha512),
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 4] => Some(SignatureHash::Sha224),
        [0x2b, 0x0e, 0x03, 0x02, 0x1a] => Some(SignatureHash::Sha256), // SHA-1
        _ => None,
    }
}

/// 1.2.840.113549.1.1.10
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];

#[cfg(test)]
mod tests {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;

    use super::*;

    /// `fixtures/certificates/expected.py` computes these independently, with Python's hashlib.
    const EXPECTED: [(&str, &str); 8] = [
        ("ecdsa-sha256", "6846e6b7fb5213001c005263b533f822"),
        ("ecdsa-sha384", "0240af29d5fb3035f194922db13759e6"),
        ("rsa-pss-sha256", "b5b975386da9a54534acfd3b0114c7ec"),
        ("rsa-pss-sha384", "823b95b4a6df27f3503b2d2316552002"),
        ("rsa-sha1", "a4c1197f122fa2a73d46c5ac1f3e1eff"),
        ("rsa-sha256", "334dca333e2b20901f39a6f94287d69a"),
        ("rsa-sha384", "0a955ee26c5439e384f1c2920ea1e057"),
        ("rsa-sha512", "6a77e6e7a60a3d8e498ed08647dcea4e"),
    ];

    #[test]
    fn every_kind_of_signature_has_the_hash_that_rfc_5929_says() {
        for (name, expected) in EXPECTED {
            let path = format!("{}/fixtures/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"));
            let certificate = CertificateDer::from_pem_file(path).unwrap();
            let binding = binding_of_certificate(&certificate).unwrap();
            assert_eq!(
                binding.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
                expected,
                "{name}"
            );
        }
        assert_eq!(binding_of_certificate(b"no certificate"), None);
    }
}
