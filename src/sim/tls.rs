//! TLS for the simulator's servers: with a generated CA and certificate, never stored, or with those of the caller.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

type TlsSetupError = Box<dyn std::error::Error + Send + Sync>;

/// A server's certificate and key, and the CA that clients must trust. All in PEM.
#[derive(Clone)]
pub struct ServerIdentity {
    /// The certificate chain, without the CA.
    pub certificates_pem: String,
    /// The private key of the leaf certificate.
    pub key_pem: String,
    /// The CA certificate.
    pub ca_pem: String,
}

impl std::fmt::Debug for ServerIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity").field("certificates_pem", &self.certificates_pem).finish_non_exhaustive()
    }
}

impl ServerIdentity {
    /// Generates a CA and a certificate for `localhost`.
    pub(crate) fn generate() -> io::Result<Self> {
        make().map_err(io::Error::other)
    }

    /// The leaf certificate, in DER.
    pub(crate) fn leaf_certificate(&self) -> io::Result<CertificateDer<'static>> {
        CertificateDer::from_pem_slice(self.certificates_pem.as_bytes()).map_err(io::Error::other)
    }
}

fn make() -> Result<ServerIdentity, TlsSetupError> {
    let ca_key = KeyPair::generate()?;
    let mut ca = CertificateParams::new(Vec::new())?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    ca.distinguished_name.push(DnType::CommonName, "adjourn sim CA");
    let ca_pem = ca.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate()?;
    let mut leaf = CertificateParams::new(vec!["localhost".to_owned()])?;
    leaf.distinguished_name.push(DnType::CommonName, "adjourn sim");
    for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
        leaf.subject_alt_names.push(SanType::IpAddress(address));
    }
    let certificates_pem = leaf.signed_by(&key, &issuer)?.pem();
    Ok(ServerIdentity { certificates_pem, key_pem: key.serialize_pem(), ca_pem })
}

/// The TLS configuration; `client_ca_pem` requires client certificates of that CA.
pub(crate) fn config(identity: &ServerIdentity, client_ca_pem: Option<&str>) -> io::Result<ServerConfig> {
    build(identity, client_ca_pem).map_err(io::Error::other)
}

fn build(identity: &ServerIdentity, client_ca_pem: Option<&str>) -> Result<ServerConfig, TlsSetupError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_slice_iter(identity.certificates_pem.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(identity.key_pem.as_bytes())?;
    let builder =
        ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
    let builder = match client_ca_pem {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                roots.add(certificate?)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build()?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    Ok(builder.with_single_cert(chain?, key)?)
}
