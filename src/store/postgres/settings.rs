//! Reads the connection text of the administrator, and adds what the text leaves open: time limits, keepalives, and a server that
//! accepts writes. Never prints the text, which has a password.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::error::PostgresError;
use crate::secret::Secret;

/// How to reach the database, and what to demand from it.
#[derive(Debug, Clone)]
pub struct PostgresSettings {
    /// `postgres://USER:PASSWORD@HOST1,HOST2/DATABASE`, or PostgreSQL's form `host=… user=… password=… dbname=…`.
    pub url: Secret,
    /// The name of this process, for people: in the table of writers, and in PostgreSQL's list of connections.
    pub name: String,
    /// PEM file with certificates that are trusted besides those of the platform.
    pub ca_file: Option<PathBuf>,
    /// Also use a database that may lose stored entries after a crash or a failover.
    pub accept_loss: bool,
}

/// Time limit of one connection attempt to one host.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// A silent connection is probed after this time …
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
/// … this often …
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
/// … and is dead after so many probes without an answer.
const KEEPALIVE_RETRIES: u32 = 3;
/// A connection is dead if sent data is not acknowledged within this time.
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(6);

impl PostgresSettings {
    /// The settings of the client library.
    pub(super) fn config(&self) -> Result<Config, PostgresError> {
        let mut config: Config = self.url.expose().parse().map_err(|_| PostgresError::ConnectionText)?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(PostgresError::ConnectionText);
        }
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        config.keepalives(true).keepalives_idle(KEEPALIVE_IDLE);
        config.keepalives_interval(KEEPALIVE_INTERVAL).keepalives_retries(KEEPALIVE_RETRIES);
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(TCP_USER_TIMEOUT);
        }
        // `prefer` would send everything in the clear to a server that offers no TLS.
        if config.get_ssl_mode() == SslMode::Prefer && !is_on_this_machine(&config) {
            config.ssl_mode(SslMode::Require);
        }
        Ok(config)
    }
}

fn is_on_this_machine(config: &Config) -> bool {
    let is_local = |host: &Host| match host {
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => true,
    };
    config.get_hosts().iter().all(is_local) && config.get_hostaddrs().iter().all(IpAddr::is_loopback)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(url: &str) -> Result<Config, PostgresError> {
        let (url, name) = (Secret::new(url.to_owned()), "door".to_owned());
        PostgresSettings { url, name, ca_file: None, accept_loss: false }.config()
    }

    #[test]
    fn an_error_in_the_connection_text_shows_nothing_of_it() {
        for text in
            ["postgres://ada:swordfish@[::1/x", "host=db password=sword fish=1", "host=db port=swordfish"]
        {
            let error = config(text).unwrap_err();
            assert!(matches!(error, PostgresError::ConnectionText), "{error}");
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("sword") && !shown.contains("fish"), "{shown}");
        }
        assert!(matches!(config("user=ada"), Err(PostgresError::ConnectionText)), "without a host");
    }

    #[test]
    fn a_connection_to_another_machine_needs_tls_unless_the_text_forbids_it() {
        let mode = |text: &str| config(text).unwrap().get_ssl_mode();
        assert_eq!(mode("postgres://u:p@db.example.com/d"), SslMode::Require);
        assert_eq!(mode("postgres://u:p@127.0.0.1,db.example.com/d"), SslMode::Require);
        assert_eq!(mode("postgres://u:p@127.0.0.1/d"), SslMode::Prefer);
        assert_eq!(mode("postgres://u:p@localhost/d"), SslMode::Prefer);
        assert_eq!(mode("postgres://u:p@db.example.com/d?sslmode=disable"), SslMode::Disable);
    }

    #[test]
    fn a_server_that_accepts_writes_is_chosen_whatever_the_text_says() {
        let config = config("host=a,b user=u target_session_attrs=any").unwrap();
        assert_eq!(config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        assert_eq!(config.get_hosts().len(), 2);
    }
}
