//! The hash of a server's certificate to which a sign-in is bound (`tls-server-end-point`, RFC 5929, section 4.1). Knows no protocol that
//! carries it.

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode as _, Encode as _, Reader as _, SliceReader};

/// Hash algorithm of a certificate's signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CertificateHash {
    Sha256,
    Sha384,
    Sha512,
}

const RSA_PSS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.10");

/// The hash of a certificate (DER) by the algorithm of its signature. `None` if that uses no single hash (Ed25519), for which the binding
/// is not defined.
pub(crate) fn certificate_hash(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match signed_with(certificate)? {
        CertificateHash::Sha256 => Sha256::digest(certificate).to_vec(),
        CertificateHash::Sha384 => Sha384::digest(certificate).to_vec(),
        CertificateHash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

/// MD5 and SHA-1 count as SHA-256 (RFC 5929, section 4.1).
fn signed_with(certificate: &[u8]) -> Option<CertificateHash> {
    let certificate = Certificate::from_der(certificate).ok()?;
    let algorithm = certificate.signature_algorithm();
    if algorithm.oid == RSA_PSS {
        let parameters = algorithm.parameters.as_ref()?.to_der().ok()?;
        return pss_hash(&parameters);
    }
    Some(match algorithm.oid.to_string().as_str() {
        // md5WithRSA, sha1WithRSA, ecdsa-with-SHA1, sha256WithRSA, ecdsa-with-SHA256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10045.4.1"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.3.2" => CertificateHash::Sha256,
        // sha384WithRSA, ecdsa-with-SHA384
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => CertificateHash::Sha384,
        // sha512WithRSA, ecdsa-with-SHA512
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => CertificateHash::Sha512,
        _ => return None,
    })
}

/// `RSASSA-PSS-params ::= SEQUENCE { [0] hashAlgorithm DEFAULT sha1, … }` (RFC 4055, section 3.1).
fn pss_hash(parameters: &[u8]) -> Option<CertificateHash> {
    let mut reader = SliceReader::new(parameters).ok()?;
    let algorithm = reader
        .sequence(|fields| {
            let tagged: Option<
                x509_cert::der::asn1::ContextSpecific<x509_cert::spki::AlgorithmIdentifierOwned>,
            > = x509_cert::der::asn1::ContextSpecific::decode_explicit(fields, x509_cert::der::TagNumber(0))?;
            let rest = fields.remaining_len();
            fields.read_slice(rest)?;
            Ok::<_, x509_cert::der::Error>(tagged.map(|tagged| tagged.value.oid.to_string()))
        })
        .ok()?;
    Some(match algorithm.as_deref() {
        None | Some("1.3.14.3.2.26" | "1.2.840.113549.2.5" | "2.16.840.1.101.3.4.2.1") => {
            CertificateHash::Sha256
        }
        Some("2.16.840.1.101.3.4.2.2") => CertificateHash::Sha384,
        Some("2.16.840.1.101.3.4.2.3") => CertificateHash::Sha512,
        Some(_) => return None,
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::http::pem::certificates;

    #[test]
    fn every_kind_of_certificate_is_bound_by_the_hash_that_openssl_computes() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates");
        let hashes = std::fs::read_to_string(folder.join("hashes.txt")).unwrap();
        let mut kinds = 0;
        for line in hashes.lines().filter(|line| !line.starts_with('#')) {
            let words: Vec<_> = line.split_whitespace().collect();
            let certificate = certificates(&folder.join(words[0])).unwrap().remove(0);
            let hash = certificate_hash(&certificate);
            let hex = hash.map(|hash| hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
            assert_eq!(hex.as_deref().unwrap_or("none"), *words.last().unwrap(), "{line}");
            kinds += 1;
        }
        assert_eq!(kinds, 10);
    }

    #[test]
    fn what_is_no_certificate_binds_nothing() {
        assert_eq!(certificate_hash(b""), None);
        assert_eq!(certificate_hash(&[0x30, 0x82, 0xff, 0xff, 0]), None);
    }
}
