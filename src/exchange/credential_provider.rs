//! Provides the credential for each of a connection's servers, made of the settings. Sends nothing.

#[cfg(feature = "negotiate")]
use std::collections::HashMap;
use std::sync::Arc;
#[cfg(feature = "negotiate")]
use std::sync::{Mutex, PoisonError};

use super::dial::Dialer;
use super::login::{Basic, Bearer, Credential, NoAuth, TokenEndpoint};
#[cfg(feature = "negotiate")]
use super::login::{Windows, WindowsAccount};
use super::one_shot::OneShotClient;
use super::settings::{ConnectTarget, Settings, SettingsError, SignInMethod};

/// Hosts whose channel-binding state is kept.
#[cfg(feature = "negotiate")]
const HOSTS_MAX: usize = 64;

/// The credentials of one connection, for all its servers.
pub(super) enum CredentialProvider {
    Basic(Basic),
    /// One token cache for all servers.
    Bearer(Bearer),
    #[cfg(feature = "negotiate")]
    Windows(Windows, Mutex<HashMap<String, Arc<WindowsAccount>>>),
    NoAuth,
}

impl CredentialProvider {
    pub(super) fn new(settings: &Settings, dialer: &Arc<Dialer>) -> Result<Self, SettingsError> {
        Ok(match &settings.sign_in {
            SignInMethod::Basic { username, password } => Self::Basic(Basic::new(username, password)),
            #[cfg(feature = "negotiate")]
            SignInMethod::Windows(windows) => {
                WindowsAccount::new(windows.clone(), "").map_err(SettingsError::SignIn)?;
                Self::Windows(windows.clone(), Mutex::default())
            }
            SignInMethod::OAuth(client) => {
                ConnectTarget::parse(&client.endpoint)?;
                let within = settings.connect_timeout.saturating_mul(2);
                let http = OneShotClient { dialer: dialer.clone(), timeout: within };
                Self::Bearer(Bearer::new(Box::new(TokenEndpoint { client: client.clone(), http })))
            }
            SignInMethod::Token(token) => Self::Bearer(Bearer::new(Box::new(token.clone()))),
            SignInMethod::Certificate => Self::NoAuth,
        })
    }

    /// The credential for connections to this URL's server.
    #[cfg_attr(
        not(feature = "negotiate"),
        expect(unused_variables, reason = "only a Windows account depends on the server")
    )]
    pub(super) fn for_url(&self, url: &str) -> Result<Box<dyn Credential>, SettingsError> {
        Ok(match self {
            Self::Basic(basic) => Box::new(basic.clone()),
            Self::Bearer(bearer) => Box::new(bearer.clone()),
            #[cfg(feature = "negotiate")]
            Self::Windows(windows, accounts) => {
                let host = ConnectTarget::parse(url)?.host;
                let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(known) = accounts.get(&host) {
                    return Ok(Box::new(known.clone()));
                }
                if accounts.len() >= HOSTS_MAX {
                    accounts.clear();
                }
                let account =
                    Arc::new(WindowsAccount::new(windows.clone(), &host).map_err(SettingsError::SignIn)?);
                accounts.insert(host, account.clone());
                Box::new(account)
            }
            Self::NoAuth => Box::new(NoAuth),
        })
    }
}
