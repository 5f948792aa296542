//! What the doctor found, for people and for programs. Values and their words; asks nobody.

use std::fmt;

use serde::Serialize;

use crate::printable::escape;

/// How it stands with one thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FindingStatus {
    /// As it should be.
    Pass,
    /// Could not be found out, for want of something to find it out from.
    Skip,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work, or is not safe.
    Fail,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorFinding {
    /// Which connection it is about; `None` for the configuration as a whole.
    pub connection: Option<String>,
    /// Which room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
    /// What was looked at.
    pub check: &'static str,
    /// How it stands.
    pub status: FindingStatus,
    /// What was found, in one line.
    #[serde(rename = "says")]
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Response code, HTTP status or kind of failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// All findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// The worst of them.
    pub status: FindingStatus,
    /// The cause of the worst of them, in one line.
    pub headline: String,
    /// In the order in which things depend on each other.
    pub findings: Vec<DoctorFinding>,
}

impl FindingStatus {
    /// As it stands in front of a line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Skip => "skip",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
        }
    }
}

impl DoctorReport {
    /// Of these findings.
    pub fn new(findings: Vec<DoctorFinding>) -> Self {
        let status = findings.iter().map(|finding| finding.status).max().unwrap_or(FindingStatus::Skip);
        let cause = findings.iter().find(|finding| finding.status == status);
        let headline = match (status, cause) {
            (FindingStatus::Warn | FindingStatus::Fail, Some(finding)) => finding.line(),
            _ => {
                let passed = findings.iter().filter(|finding| finding.status == FindingStatus::Pass).count();
                format!("pass  everything is set up ({passed} checks)")
            }
        };
        Self { status, headline, findings }
    }
}

impl DoctorFinding {
    fn line(&self) -> String {
        let place = match (&self.connection, &self.room) {
            (_, Some(room)) => format!("{room}: "),
            (Some(connection), None) => format!("{connection}: "),
            (None, None) => String::new(),
        };
        let code = self.code.as_ref().map_or(String::new(), |code| format!(" ({code})"));
        let line = format!("{}  {place}{}: {}{code}", self.status.as_str(), self.check, self.message);
        escape(&line).into_owned()
    }
}

impl fmt::Display for DoctorReport {
    /// The cause first, then everything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n", self.headline)?;
        for finding in &self.findings {
            writeln!(f, "{}", finding.line())?;
            if let Some(remedy) = &finding.remedy {
                writeln!(f, "      → {}", escape(remedy))?;
            }
        }
        Ok(())
    }
}
