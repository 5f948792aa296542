//! One step of a Windows sign-in: the server's message in, our message out. This file alone uses the `sspi` crate; it
//! does not decide when a step is due or what its result means.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use sspi::generator::NetworkRequest;
use sspi::network_client::NetworkClient;
use sspi::ntlm::NtlmConfig;
use sspi::{
    AuthIdentity, AuthIdentityBuffers, BufferType, ClientRequestFlags, CredentialsBuffers,
    DataRepresentation, Error, ErrorKind, KdcResolution, KerberosConfig, KeytabIdentity, Negotiate,
    NegotiateConfig, Ntlm, SecurityBuffer, SecurityStatus, Sspi as _, SspiImpl as _, Username,
};

use super::ap_options;
use super::windows_settings::{Windows, WindowsScheme, WindowsSecret, WindowsSettingsError};

/// Time limit for each of connecting to the KDC, sending the request, and reading the response.
const KDC_TIMEOUT: Duration = Duration::from_secs(5);
/// Largest KDC response that is read; tickets with many groups have some 10 KiB.
const KDC_BYTES_MAX: u32 = 1 << 20;
/// How much of the library's error text is passed on.
const SAID_CHARS_MAX: usize = 160;
/// Workstation name in NTLM messages.
const WORKSTATION: &str = "ADJOURN";

/// The account's credentials in `sspi`'s form.
pub(super) struct SspiCredentials(CredentialsBuffers);

/// Why there is no next message.
pub(super) struct SspiError {
    /// The KDC is unavailable, or clocks differ: a later attempt may succeed.
    pub(super) is_transient: bool,
    /// Contains no secret.
    pub(super) reason: String,
}

/// A sign-in under way.
pub(super) struct SspiContext {
    package: SspiPackage,
    needs_more: bool,
}

enum SspiPackage {
    Ntlm(Box<Ntlm>),
    Negotiate(Box<Negotiate>),
}

impl SspiCredentials {
    pub(super) fn new(windows: &Windows) -> Result<Self, WindowsSettingsError> {
        let username = Username::parse(&windows.username)
            .map_err(|_| WindowsSettingsError::Username(windows.username.clone()))?;
        Ok(Self(match &windows.secret {
            WindowsSecret::Password(password) => {
                CredentialsBuffers::AuthIdentity(AuthIdentityBuffers::from(AuthIdentity {
                    username,
                    password: password.expose().to_owned().into(),
                }))
            }
            WindowsSecret::Key(_) if windows.scheme == WindowsScheme::Ntlm => {
                return Err(WindowsSettingsError::NtlmWithKeytab);
            }
            WindowsSecret::Key(key) => CredentialsBuffers::Keytab(KeytabIdentity {
                principal: username,
                key: key.bytes().to_vec().into(),
                key_enctype: key.suite(),
            }),
        }))
    }
}

impl SspiContext {
    pub(super) fn new(windows: &Windows) -> Result<Self, SspiError> {
        let package = match windows.scheme {
            WindowsScheme::Ntlm => SspiPackage::Ntlm(Box::new(Ntlm::new())),
            WindowsScheme::Negotiate => {
                SspiPackage::Negotiate(Box::new(negotiate(windows).map_err(sspi_error)?))
            }
        };
        Ok(Self { package, needs_more: true })
    }

    /// Whether the first message completes the handshake: a Kerberos ticket does, NTLM needs a challenge.
    pub(super) fn is_single_round(&self) -> bool {
        match &self.package {
            SspiPackage::Ntlm(_) => false,
            SspiPackage::Negotiate(negotiate) => negotiate.negotiated_protocol().is_kerberos(),
        }
    }

    /// Whether the handshake continues if the server sends a challenge.
    pub(super) fn needs_more(&self) -> bool {
        self.needs_more
    }

    /// The next message. May request a ticket from a KDC meanwhile, and blocks for it.
    pub(super) fn step(
        &mut self,
        identity: &SspiCredentials,
        service: &str,
        binding: Option<&[u8]>,
        message: Option<Vec<u8>>,
    ) -> Result<Vec<u8>, SspiError> {
        let first = message.is_none();
        let mut input = vec![SecurityBuffer::new(message.unwrap_or_default(), BufferType::Token)];
        if let Some(token) = binding {
            input.push(SecurityBuffer::new(channel_bindings(token), BufferType::ChannelBindings));
        }
        let mut output = vec![SecurityBuffer::new(Vec::new(), BufferType::Token)];
        let status = match &mut self.package {
            SspiPackage::Ntlm(ntlm) => {
                let CredentialsBuffers::AuthIdentity(buffers) = &identity.0 else {
                    return Err(SspiError {
                        is_transient: false,
                        reason: "NTLM needs a password".to_owned(),
                    });
                };
                let mut handle = Some(buffers.clone());
                let mut builder = ntlm
                    .initialize_security_context()
                    .with_credentials_handle(&mut handle)
                    .with_context_requirements(ClientRequestFlags::empty())
                    .with_target_data_representation(DataRepresentation::Native)
                    .with_target_name(service)
                    .with_input(&mut input)
                    .with_output(&mut output);
                ntlm.initialize_security_context_impl(&mut builder).map_err(sspi_error)?.resolve_to_result()
            }
            SspiPackage::Negotiate(negotiate) => {
                let mut handle = Some(identity.0.clone());
                let mut builder = negotiate
                    .initialize_security_context()
                    .with_credentials_handle(&mut handle)
                    .with_context_requirements(ClientRequestFlags::empty())
                    .with_target_data_representation(DataRepresentation::Native)
                    .with_target_name(service)
                    .with_input(&mut input)
                    .with_output(&mut output);
                negotiate
                    .initialize_security_context_impl(&mut builder)
                    .map_err(sspi_error)?
                    .resolve_with_client(&KdcClient)
            }
        };
        self.needs_more = status.map_err(sspi_error)?.status == SecurityStatus::ContinueNeeded;
        let message = output.into_iter().next().map(|buffer| buffer.buffer).unwrap_or_default();
        match &self.package {
            SspiPackage::Negotiate(negotiate) if first && binding.is_some() && self.is_single_round() => {
                let key = negotiate.query_context_session_key().map_err(sspi_error)?;
                let unfit = || SspiError {
                    is_transient: false,
                    reason: "Kerberos: the channel binding cannot be added to the ticket".to_owned(),
                };
                ap_options::corrected(&message, key.session_key.as_ref()).ok_or_else(unfit)
            }
            _ => Ok(message),
        }
    }
}

fn negotiate(windows: &Windows) -> sspi::Result<Negotiate> {
    let workstation = WORKSTATION.to_owned();
    let kerberos = KerberosConfig {
        kdc_resolution: KdcResolution::KdcUrl(
            windows.kdc.as_deref().and_then(sspi::kerberos::config::parse_kdc_url),
        ),
        client_computer_name: workstation.clone(),
    };
    let (packages, config): (_, Box<dyn sspi::negotiate::ProtocolConfig>) =
        match (&windows.secret, &windows.kdc) {
            (WindowsSecret::Key(_), _) => ("kerberos", Box::new(kerberos)),
            (WindowsSecret::Password(_), Some(_)) => ("kerberos,ntlm", Box::new(kerberos)),
            // Uses Kerberos if the system's configuration has a KDC for the account's realm.
            (WindowsSecret::Password(_), None) => {
                ("kerberos,ntlm", Box::new(NtlmConfig::new(workstation.clone())))
            }
        };
    Negotiate::new_client(NegotiateConfig::new(config, Some(packages.to_owned()), workstation))
}

/// `SEC_CHANNEL_BINDINGS`: eight 32-bit fields, of which only length and offset of the application's data are set.
fn channel_bindings(token: &[u8]) -> Vec<u8> {
    const HEADER: u32 = 32;
    let mut bytes = vec![0; 24];
    bytes.extend(u32::try_from(token.len()).unwrap_or_default().to_le_bytes());
    bytes.extend(HEADER.to_le_bytes());
    bytes.extend(token);
    bytes
}

/// `sspi`'s error texts name protocol states, never secrets.
fn sspi_error(error: Error) -> SspiError {
    // A wrong clock or an unreachable KDC does not mean that the password is wrong.
    let is_transient = matches!(error.error_type, ErrorKind::NoAuthenticatingAuthority | ErrorKind::TimeSkew);
    let text = error.description.split(". Additional error").next().unwrap_or_default();
    let text: String = text.chars().take(SAID_CHARS_MAX).collect();
    SspiError { is_transient, reason: format!("{:?}: {text}", error.error_type) }
}

/// Sends requests to KDCs over TCP (RFC 4120, section 7.2.2: four bytes of length before request and response).
struct KdcClient;

impl NetworkClient for KdcClient {
    fn send(&self, request: &NetworkRequest) -> sspi::Result<Vec<u8>> {
        let unavailable = |error: std::io::Error| {
            Error::new(ErrorKind::NoAuthenticatingAuthority, format!("{}: {error}", request.url))
        };
        if request.url.scheme() != "tcp" {
            let why = format!("{}: the KDC's URL must begin with tcp://", request.url);
            return Err(Error::new(ErrorKind::NoAuthenticatingAuthority, why));
        }
        send_to_kdc(request).map_err(unavailable)
    }
}

fn send_to_kdc(request: &NetworkRequest) -> std::io::Result<Vec<u8>> {
    let host = request.url.host_str().unwrap_or_default();
    let mut stream = None;
    for address in (host, request.url.port().unwrap_or(88)).to_socket_addrs()? {
        stream = TcpStream::connect_timeout(&address, KDC_TIMEOUT).ok();
        if stream.is_some() {
            break;
        }
    }
    let mut stream = stream.ok_or(std::io::ErrorKind::ConnectionRefused)?;
    stream.set_read_timeout(Some(KDC_TIMEOUT))?;
    stream.set_write_timeout(Some(KDC_TIMEOUT))?;
    stream.write_all(&request.data)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let size = u32::from_be_bytes(length);
    if size > KDC_BYTES_MAX {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    let mut answer = length.to_vec();
    stream.take(u64::from(size)).read_to_end(&mut answer)?;
    Ok(answer)
}
