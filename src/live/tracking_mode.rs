//! How the changes of a room's calendar become known. Values only.

/// How changes in a room's calendar are detected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "service", derive(serde::Serialize, schemars::JsonSchema, utoipa::ToSchema))]
#[non_exhaustive]
pub enum TrackingMode {
    /// Not at all: each request reads the calendar.
    OnDemand,
    /// The calendar view is read at an interval.
    View,
    /// The server is polled for changes (EWS: `SyncFolderItems`).
    Sync,
    /// The server sends change notifications.
    Streaming,
}

impl TrackingMode {
    /// All modes, the best last.
    pub const ALL: [Self; 4] = [Self::OnDemand, Self::View, Self::Sync, Self::Streaming];

    /// The name in the API and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OnDemand => "on-demand",
            Self::View => "view",
            Self::Sync => "sync",
            Self::Streaming => "streaming",
        }
    }
}
