//! From the settings to the credential that says who we are, towards any of a connection's servers.

use std::sync::Arc;

use super::ask::Asker;
use super::dial::Dialer;
#[cfg(feature = "negotiate")]
use super::login::{Account, Windows};
use super::login::{Basic, Bearer, Credential, Issuer, Silent};
use super::settings::{Endpoint, Settings, SettingsError, SignIn};

/// Who we are, whichever server hears it.
pub(super) enum Credentials {
    Basic(Basic),
    /// One token for all servers.
    Bearer(Bearer),
    #[cfg(feature = "negotiate")]
    Windows(Windows),
    Silent,
}

impl Credentials {
    pub(super) fn new(settings: &Settings, dialer: &Arc<Dialer>) -> Result<Self, SettingsError> {
        Ok(match &settings.sign_in {
            SignIn::Basic { username, password } => Self::Basic(Basic::new(username, password)),
            #[cfg(feature = "negotiate")]
            SignIn::Windows(windows) => {
                Account::new(windows.clone(), "").map_err(SettingsError::SignIn)?;
                Self::Windows(windows.clone())
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
            Self::Windows(windows) => {
                let account = Account::new(windows.clone(), &Endpoint::parse(url)?.host);
                Box::new(Arc::new(account.map_err(SettingsError::SignIn)?))
            }
            Self::Silent => Box::new(Silent),
        })
    }
}
