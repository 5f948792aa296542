//! Which notices a webhook receives: by kind and by room. Pure.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::super::Notice;
use crate::calendar::RoomPattern;

/// A kind of notice that webhooks receive. Its name is the `event` of the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookKind {
    /// An action ended.
    Action,
    /// A check-in was stored.
    CheckIn,
    /// A display that was lost is back.
    DisplayFound,
    /// A display has been without contact for too long.
    DisplayLost,
    /// The journal's last entry.
    JournalHead,
    /// A release is cancelled.
    ReleaseStopped,
    /// A release will follow.
    ReleaseWarning,
    /// A series reached its last strike.
    SeriesMissed,
    /// The state of a sweep changed.
    Sweep,
    /// Observe mode: a meeting would have been released.
    WouldRelease,
}

impl WebhookKind {
    /// Every kind.
    pub const ALL: [Self; 10] = [
        Self::Action,
        Self::CheckIn,
        Self::DisplayFound,
        Self::DisplayLost,
        Self::JournalHead,
        Self::ReleaseStopped,
        Self::ReleaseWarning,
        Self::SeriesMissed,
        Self::Sweep,
        Self::WouldRelease,
    ];

    /// The kind of a notice; `None` for one that only displays receive.
    pub fn of(notice: &Notice) -> Option<Self> {
        match notice {
            Notice::RoomChanged { .. } => None,
            Notice::ActionFinished { .. } => Some(Self::Action),
            Notice::CheckedIn { .. } => Some(Self::CheckIn),
            Notice::ReleaseWarning { .. } => Some(Self::ReleaseWarning),
            Notice::ReleaseStopped { .. } => Some(Self::ReleaseStopped),
            Notice::WouldRelease { .. } => Some(Self::WouldRelease),
            Notice::SeriesMissed { .. } => Some(Self::SeriesMissed),
            Notice::SweepChanged { .. } => Some(Self::Sweep),
            Notice::DisplayLost { .. } => Some(Self::DisplayLost),
            Notice::DisplayFound { .. } => Some(Self::DisplayFound),
            Notice::JournalHead { .. } => Some(Self::JournalHead),
        }
    }

    /// The name in the configuration and in bodies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Action => "action",
            Self::CheckIn => "check-in",
            Self::DisplayFound => "display-found",
            Self::DisplayLost => "display-lost",
            Self::JournalHead => "journal-head",
            Self::ReleaseStopped => "release-stopped",
            Self::ReleaseWarning => "release-warning",
            Self::SeriesMissed => "series-missed",
            Self::Sweep => "sweep",
            Self::WouldRelease => "would-release",
        }
    }
}

/// The notices that a webhook receives. The default one lets every notice through that webhooks receive.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NoticeFilter {
    /// The kinds; empty for all.
    pub kinds: Vec<WebhookKind>,
    /// Rooms, as patterns; empty for all. With patterns, only notices about at least one matching room pass, so a notice about no
    /// room does not.
    pub rooms: Vec<RoomPattern>,
}

impl NoticeFilter {
    /// Whether the notice passes.
    pub fn lets_through(&self, notice: &Notice) -> bool {
        let Some(kind) = WebhookKind::of(notice) else { return false };
        let has_kind = self.kinds.is_empty() || self.kinds.contains(&kind);
        let has_room = || notice.rooms().iter().any(|room| self.rooms.iter().any(|one| one.matches(room)));
        has_kind && (self.rooms.is_empty() || has_room())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::service::SweepState;

    fn checked_in(room: &str) -> Notice {
        let source = "panel".to_owned();
        Notice::CheckedIn { room: room.parse().unwrap(), at: DateTime::UNIX_EPOCH, source }
    }

    fn sweep(rooms: &[&str]) -> Notice {
        let rooms = Arc::new(rooms.iter().map(|room| room.parse().unwrap()).collect());
        Notice::SweepChanged {
            sweep: None,
            by: "night".to_owned(),
            rooms,
            state: SweepState::Planned,
            actions: 0,
        }
    }

    fn head() -> Notice {
        Notice::JournalHead { number: 1, hash: "00".to_owned() }
    }

    #[test]
    fn kind_and_room_both_have_to_fit() {
        let all = NoticeFilter::default();
        let kinds = vec![WebhookKind::CheckIn];
        let of_kind = NoticeFilter { kinds, rooms: Vec::new() };
        let berlin = NoticeFilter { kinds: Vec::new(), rooms: vec!["berlin-*@x.y".parse().unwrap()] };
        for (notice, expected) in [
            (checked_in("berlin-1@x.y"), [true, true, true]),
            (checked_in("paris-1@x.y"), [true, true, false]),
            (sweep(&["paris-1@x.y", "berlin-1@x.y"]), [true, false, true]),
            (sweep(&["paris-1@x.y"]), [true, false, false]),
            (head(), [true, false, false]),
            (Notice::RoomChanged { room: "berlin-1@x.y".parse().unwrap() }, [false; 3]),
        ] {
            let passes = [&all, &of_kind, &berlin].map(|filter| filter.lets_through(&notice));
            assert_eq!(passes, expected, "{notice:?}");
        }
    }

    #[test]
    fn a_kind_has_one_name_in_the_configuration_and_in_bodies() {
        for notice in [checked_in("a@x.y"), sweep(&[]), head()] {
            assert_eq!(WebhookKind::of(&notice).unwrap().as_str(), notice.kind());
        }
        for kind in WebhookKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
