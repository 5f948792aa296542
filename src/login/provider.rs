//! Provides the credential for each server that an account signs in to. Sends nothing.

#[cfg(feature = "negotiate")]
use std::collections::HashMap;
use std::sync::Arc;
#[cfg(feature = "negotiate")]
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::method::SignInMethod;
use super::{Basic, Bearer, InstanceMetadata, TokenEndpoint};
#[cfg(feature = "negotiate")]
use super::{Windows, WindowsAccount};
use crate::http::auth::{Credential, NoAuth};
use crate::http::client::HttpClient;
use crate::http::dialer::Dialer;
use crate::http::settings::SettingsError;
use crate::http::url::ConnectTarget;

/// Hosts whose channel-binding state is kept.
#[cfg(feature = "negotiate")]
const HOSTS_MAX: usize = 64;

/// The credentials of one account, for all its servers.
pub(crate) enum CredentialProvider {
    Basic(Basic),
    /// One token cache for all servers.
    Bearer(Bearer),
    #[cfg(feature = "negotiate")]
    Windows(Windows, Mutex<HashMap<String, Arc<WindowsAccount>>>),
    NoAuth,
}

impl CredentialProvider {
    /// `token_timeout` limits one request to a token endpoint.
    pub(crate) fn new(
        method: &SignInMethod,
        dialer: &Arc<Dialer>,
        token_timeout: Duration,
    ) -> Result<Self, SettingsError> {
        Ok(match method {
            SignInMethod::Basic { username, password } => Self::Basic(Basic::new(username, password)),
            #[cfg(feature = "negotiate")]
            SignInMethod::Windows(windows) => {
                WindowsAccount::new(windows.clone(), "")
                    .map_err(|error| SettingsError::SignIn(error.into()))?;
                Self::Windows(windows.clone(), Mutex::default())
            }
            SignInMethod::OAuth(client) => {
                ConnectTarget::parse(&client.endpoint)?;
                let http = HttpClient::new(dialer.clone(), token_timeout);
                Self::Bearer(Bearer::new(Box::new(TokenEndpoint { client: client.clone(), http })))
            }
            SignInMethod::Token(token) => Self::Bearer(Bearer::new(Box::new(token.clone()))),
            SignInMethod::ManagedIdentity(identity) => {
                let source = InstanceMetadata::new(identity.clone(), token_timeout)?;
                Self::Bearer(Bearer::new(Box::new(source)))
            }
            SignInMethod::Certificate => Self::NoAuth,
        })
    }

    /// The credential for connections to this URL's server.
    #[cfg_attr(
        not(feature = "negotiate"),
        expect(unused_variables, reason = "only a Windows account depends on the server")
    )]
    pub(crate) fn for_url(&self, url: &str) -> Result<Box<dyn Credential>, SettingsError> {
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
                let account = Arc::new(
                    WindowsAccount::new(windows.clone(), &host)
                        .map_err(|error| SettingsError::SignIn(error.into()))?,
                );
                accounts.insert(host, account.clone());
                Box::new(account)
            }
            Self::NoAuth => Box::new(NoAuth),
        })
    }
}
