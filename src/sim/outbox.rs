//! The mails that the server would have sent, with recipients and meeting. Nothing ever leaves the process.

use chrono::{DateTime, Utc};

/// The kind of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MailKind {
    /// A meeting request.
    Request,
    /// An updated meeting request.
    Update,
    /// The organizer cancelled the meeting or removed this attendee.
    Cancellation,
    /// Acceptance.
    Accept,
    /// Tentative acceptance.
    Tentative,
    /// Decline.
    Decline,
    /// An ordinary message.
    Message,
}

impl MailKind {
    /// The message class.
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
    /// When it was sent.
    pub at: DateTime<Utc>,
    /// Sender address.
    pub from: String,
    /// Recipient addresses.
    pub to: Vec<String>,
    /// Its kind.
    pub kind: MailKind,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub text: String,
    /// UID of the meeting it refers to.
    pub uid: Option<String>,
    /// The occurrence it refers to, by original start.
    pub occurrence: Option<DateTime<Utc>>,
    /// A recipient address of this domain has no mailbox: the mail would bounce.
    pub undeliverable: bool,
}
