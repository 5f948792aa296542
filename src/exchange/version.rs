//! The EWS schema version for each room's server: the preferred one, or an older one if the server does not support it.
//! Learned from responses and kept while the process runs; sends no request of its own.
//!
//! A request in an older version omits what that version lacks. During a migration an organization may run servers of
//! several versions, so the version that one room's server needs becomes the default only while no room has been
//! answered in the current default.

use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::calendar::RoomAddress;
use crate::ews::soap::{ServerVersion, ServerVersionInfo};
use crate::throttle::RoomState;

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
}

impl NegotiatedVersions {
    pub(super) fn new(preferred: ServerVersion) -> Self {
        Self { preferred, state: Mutex::new(VersionState { default: preferred, proven: false, build: None }) }
    }

    /// Schema version of the next request for a room.
    pub(super) fn for_room(&self, room: &RoomState) -> ServerVersion {
        room.version().unwrap_or_else(|| self.state().default)
    }

    /// Records that the room's server does not support this version; returns whether there is an older one to try.
    pub(super) fn downgrade(
        &self,
        (room, state): (&RoomAddress, &RoomState),
        version: ServerVersion,
    ) -> bool {
        let Some(older) = ServerVersion::ALL.into_iter().rev().find(|other| *other < version) else {
            return false;
        };
        tracing::info!(
            room = room.as_str(),
            refused = version.as_str(),
            next = older.as_str(),
            "the server does not support this EWS schema version; trying an older one"
        );
        let mut connection = self.state();
        match connection.proven {
            true => state.limit_version(older),
            false => connection.default = connection.default.min(older),
        }
        true
    }

    /// Records the build of a server that answered in this version. After an upgrade its rooms return to the preferred
    /// version.
    pub(super) fn observe(
        &self,
        room: &RoomState,
        version: ServerVersion,
        server: Option<&ServerVersionInfo<'_>>,
    ) {
        let newest = server.and_then(newest_of).map(|newest| newest.min(self.preferred));
        let mut state = self.state();
        state.build = server.and_then(build_text).or(state.build.take());
        let newer = newest.filter(|newest| *newest > version);
        if version == state.default && newer.is_none() {
            state.proven = true;
            return;
        }
        let Some(newer) = newer else { return };
        if !room.forget_version() && version == state.default {
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

    /// Two rooms of one connection.
    struct Rooms {
        address: RoomAddress,
        a: RoomState,
        b: RoomState,
    }

    fn rooms() -> Rooms {
        Rooms { address: "a@example.com".parse().unwrap(), a: RoomState::new(1), b: RoomState::new(1) }
    }

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
        let (versions, Rooms { address, a, b }) = (NegotiatedVersions::new(Exchange2013Sp1), rooms());
        assert!(
            versions.downgrade((&address, &a), Exchange2013Sp1)
                && versions.downgrade((&address, &a), Exchange2013)
        );
        versions.observe(&a, Exchange2010Sp2, Some(&build(14, 3, 123)));
        assert_eq!((versions.for_room(&a), versions.for_room(&b)), (Exchange2010Sp2, Exchange2010Sp2));
        assert!(!versions.downgrade((&address, &a), Exchange2010Sp2), "there is nothing older to ask in");
    }

    #[test]
    fn one_old_server_of_a_newer_site_is_its_own_rooms_matter() {
        let (versions, Rooms { address, a, b }) = (NegotiatedVersions::new(Exchange2013Sp1), rooms());
        versions.observe(&a, Exchange2013Sp1, Some(&build(15, 2, 2562)));
        assert!(versions.downgrade((&address, &b), Exchange2013Sp1));
        assert_eq!((versions.for_room(&a), versions.for_room(&b)), (Exchange2013Sp1, Exchange2013));
        assert!(versions.downgrade((&address, &b), Exchange2013Sp1), "a request that was under way already");
        assert_eq!(versions.for_room(&b), Exchange2013);
    }

    #[test]
    fn what_was_upgraded_or_moved_is_spoken_to_in_the_preferred_version_again() {
        let (versions, Rooms { address, a, b }) = (NegotiatedVersions::new(Exchange2013Sp1), rooms());
        assert!(versions.downgrade((&address, &a), Exchange2013Sp1));
        versions.observe(&a, Exchange2013, Some(&build(15, 0, 516)));
        versions.observe(&a, Exchange2013, Some(&build(15, 2, 2562)));
        assert_eq!(versions.for_room(&b), Exchange2013Sp1, "and never in a newer one");
        versions.observe(&a, Exchange2013Sp1, Some(&build(15, 2, 2562)));
        assert!(versions.downgrade((&address, &b), Exchange2013Sp1));
        versions.observe(&b, Exchange2013, Some(&build(15, 2, 2562)));
        assert_eq!(versions.for_room(&b), Exchange2013Sp1);
    }
}
