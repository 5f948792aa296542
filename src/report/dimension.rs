//! The ways to break the figures of a report down. Values only.

/// Limit on the rows of a report in memory, and on the rooms whose facts are remembered: twice as many as the rooms of a large
/// organization. Actions of further rows are summed up together.
pub(crate) const ROWS_MAX: usize = 20_000;

/// How the rows of a report are grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Dimension {
    /// The room.
    Room,
    /// The room group of the configuration. A room may be in several.
    Group,
    /// The weekday on which the event starts, in the room's time zone.
    Weekday,
    /// The series, for dates of a series only.
    Series,
    /// The event's organizer.
    Organizer,
}

impl Dimension {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Room, Self::Group, Self::Weekday, Self::Series, Self::Organizer];

    /// The name in requests and reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Room => "room",
            Self::Group => "group",
            Self::Weekday => "weekday",
            Self::Series => "series",
            Self::Organizer => "organizer",
        }
    }

    /// The dimension with this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == name)
    }
}
