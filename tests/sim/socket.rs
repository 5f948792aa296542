//! A client of raw bytes: one connection, HTTP written by hand, and NTLM in its simplest form (no session key, no MIC).
//! Like the simulator it is written from MS-NLMP; `foreign_clients` has real clients.

use std::sync::Arc;

use adjourn::sim::{Simulator, SimulatorOptions};
use adjourn_test::{AURORA, host, read_reply};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use md4::Digest as _;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// One connection to a simulator.
pub struct Socket {
    stream: Box<dyn Stream>,
    /// The server's certificate, in DER.
    pub certificate: Vec<u8>,
}

#[derive(Debug)]
pub struct SocketResponse {
    pub status: u16,
    /// The `WWW-Authenticate` headers.
    pub offers: Vec<String>,
    pub body: String,
}

/// A client's certificate and key, in PEM.
pub type Client<'a> = Option<(&'a str, &'a str)>;

impl Socket {
    pub async fn open(sim: &Simulator) -> Self {
        Self::open_as(sim, None).await.unwrap()
    }

    pub async fn open_as(sim: &Simulator, client: Client<'_>) -> std::io::Result<Self> {
        let stream = TcpStream::connect(host(sim)).await?;
        let Some(ca) = sim.ca_pem() else {
            return Ok(Self { stream: Box::new(stream), certificate: Vec::new() });
        };
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => config.with_no_client_auth(),
            Some((certificate, key)) => {
                let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
                config.with_client_auth_cert(vec![certificate], key).unwrap()
            }
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(ServerName::try_from("localhost").unwrap(), stream).await?;
        let certificate = stream.get_ref().1.peer_certificates().unwrap()[0].to_vec();
        Ok(Self { stream: Box::new(stream), certificate })
    }

    /// Sends `GetRoomLists` for the room.
    pub async fn get_room_lists(&mut self, authorization: Option<&str>) -> SocketResponse {
        self.post(authorization, &crate::raw_requests::envelope(AURORA, "<m:GetRoomLists/>")).await.unwrap()
    }

    pub async fn post(&mut self, authorization: Option<&str>, body: &str) -> std::io::Result<SocketResponse> {
        let authorization =
            authorization.map(|said| format!("Authorization: {said}\r\n")).unwrap_or_default();
        let request = format!(
            "POST /EWS/Exchange.asmx HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\n{authorization}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.write_all(request.as_bytes()).await?;
        self.stream.flush().await?;
        let reply = read_reply(&mut self.stream).await?;
        let offers = reply.headers("www-authenticate").map(str::to_owned).collect();
        Ok(SocketResponse { status: reply.status, offers, body: reply.body })
    }

    /// Signs in by `scheme` (`NTLM`, or bare NTLM in `Negotiate`) and returns the response to the last leg.
    pub async fn sign_in(&mut self, scheme: &str, who: &WindowsClient) -> SocketResponse {
        let first = self.get_room_lists(Some(&format!("{scheme} {}", negotiate()))).await;
        assert_eq!(first.status, 401);
        assert_eq!(first.offers.len(), 1, "{:?}", first.offers);
        let challenge = first.offers[0].strip_prefix(scheme).unwrap().trim();
        self.get_room_lists(Some(&format!("{scheme} {}", who.authenticate(challenge)))).await
    }
}

/// A `NEGOTIATE_MESSAGE`: Unicode, the target's name, NTLM, extended session security.
pub fn negotiate() -> String {
    let flags = 0x0008_0205_u32.to_le_bytes();
    BASE64_STANDARD.encode([b"NTLMSSP\0".as_slice(), &[1, 0, 0, 0], &flags, &[0; 16]].concat())
}

/// The account, and its channel binding.
pub struct WindowsClient {
    pub user: String,
    pub domain: String,
    pub password: String,
    pub binding: Option<[u8; 16]>,
}

impl Default for WindowsClient {
    /// The simulator's service account, without a channel binding.
    fn default() -> Self {
        Self {
            user: "svc-adjourn".to_owned(),
            domain: "EXAMPLE".to_owned(),
            password: SimulatorOptions::default().password,
            binding: None,
        }
    }
}

impl WindowsClient {
    fn authenticate(&self, challenge: &str) -> String {
        let challenge = BASE64_STANDARD.decode(challenge).unwrap();
        let info_at = usize::from(challenge[44]);
        let mut info = challenge[info_at..].to_vec();
        info.truncate(info.len() - 4);
        if let Some(binding) = self.binding {
            info.extend([10, 0, 16, 0]);
            info.extend(binding);
        }
        let blob = [&[1, 1, 0, 0, 0, 0, 0, 0][..], &[9; 8], &[8; 8], &[0; 4], &info, &[0; 8]].concat();
        let user_key = mac(
            &md4::Md4::digest(utf16(&self.password)),
            &[utf16(&self.user.to_uppercase()), utf16(&self.domain)].concat(),
        );
        let proof = mac(&user_key, &[&challenge[24..32], &blob].concat());
        let parts =
            [vec![0; 24], [proof, blob].concat(), utf16(&self.domain), utf16(&self.user), vec![], vec![]];
        let mut message = b"NTLMSSP\0\x03\0\0\0".to_vec();
        let mut offset = 64_u32;
        for part in &parts {
            let length = u16::try_from(part.len()).unwrap().to_le_bytes();
            message.extend([length, length].concat());
            message.extend(offset.to_le_bytes());
            offset += u32::from(u16::from_le_bytes(length));
        }
        message.extend(&challenge[20..24]);
        message.extend(parts.concat());
        BASE64_STANDARD.encode(message)
    }
}

fn utf16(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn mac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<md5::Md5>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes().to_vec()
}
