//! A room's description in the directory. Data only.

/// A room's description (`Set-Place`), which Graph's `places` returns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PlaceSpec {
    /// `Building`.
    pub building: Option<String>,
    /// `Floor`.
    pub floor: Option<i32>,
    /// `FloorLabel`.
    pub floor_label: Option<String>,
    /// `Capacity`.
    pub capacity: Option<u32>,
    /// `VideoDeviceName`.
    pub video_device: Option<String>,
    /// `Tags`.
    pub tags: Vec<String>,
}
