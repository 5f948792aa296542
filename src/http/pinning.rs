//! Certificate pinning: accepts a server certificate that the administrator configured, byte for byte, without an
//! issuer. The platform's verifier takes a configured certificate for an authority and rejects a server that shows an
//! authority's certificate (`CaUsedAsEndEntity`), but `openssl req -x509` marks every self-signed certificate as one.
//! Host name and dates are verified as always.

use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The platform's verifier, and pinned certificates.
#[derive(Debug)]
pub(crate) struct PinningVerifier<V> {
    pinned: Vec<CertificateDer<'static>>,
    platform: V,
}

impl<V> PinningVerifier<V> {
    pub(crate) fn new(pinned: Vec<CertificateDer<'static>>, platform: V) -> Self {
        Self { pinned, platform }
    }
}

impl<V: ServerCertVerifier> ServerCertVerifier for PinningVerifier<V> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if self.pinned.iter().any(|pinned| pinned.as_ref() == end_entity.as_ref()) {
            is_valid_at(end_entity, now)?;
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return Ok(ServerCertVerified::assertion());
        }
        self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.platform.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}

fn is_valid_at(der: &CertificateDer<'_>, now: UnixTime) -> Result<(), Error> {
    let certificate = Certificate::from_der(der);
    let certificate = certificate.map_err(|_| Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let validity = certificate.tbs_certificate().validity();
    let now = Duration::from_secs(now.as_secs());
    if now < validity.not_before.to_unix_duration() {
        return Err(Error::InvalidCertificate(CertificateError::NotValidYet));
    }
    if now > validity.not_after.to_unix_duration() {
        return Err(Error::InvalidCertificate(CertificateError::Expired));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;
    use crate::http::tls;

    const NOVEMBER_2026: u64 = 1_795_910_400;

    fn self_signed(is_ca: IsCa) -> CertificateDer<'static> {
        let mut parameters = CertificateParams::new(["mail.example.com".to_owned()]).unwrap();
        parameters.is_ca = is_ca;
        parameters.not_before = rcgen::date_time_ymd(2026, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(2027, 1, 1);
        parameters.self_signed(&KeyPair::generate().unwrap()).unwrap().into()
    }

    fn verify(
        pinned: &CertificateDer<'static>,
        shown: &CertificateDer<'static>,
        name: &str,
        at: u64,
    ) -> Result<(), Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let platform = rustls_platform_verifier::Verifier::new_with_extra_roots([pinned.clone()], provider)?;
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(at));
        let verifier = PinningVerifier::new(vec![pinned.clone()], platform);
        verifier.verify_server_cert(shown, &[], &name, &[], now).map(drop)
    }

    #[test]
    fn the_named_certificate_is_accepted_whatever_it_is_marked_as() {
        for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
            let named = self_signed(is_ca);
            verify(&named, &named, "mail.example.com", NOVEMBER_2026).unwrap();
        }
    }

    #[test]
    fn its_name_and_its_dates_count_and_no_other_is_accepted() {
        use CertificateError as Bad;
        let ca = || self_signed(IsCa::Ca(BasicConstraints::Unconstrained));
        let named = ca();
        let refusal = |shown: &CertificateDer<'static>, name: &str, at| match verify(&named, shown, name, at)
        {
            Err(Error::InvalidCertificate(why)) => why,
            other => panic!("{other:?}"),
        };
        let other_name = refusal(&named, "other.example.com", NOVEMBER_2026);
        assert!(
            matches!(other_name, Bad::NotValidForName | Bad::NotValidForNameContext { .. }),
            "{other_name:?}"
        );
        assert_eq!(refusal(&named, "mail.example.com", NOVEMBER_2026 - 366 * 86_400), Bad::NotValidYet);
        assert_eq!(refusal(&named, "mail.example.com", NOVEMBER_2026 + 366 * 86_400), Bad::Expired);
        refusal(&ca(), "mail.example.com", NOVEMBER_2026);
    }

    #[test]
    fn a_client_can_be_set_up_with_it() {
        tls::client_config(vec![self_signed(IsCa::Ca(BasicConstraints::Unconstrained))], None).unwrap();
    }
}
