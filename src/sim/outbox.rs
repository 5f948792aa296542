//! Every mail the server would have sent: who was told what about which meeting. Nothing ever leaves the process.

use chrono::{DateTime, Utc};

/// What a mail says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailKind {
    /// An invitation.
    Request,
    /// A changed invitation.
    Update,
    /// The organizer called it off, or took this attendee off the list.
    Cancellation,
    /// Yes.
    Accept,
    /// Perhaps.
    Tentative,
    /// No.
    Decline,
    /// An ordinary message.
    Message,
}

impl MailKind {
    /// The message class Exchange gives such a mail.
    pub fn class(self) -> &'static str {
        match self {
            Self::Request | Self::Update => "IPM.Schedule.Meeting.Request",
            Self::Cancellation => "IPM.Schedule.Meeting.Canceled",
            Self::Accept => "IPM.Schedule.Meeting.Resp.Pos",
            Self::Tentative => "IPM.Schedule.Meeting.Resp.Tent",
            Self::Decline => "IPM.Schedule.Meeting.Resp.Neg",
            Self::Message => "IPM.Note",
        }
    }
}

/// One mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// When it was handed over.
    pub at: DateTime<Utc>,
    /// From this address.
    pub from: String,
    /// To these.
    pub to: Vec<String>,
    /// What it says.
    pub kind: MailKind,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// The meeting it is about.
    pub uid: Option<String>,
    /// The date of the series it is about, by original start.
    pub occurrence: Option<DateTime<Utc>>,
    /// Nobody has the address although its domain is ours: it would come back.
    pub undeliverable: bool,
}
