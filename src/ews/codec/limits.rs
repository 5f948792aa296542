//! Limits for decoding. Both decoders obey them; none is read from the response.

/// Limits for decoding one body. The sender chooses the bytes, so the receiver bounds their cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeLimits {
    /// Bytes of one body.
    pub body_bytes_max: usize,
    /// Nesting depth of elements.
    pub depth_max: usize,
    /// Attributes of one tag.
    pub attributes_max: usize,
    /// Namespace declarations in force at once.
    pub namespaces_max: usize,
    /// Entries of all lists of one response together: items, attendees, response messages, …
    pub entries_max: usize,
}

impl Default for DecodeLimits {
    /// 64 MiB, 64 deep, 64 attributes, 64 namespaces, 200 000 entries: several times the largest view that Exchange sends
    /// (1 000 items on premises, `EWSFindCountLimit`).
    fn default() -> Self {
        Self {
            body_bytes_max: 64 << 20,
            depth_max: 64,
            attributes_max: 64,
            namespaces_max: 64,
            entries_max: 200_000,
        }
    }
}
