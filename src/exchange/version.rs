//! The EWS schema version for each room's server: the preferred one, or an older one if the server does not support it.
//! Learned from responses and kept while the process runs; sends no request of its own.
//!
//! A request in an older version omits what that version lacks. During a migration an organization may run servers of
//! several versions, so the version that one room's server needs becomes the default only while no room has been
//! answered in the current default.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::ews::soap::{ServerVersion, ServerVersionInfo};

/// Rooms whose servers are older than the others'; with more, they are learned anew at the cost of one rejected request
/// each.
pub(super) const ROOMS_KEPT: usize = 10_000;

/// Schema versions of the servers of one connection.
#[derive(Debug)]
pub(super) struct NegotiatedVersions {
    preferred: ServerVersion,
    state: Mutex<VersionState>,
}

#[derive(Debug)]
struct VersionState {
    default: ServerVersion,
    /// A server has answered in the default version.
    proven: bool,
    /// Build of the server that answered last.
    build: Option<String>,
    /// Rooms whose requests use an older version.
    rooms: HashMap<String, ServerVersion>,
}

impl NegotiatedVersions {
    pub(super) fn new(preferred: ServerVersion) -> Self {
        Self {
            preferred,
            state: Mutex::new(VersionState {
                default: preferred,
                proven: false,
                build: None,
                rooms: HashMap::new(),
            }),
        }
    }

    /// Schema version of the next request for a room.
    pub(super) fn for_room(&self, room: &str) -> ServerVersion {
        let state = self.state();
        state.rooms.get(room).copied().unwrap_or(state.default)
    }

    /// Records that the room's server does not support this version; returns whether there is an older one to try.
    pub(super) fn downgrade(&self, room: &str, version: ServerVersion) -> bool {
        let Some(older) = ServerVersion::ALL.into_iter().rev().find(|other| *other < version) else {
            return false;
        };
        tracing::info!(
            room,
            refused = version.as_str(),
            next = older.as_str(),
            "the server does not support this EWS schema version; trying an older one"
        );
        let mut state = self.state();
        if !state.proven {
            state.default = state.default.min(older);
            return true;
        }
        if state.rooms.len() >= ROOMS_KEPT {
            state.rooms.clear();
        }
        state.rooms.entry(room.to_owned()).and_modify(|kept| *kept = older.min(*kept)).or_insert(older);
        true
    }

    /// Records the build of a server that answered in this version. After an upgrade its rooms return to the preferred
    /// version.
    pub(super) fn observe(&self, room: &str, version: ServerVersion, server: Option<&ServerVersionInfo<'_>>) {
        let newest = server.and_then(newest_of).map(|newest| newest.min(self.preferred));
        let mut state = self.state();
        state.build = server.and_then(build_text).or(state.build.take());
        let newer = newest.filter(|newest| *newest > version);
        if version == state.default && newer.is_none() {
            state.proven = true;
            return;
        }
        let Some(newer) = newer else { return };
        if state.rooms.remove(room).is_none() && version == state.default {
            (state.default, state.proven) = (newer, false);
        }
    }

    /// Build of the server that answered last, as `15.2.1748.10`.
    pub(super) fn build(&self) -> Option<String> {
        self.state().build.clone()
    }

    /// No code panics while holding the lock; the state would be valid all the same.
    fn state(&self) -> MutexGuard<'_, VersionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build_text(server: &ServerVersionInfo<'_>) -> Option<String> {
    let (major, minor) = (server.major?, server.minor?);
    let (build, revision) = (server.major_build.unwrap_or_default(), server.minor_build.unwrap_or_default());
    Some(format!("{major}.{minor}.{build}.{revision}"))
}

/// The newest of our schema versions that a build supports ("Exchange Server build numbers and release dates": 14.2 is
/// 2010 SP2, 15.0 is 2013 and its build 847 SP1, 15.1 and later are 2016, 2019, SE and Online); `None` for older
/// builds.
fn newest_of(server: &ServerVersionInfo<'_>) -> Option<ServerVersion> {
    match (server.major?, server.minor?, server.major_build.unwrap_or_default()) {
        (..14, ..) | (14, ..2, _) => None,
        (14, ..) => Some(ServerVersion::Exchange2010Sp2),
        (15, 0, ..847) => Some(ServerVersion::Exchange2013),
        (15, 0, _) => Some(ServerVersion::Exchange2013Sp1),
        _ => Some(ServerVersion::Exchange2016),
    }
}

#[cfg(test)]
mod tests {
    use super::ServerVersion::{Exchange2010Sp2, Exchange2013, Exchange2013Sp1, Exchange2016};
    use super::*;

    const A: &str = "a@example.com";
    const B: &str = "b@example.com";

    fn build(major: u32, minor: u32, build: u32) -> ServerVersionInfo<'static> {
        let (major, minor, major_build) = (Some(major), Some(minor), Some(build));
        ServerVersionInfo { major, minor, major_build, ..ServerVersionInfo::default() }
    }

    #[test]
    fn builds_speak_what_they_speak() {
        let rows = [
            ((8, 3, 83), None),
            ((14, 1, 438), None),
            ((14, 3, 123), Some(Exchange2010Sp2)),
            ((15, 0, 516), Some(Exchange2013)),
            ((15, 0, 1497), Some(Exchange2013Sp1)),
            ((15, 2, 2562), Some(Exchange2016)),
            ((15, 20, 9000), Some(Exchange2016)),
        ];
        for ((major, minor, number), newest) in rows {
            assert_eq!(newest_of(&build(major, minor, number)), newest, "{major}.{minor}.{number}");
        }
        assert_eq!(newest_of(&ServerVersionInfo::default()), None);
    }

    #[test]
    fn an_old_site_is_learnt_once_for_all_its_rooms() {
        let versions = NegotiatedVersions::new(Exchange2013Sp1);
        assert!(versions.downgrade(A, Exchange2013Sp1) && versions.downgrade(A, Exchange2013));
        versions.observe(A, Exchange2010Sp2, Some(&build(14, 3, 123)));
        assert_eq!((versions.for_room(A), versions.for_room(B)), (Exchange2010Sp2, Exchange2010Sp2));
        assert!(!versions.downgrade(A, Exchange2010Sp2), "there is nothing older to ask in");
    }

    #[test]
    fn one_old_server_of_a_newer_site_is_its_own_rooms_matter() {
        let versions = NegotiatedVersions::new(Exchange2013Sp1);
        versions.observe(A, Exchange2013Sp1, Some(&build(15, 2, 2562)));
        assert!(versions.downgrade(B, Exchange2013Sp1));
        assert_eq!((versions.for_room(A), versions.for_room(B)), (Exchange2013Sp1, Exchange2013));
        assert!(versions.downgrade(B, Exchange2013Sp1), "a request that was under way already");
        assert_eq!(versions.for_room(B), Exchange2013);
    }

    #[test]
    fn what_was_upgraded_or_moved_is_spoken_to_in_the_preferred_version_again() {
        let versions = NegotiatedVersions::new(Exchange2013Sp1);
        assert!(versions.downgrade(A, Exchange2013Sp1));
        versions.observe(A, Exchange2013, Some(&build(15, 0, 516)));
        versions.observe(A, Exchange2013, Some(&build(15, 2, 2562)));
        assert_eq!(versions.for_room(B), Exchange2013Sp1, "and never in a newer one");
        versions.observe(A, Exchange2013Sp1, Some(&build(15, 2, 2562)));
        assert!(versions.downgrade(B, Exchange2013Sp1));
        versions.observe(B, Exchange2013, Some(&build(15, 2, 2562)));
        assert_eq!(versions.for_room(B), Exchange2013Sp1);
    }

    #[test]
    fn it_remembers_so_many_rooms_and_no_more() {
        let versions = NegotiatedVersions::new(Exchange2016);
        versions.observe(A, Exchange2016, None);
        for number in 0..=ROOMS_KEPT {
            versions.downgrade(&number.to_string(), Exchange2016);
        }
        assert!(versions.state().rooms.len() <= ROOMS_KEPT);
    }
}
