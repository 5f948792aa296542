//! The schema versions of requests. Never decides which one a server supports.

/// `t:RequestServerVersion`: the schema version of the request, which bounds the content of the response. Ordered by age.
///
/// Servers of 2019 and later use Exchange2016; a version that the server does not know is answered with
/// `ErrorInvalidServerVersion` or `ErrorInvalidRequest`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
#[expect(missing_docs, reason = "the variants have the names of the schema's values")]
pub enum ServerVersion {
    Exchange2010Sp2,
    Exchange2013,
    /// Supported by every server since 2013 SP1, and enough for all operations of Adjourn.
    #[default]
    Exchange2013Sp1,
    Exchange2016,
}

impl ServerVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 4] =
        [Self::Exchange2010Sp2, Self::Exchange2013, Self::Exchange2013Sp1, Self::Exchange2016];

    /// Its spelling on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exchange2010Sp2 => "Exchange2010_SP2",
            Self::Exchange2013 => "Exchange2013",
            Self::Exchange2013Sp1 => "Exchange2013_SP1",
            Self::Exchange2016 => "Exchange2016",
        }
    }
}
