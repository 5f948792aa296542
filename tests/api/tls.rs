//! TLS: a server certificate that is renewed while the service runs, and required client certificates.

use std::path::Path;
use std::sync::Arc;

use adjourn::api::{ServerTls, TlsError, TlsFiles};
use adjourn_test::now;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, RevokedCertParams,
};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::fixture::ApiFixture;

type Issuer = CertifiedIssuer<'static, KeyPair>;

fn issuer(name: &str) -> Issuer {
    let mut about = CertificateParams::new([]).unwrap();
    about.distinguished_name.push(rcgen::DnType::CommonName, name);
    about.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    about.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(about, KeyPair::generate().unwrap()).unwrap()
}

/// Certificate and key, in PEM.
fn issued(by: &Issuer, usage: ExtendedKeyUsagePurpose) -> (String, String) {
    numbered(by, usage, 1)
}

/// The same, with this serial number.
fn numbered(by: &Issuer, usage: ExtendedKeyUsagePurpose, serial: u64) -> (String, String) {
    let mut about = CertificateParams::new(["localhost".to_owned()]).unwrap();
    about.serial_number = Some(serial.into());
    about.extended_key_usages = vec![usage];
    let key = KeyPair::generate().unwrap();
    (about.signed_by(&key, by).unwrap().pem(), key.serialize_pem())
}

fn write(directory: &Path, (cert, key): &(String, String)) {
    std::fs::write(directory.join("cert.pem"), cert).unwrap();
    std::fs::write(directory.join("key.pem"), key).unwrap();
}

fn files(directory: &Path, client_ca: bool) -> TlsFiles {
    let at = |name: &str| directory.join(name);
    let client_ca = client_ca.then(|| at("clients.pem"));
    TlsFiles { cert: at("cert.pem"), key: at("key.pem"), client_ca, client_crl: None }
}

/// The response's status line, if any, for a client that trusts only this issuer.
async fn ask(at: std::net::SocketAddr, trusted: &Issuer, own: Option<&(String, String)>) -> Option<String> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.pem().as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let builder = builder.with_root_certificates(roots);
    let config = match own {
        None => builder.with_no_client_auth(),
        Some((cert, key)) => {
            let cert = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
            builder
                .with_client_auth_cert(cert, PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
                .unwrap()
        }
    };
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(at).await.unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.ok()?;
    text.lines().next().map(str::to_owned)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_served_and_a_broken_one_is_not() {
    let (lobby, directory) = (ApiFixture::open().await, tempfile::tempdir().unwrap());
    let (old, new) = (issuer("old"), issuer("new"));
    write(directory.path(), &issued(&old, ExtendedKeyUsagePurpose::ServerAuth));
    let tls = Arc::new(ServerTls::open(files(directory.path(), false)).unwrap());
    let at = lobby.serve_tls(tls.clone()).await;
    assert_eq!(ask(at, &old, None).await.as_deref(), Some("HTTP/1.1 200 OK"));
    assert_eq!(ask(at, &new, None).await, None);
    assert!(!tls.refresh(), "nothing has changed");

    // File systems store coarse times.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    write(directory.path(), &("rubbish".to_owned(), "rubbish".to_owned()));
    assert!(!tls.refresh());
    assert_eq!(ask(at, &old, None).await.as_deref(), Some("HTTP/1.1 200 OK"), "the old one stays");

    write(directory.path(), &issued(&new, ExtendedKeyUsagePurpose::ServerAuth));
    assert!(tls.refresh());
    assert_eq!(ask(at, &new, None).await.as_deref(), Some("HTTP/1.1 200 OK"));
    assert_eq!(ask(at, &old, None).await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_need_a_certificate_where_one_is_asked_for() {
    let (lobby, directory) = (ApiFixture::open().await, tempfile::tempdir().unwrap());
    let (server, clients, stranger) = (issuer("server"), issuer("clients"), issuer("stranger"));
    write(directory.path(), &issued(&server, ExtendedKeyUsagePurpose::ServerAuth));
    std::fs::write(directory.path().join("clients.pem"), clients.pem()).unwrap();
    let at = lobby.serve_tls(Arc::new(ServerTls::open(files(directory.path(), true)).unwrap())).await;
    let display = issued(&clients, ExtendedKeyUsagePurpose::ClientAuth);
    let other = issued(&stranger, ExtendedKeyUsagePurpose::ClientAuth);
    assert_eq!(ask(at, &server, Some(&display)).await.as_deref(), Some("HTTP/1.1 200 OK"));
    assert_eq!(ask(at, &server, Some(&other)).await, None);
    assert_eq!(ask(at, &server, None).await, None);
}

/// A revocation list of this issuer, in PEM.
fn revocations(by: &Issuer, serials: &[u64], next_update: i32) -> String {
    let time = |year| rcgen::date_time_ymd(year, 1, 1);
    let revoked = |serial: &u64| RevokedCertParams {
        serial_number: (*serial).into(),
        revocation_time: time(2020),
        reason_code: None,
        invalidity_date: None,
    };
    let list = CertificateRevocationListParams {
        this_update: time(2020),
        next_update: time(next_update),
        crl_number: 1.into(),
        issuing_distribution_point: None,
        revoked_certs: serials.iter().map(revoked).collect(),
        key_identifier_method: rcgen::KeyIdMethod::Sha256,
    };
    list.signed_by(by).unwrap().pem().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_certificate_is_refused_and_a_list_is_read_again() {
    let (lobby, directory) = (ApiFixture::open().await, tempfile::tempdir().unwrap());
    let (server, clients) = (issuer("server"), issuer("clients"));
    write(directory.path(), &issued(&server, ExtendedKeyUsagePurpose::ServerAuth));
    std::fs::write(directory.path().join("clients.pem"), clients.pem()).unwrap();
    let crl = directory.path().join("crl.pem");
    std::fs::write(&crl, revocations(&clients, &[7], 2999)).unwrap();
    let files = TlsFiles { client_crl: Some(crl.clone()), ..files(directory.path(), true) };
    let tls = Arc::new(ServerTls::open(files.clone()).unwrap());
    let at = lobby.serve_tls(tls.clone()).await;
    let [lost, kept] = [7, 8].map(|serial| numbered(&clients, ExtendedKeyUsagePurpose::ClientAuth, serial));
    assert_eq!(ask(at, &server, Some(&lost)).await, None);
    assert_eq!(ask(at, &server, Some(&kept)).await.as_deref(), Some("HTTP/1.1 200 OK"));

    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    std::fs::write(&crl, revocations(&clients, &[7, 8], 2021)).unwrap();
    assert!(tls.refresh());
    assert_eq!(ask(at, &server, Some(&kept)).await, None, "revoked meanwhile");
    let other = numbered(&clients, ExtendedKeyUsagePurpose::ClientAuth, 9);
    assert_eq!(
        ask(at, &server, Some(&other)).await.as_deref(),
        Some("HTTP/1.1 200 OK"),
        "an old list still counts"
    );
    assert!(tls.has_outdated_crl(now()));

    std::fs::write(&crl, "rubbish").unwrap();
    assert!(!tls.refresh(), "the loaded certificate stays");
    let error = ServerTls::open(files).err().unwrap();
    assert!(matches!(&error, TlsError::File { path, .. } if *path == crl), "{error}");
}

#[test]
fn what_cannot_be_used_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let error = ServerTls::open(files(directory.path(), false)).err().unwrap();
    assert!(matches!(&error, TlsError::File { path, .. } if path.starts_with(directory.path())), "{error}");
}
