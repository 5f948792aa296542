//! The caller behind the service's Unix socket, in the extensions of each request: root, or the service's own user. Accepts no API key.

use std::time::Duration;

use axum::http::HeaderMap;
use tokio::sync::Semaphore;

use crate::os_user::{Login, NamedUser, OsUser};

/// The header in which the command line sends who signed in to use it, as JSON. The service believes it over the socket alone: root
/// and the service's own user can change the journal's files anyway, and under `ProtectProc=invisible` the service cannot see it.
pub(crate) const LOGIN_HEADER: &str = "adjourn-login";

/// Connections of the socket that are kept for their requests: commands of a few people at the same time.
pub(super) const LOCAL_CONNECTIONS: usize = 64;

/// How long a request waits for the names of accounts.
const NAMES_TIMEOUT: Duration = Duration::from_secs(2);

/// Threads that read names of accounts at once, so that a directory server that hangs holds no more.
static LOOKUPS: Semaphore = Semaphore::const_new(4);

/// The process at the other end of the socket.
#[derive(Debug, Clone, Copy)]
pub(super) struct LocalPeer {
    /// Its effective user, by `SO_PEERCRED`.
    pub(super) uid: u32,
    /// Its process id, by `SO_PEERCRED`.
    pub(super) process: Option<i32>,
}

impl LocalPeer {
    /// Who runs the process. What the kernel shows of its sign-in counts more than what the header claims, and a claim is marked as one.
    pub(super) fn user(self, headers: &HeaderMap) -> OsUser {
        let sent = headers.get(LOGIN_HEADER).and_then(|sent| serde_json::from_slice(sent.as_bytes()).ok());
        let sent = sent.map_or_else(Login::default, Login::checked);
        let known = self.login_uid();
        let says_more = sent.uid.is_some_and(|uid| uid != self.uid) || sent.ssh_host.is_some();
        let is_claimed = known.is_none() && says_more;
        let login = Login { uid: known.or(sent.uid), ..sent };
        OsUser { uid: Some(self.uid), login, is_claimed }
    }

    /// The names of that user. A directory server that does not answer delays no request for longer than [`NAMES_TIMEOUT`]: the audit
    /// then has the numbers.
    pub(super) async fn named(user: &OsUser) -> NamedUser {
        let asked = user.clone();
        let look_up = async {
            let permit = LOOKUPS.acquire().await.ok()?;
            let names = tokio::task::spawn_blocking(move || {
                // Held by the thread, which a timeout does not end.
                let _permit = permit;
                asked.with_login_names()
            });
            names.await.ok()
        };
        let names = tokio::time::timeout(NAMES_TIMEOUT, look_up).await.ok().flatten();
        names.unwrap_or_else(|| user.with_numbers())
    }

    /// The process waits for its answer, so its id is not used again meanwhile. One that ended at once leaves a wrong uid at most: of a
    /// process that root or the service's user began.
    #[cfg(target_os = "linux")]
    fn login_uid(self) -> Option<u32> {
        crate::os_user::login_uid(&self.process?.to_string())
    }

    #[cfg(not(target_os = "linux"))]
    fn login_uid(self) -> Option<u32> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_in_that_only_the_header_has_is_claimed() {
        let peer = LocalPeer { uid: 7, process: None };
        let user = |sent: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(LOGIN_HEADER, sent.parse().unwrap());
            peer.user(&headers)
        };
        for (sent, is_claimed) in [
            (r#"{"uid":4000000,"ssh_host":null}"#, true),
            (r#"{"uid":null,"ssh_host":"192.0.2.7"}"#, true),
            (r#"{"uid":7,"ssh_host":"192.0.2.7"}"#, true),
            (r#"{"uid":7,"ssh_host":null}"#, false),
            (r#"{"uid":null,"ssh_host":null}"#, false),
            ("no JSON", false),
        ] {
            assert_eq!(user(sent).is_claimed, is_claimed, "{sent}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn where_no_name_comes_in_time_the_number_stands_for_it() {
        let user = OsUser { uid: Some(4_000_000), ..OsUser::default() };
        let _hanging = LOOKUPS.acquire_many(4).await.unwrap();
        assert_eq!(LocalPeer::named(&user).await, user.with_numbers());
    }
}
