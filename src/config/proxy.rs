//! The HTTP proxy of a connection: checks its keys, and reads its password when the connection opens.

use super::error::{ConfigError, SourceText};
use super::file::{self, Located};
use super::secrets::{SecretError, SecretResolver, SecretSource};
use crate::http::settings::ProxySettings;
use crate::http::url::has_userinfo;

pub(super) fn check_proxy(
    source: &SourceText<'_>,
    proxy: &Located<file::ProxySection>,
) -> Result<ProxySettings<SecretSource>, ConfigError> {
    let file = proxy.get_ref();
    if has_userinfo(&file.url) {
        return Err(source
            .error_at(proxy, "write user name and password as keys of their own beside the url, not in it"));
    }
    let login = match (&file.username, &file.password) {
        (None, None) => None,
        (Some(username), Some(password)) => Some((username.clone(), password.clone())),
        _ => return Err(source.error_at(proxy, "set username and password, or neither")),
    };
    Ok(ProxySettings { url: file.url.clone(), login })
}

pub(super) fn read_proxy(
    proxy: &ProxySettings<SecretSource>,
    secrets: &dyn SecretResolver,
) -> Result<ProxySettings, SecretError> {
    let login = match &proxy.login {
        None => None,
        Some((username, password)) => {
            Some((username.clone(), secrets.read("password of the proxy", password)?))
        }
    };
    Ok(ProxySettings { url: proxy.url.clone(), login })
}
