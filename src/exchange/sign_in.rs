//! From the settings to the credential that says who we are, towards any of a connection's servers.

#[cfg(feature = "negotiate")]
use std::collections::HashMap;
use std::sync::Arc;
#[cfg(feature = "negotiate")]
use std::sync::{Mutex, PoisonError};

use super::ask::Asker;
use super::dial::Dialer;
#[cfg(feature = "negotiate")]
use super::login::{Account, Windows};
use super::login::{Basic, Bearer, Credential, Issuer, Silent};
use super::settings::{Endpoint, Settings, SettingsError, SignIn};

/// Hosts of which it is remembered how they took a sign-in.
#[cfg(feature = "negotiate")]
const HOSTS_MAX: usize = 64;

/// Who we are, whichever server hears it.
pub(super) enum Credentials {
    Basic(Basic),
    /// One token for all servers.
    Bearer(Bearer),
    #[cfg(feature = "negotiate")]
    Windows(Windows, Mutex<HashMap<String, Arc<Account>>>),
    Silent,
}

impl Credentials {
    pub(super) fn new(settings: &Settings, dialer: &Arc<Dialer>) -> Result<Self, SettingsError> {
        Ok(match &settings.sign_in {
            SignIn::Basic { username, password } => Self::Basic(Basic::new(username, password)),
            #[cfg(feature = "negotiate")]
            SignIn::Windows(windows) => {
                Account::new(windows.clone(), "").map_err(SettingsError::SignIn)?;
                Self::Windows(windows.clone(), Mutex::default())
            }
            SignIn::OAuth(client) => {
                Endpoint::parse(&client.endpoint)?;
                let within = settings.connect_timeout.saturating_mul(2);
                let asker = Asker { dialer: dialer.clone(), within };
                Self::Bearer(Bearer::new(Box::new(Issuer { client: client.clone(), asker })))
            }
            SignIn::Token(given) => Self::Bearer(Bearer::new(Box::new(given.clone()))),
            SignIn::Certificate => Self::Silent,
        })
    }

    /// What a connection to this URL's server begins with.
    #[cfg_attr(not(feature = "negotiate"), allow(unused_variables))]
    pub(super) fn towards(&self, url: &str) -> Result<Box<dyn Credential>, SettingsError> {
        Ok(match self {
            Self::Basic(basic) => Box::new(basic.clone()),
            Self::Bearer(bearer) => Box::new(bearer.clone()),
            #[cfg(feature = "negotiate")]
            Self::Windows(windows, accounts) => {
                let host = Endpoint::parse(url)?.host;
                let mut accounts = accounts.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(known) = accounts.get(&host) {
                    return Ok(Box::new(known.clone()));
                }
                if accounts.len() >= HOSTS_MAX {
                    accounts.clear();
                }
                let account = Arc::new(Account::new(windows.clone(), &host).map_err(SettingsError::SignIn)?);
                accounts.insert(host, account.clone());
                Box::new(account)
            }
            Self::Silent => Box::new(Silent),
        })
    }
}
