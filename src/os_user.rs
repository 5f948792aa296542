//! Who runs a process, as the operating system knows it: the account, the person that signed in to it, and the host from which the
//! person came. Reads the kernel's facts and files that root wrote, and no environment variable (`USER`, `SUDO_USER`,
//! `SSH_CONNECTION`), which any user can set. What the system does not know is absent.
//!
//! | fact | source |
//! | --- | --- |
//! | account | `geteuid`, or `SO_PEERCRED` of a Unix socket |
//! | person | `/proc/self/loginuid`, which PAM sets at a sign-in and which `sudo` and `su` leave; where the kernel has none, the nearest parent process of another user than root |
//! | host | `/proc/self/sessionid`, and systemd-logind's file of that session |

use serde::{Deserialize, Serialize};

/// Who runs a process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct OsUser {
    /// The account whose rights the process has. `None`: the system has no user ids.
    pub(crate) uid: Option<u32>,
    /// Who signed in to use it.
    pub(crate) login: Login,
    /// Whether the process at the other end of a socket says so, and this machine's kernel does not.
    pub(crate) is_claimed: bool,
}

/// The texts with which the audit names a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NamedUser {
    /// See [`OsUser::name`].
    pub(crate) name: String,
    /// See [`OsUser::origin`].
    pub(crate) origin: Option<String>,
}

/// A sign-in to the machine, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct Login {
    /// The account to which the person signed in.
    pub(crate) uid: Option<u32>,
    /// The host from which the person signed in over SSH.
    pub(crate) ssh_host: Option<String>,
}

impl Login {
    /// The same without a host that is none: another process has sent it.
    pub(crate) fn checked(self) -> Self {
        Self { ssh_host: self.ssh_host.filter(|host| is_host(host)), ..self }
    }
}

/// Whether a text can be a DNS name or an IP address.
fn is_host(text: &str) -> bool {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b".:-%_".contains(&byte);
    (1..=HOST_CHARS_MAX).contains(&text.len()) && text.bytes().all(is_safe)
}

/// Characters of a host: a DNS name has no more.
const HOST_CHARS_MAX: usize = 253;

impl OsUser {
    /// Who runs this process.
    #[cfg(unix)]
    pub(crate) fn current() -> Self {
        let uid = Some(rustix::process::geteuid().as_raw());
        Self { uid, login: Login::current(), is_claimed: false }
    }

    #[cfg(not(unix))]
    pub(crate) fn current() -> Self {
        Self::default()
    }

    /// The login name of the person; where it is not known, that of the account.
    pub(crate) fn name(&self) -> String {
        self.named(login_name).name
    }

    /// What the name does not show: the account, and the host. Such as `uid 0 (root), ssh from 192.0.2.7`.
    pub(crate) fn origin(&self) -> Option<String> {
        self.named(login_name).origin
    }

    /// Both, with the names of the account database, which may be a server on the network: this blocks.
    pub(crate) fn with_login_names(&self) -> NamedUser {
        self.named(login_name)
    }

    /// Both, with numbers alone.
    pub(crate) fn with_numbers(&self) -> NamedUser {
        self.named(number_name)
    }

    fn named(&self, name_of: fn(u32) -> String) -> NamedUser {
        let is_person = self.login.uid.is_none_or(|person| Some(person) == self.uid);
        let account = self.uid.map(|uid| match is_person {
            true => format!("uid {uid}"),
            false => format!("uid {uid} ({})", name_of(uid)),
        });
        let host = self.login.ssh_host.as_ref().map(|host| format!("ssh from {host}"));
        let parts: Vec<_> = account.into_iter().chain(host).collect();
        let claimed = if self.is_claimed { " (claimed)" } else { "" };
        NamedUser {
            name: self.login.uid.or(self.uid).map_or_else(unproven_name, name_of),
            origin: (!parts.is_empty()).then(|| parts.join(", ") + claimed),
        }
    }
}

/// The login name of an account; `uid 1000` where the system has no name for it.
#[cfg(unix)]
fn login_name(uid: u32) -> String {
    let user = uzers::get_user_by_uid(uid);
    user.map_or_else(|| number_name(uid), |user| user.name().to_string_lossy().into_owned())
}

#[cfg(not(unix))]
fn login_name(uid: u32) -> String {
    number_name(uid)
}

fn number_name(uid: u32) -> String {
    format!("uid {uid}")
}

/// The name where the system has no user ids.
fn unproven_name() -> String {
    std::env::var("USERNAME").unwrap_or_else(|_| "unknown".to_owned())
}

#[cfg(not(target_os = "linux"))]
impl Login {
    fn current() -> Self {
        Self::default()
    }
}

#[cfg(target_os = "linux")]
pub(crate) use linux::login_uid;

#[cfg(target_os = "linux")]
mod linux {
    use std::fs::File;
    use std::io::Read as _;
    use std::os::unix::fs::MetadataExt as _;
    use std::path::Path;

    use super::{Login, is_host};

    /// The kernel's value for "not set" of user ids and session ids.
    const UNSET: u32 = u32::MAX;
    /// The user id that the kernel shows for one that this user namespace does not have (`/proc/sys/kernel/overflowuid`).
    const OVERFLOW_UID: u32 = 65_534;
    /// Bytes of a file about a process or a session; they have less than two thousand.
    const FILE_BYTES_MAX: u64 = 16 << 10;
    /// Parent processes that are looked at. A shell under `sudo` in a terminal has about ten.
    const PARENTS_MAX: usize = 32;
    /// Where systemd-logind keeps its sessions. `sd_session_get_remote_host(3)` reads the same files.
    const SESSIONS: &str = "/run/systemd/sessions";

    impl Login {
        pub(super) fn current() -> Self {
            let account = rustix::process::geteuid().as_raw();
            let uid = login_uid("self").or_else(|| parent_of_another_user(account));
            Self { uid, ssh_host: ssh_host() }
        }
    }

    /// The user id with which a process signed in. `process` is its id, or `self`.
    pub(crate) fn login_uid(process: &str) -> Option<u32> {
        number(&read(format!("/proc/{process}/loginuid"))?).filter(|uid| *uid != OVERFLOW_UID)
    }

    /// The user of the nearest parent process that is neither root's nor this account's. Only that user can have started this process.
    fn parent_of_another_user(account: u32) -> Option<u32> {
        let mut process = rustix::process::getppid()?.as_raw_nonzero().get();
        for _ in 0..PARENTS_MAX {
            let status = read(format!("/proc/{process}/status"))?;
            let user = number(field(&status, "Uid:")?)?;
            if ![0, account, OVERFLOW_UID].contains(&user) {
                return Some(user);
            }
            process = field(&status, "PPid:")?.parse().ok()?;
        }
        None
    }

    /// The host of this process's SSH session, by the file of a session that root wrote.
    fn ssh_host() -> Option<String> {
        let session = number(&read("/proc/self/sessionid")?)?;
        let path = Path::new(SESSIONS).join(session.to_string());
        let is_of_root = std::fs::symlink_metadata(&path).is_ok_and(|file| file.is_file() && file.uid() == 0);
        host_of_session(&is_of_root.then(|| read(path))??)
    }

    fn host_of_session(session: &str) -> Option<String> {
        let value = |name| session.lines().find_map(|line| line.strip_prefix(name));
        let host = value("REMOTE_HOST=").filter(|_| value("SERVICE=") == Some("sshd"))?;
        is_host(host).then(|| host.to_owned())
    }

    /// The first value after a name in `/proc/PID/status`.
    fn field<'t>(status: &'t str, name: &str) -> Option<&'t str> {
        status.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()
    }

    fn number(text: &str) -> Option<u32> {
        text.trim().parse().ok().filter(|number| *number != UNSET)
    }

    fn read(path: impl AsRef<Path>) -> Option<String> {
        let mut text = String::new();
        File::open(path).ok()?.take(FILE_BYTES_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_session_of_ssh_alone_names_its_host() {
            let session = |service: &str, host: &str| {
                format!("UID=1000\nREMOTE=1\nREMOTE_HOST={host}\nSERVICE={service}\n")
            };
            for host in ["192.0.2.7", "2001:db8::7", "fe80::1%eth0", "desk.example.com"] {
                assert_eq!(host_of_session(&session("sshd", host)).as_deref(), Some(host));
            }
            for (service, host) in
                [("login", "192.0.2.7"), ("sshd", ""), ("sshd", "a\u{1b}[31m"), ("sshd", "a b")]
            {
                assert_eq!(host_of_session(&session(service, host)), None, "{service} {host}");
            }
            assert_eq!(host_of_session("UID=1000\nSERVICE=sshd\n"), None);
        }

        #[test]
        fn an_id_that_is_not_set_is_no_user() {
            assert_eq!(number("1000\n"), Some(1_000));
            for text in ["4294967295", "", "x", "-1"] {
                assert_eq!(number(text), None, "{text}");
            }
        }

        #[test]
        fn a_status_has_the_parent_and_the_real_user() {
            let status = "Name:\tsh\nPid:\t7\nPPid:\t6\nUid:\t1000\t0\t0\t0\n";
            assert_eq!((field(status, "PPid:"), field(status, "Uid:")), (Some("6"), Some("1000")));
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn user(uid: u32, login: Option<u32>, host: Option<&str>) -> OsUser {
        let login = Login { uid: login, ssh_host: host.map(str::to_owned) };
        OsUser { uid: Some(uid), login, is_claimed: false }
    }

    #[test]
    fn the_person_is_named_and_the_account_stands_beside_it() {
        let root = user(0, None, None);
        assert_eq!((root.name().as_str(), root.origin().as_deref()), ("root", Some("uid 0")));
        let sudo = user(0, Some(4_000_000), Some("192.0.2.7"));
        assert_eq!(sudo.name(), "uid 4000000", "an account without a name");
        assert_eq!(sudo.origin().as_deref(), Some("uid 0 (root), ssh from 192.0.2.7"));
        assert_eq!(sudo.with_numbers().origin.as_deref(), Some("uid 0 (uid 0), ssh from 192.0.2.7"));
        let claimed = OsUser { is_claimed: true, ..sudo };
        assert_eq!(claimed.origin().as_deref(), Some("uid 0 (root), ssh from 192.0.2.7 (claimed)"));
        let same = user(4_000_000, Some(4_000_000), None);
        assert_eq!(same.origin().as_deref(), Some("uid 4000000"));
    }

    #[test]
    fn this_process_has_a_user() {
        let user = OsUser::current();
        assert_eq!(user.uid, Some(rustix::process::geteuid().as_raw()));
        assert!(!user.name().is_empty() && user.origin().is_some_and(|origin| origin.starts_with("uid ")));
    }
}
