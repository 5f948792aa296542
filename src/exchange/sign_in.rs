//! From the settings to the credential that says who we are.

use std::sync::Arc;

use super::ask::Asker;
use super::dial::Dialer;
use super::login::{Basic, Bearer, Credential, Issuer, Silent};
use super::settings::{Settings, SettingsError, SignIn};

/// What every connection to the server begins with.
pub(super) fn credential(
    settings: &Settings,
    dialer: &Arc<Dialer>,
) -> Result<Box<dyn Credential>, SettingsError> {
    Ok(match &settings.sign_in {
        SignIn::Basic { username, password } => Box::new(Basic::new(username, password)),
        #[cfg(feature = "negotiate")]
        SignIn::Windows(windows) => {
            let host = super::settings::Endpoint::parse(&settings.url)?.host;
            let account = super::login::Account::new(windows.clone(), &host);
            Box::new(Arc::new(account.map_err(SettingsError::SignIn)?))
        }
        SignIn::OAuth(client) => {
            super::settings::Endpoint::parse(&client.endpoint)?;
            let asker = Asker { dialer: dialer.clone(), within: settings.connect_timeout.saturating_mul(2) };
            Box::new(Bearer::new(Box::new(Issuer { client: client.clone(), asker })))
        }
        SignIn::Token(given) => Box::new(Bearer::new(Box::new(given.clone()))),
        SignIn::Certificate => Box::new(Silent),
    })
}
