//! The doctor's report: findings as lines for people and as JSON for programs. Does no I/O.

use std::fmt;

use serde::Serialize;

use super::FindingId;
use crate::printable::escape;

/// The result of one check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "service", derive(utoipa::ToSchema))]
pub enum FindingStatus {
    /// In order.
    Pass,
    /// Not checked: there was nothing to check it with.
    Skip,
    /// Works, and needs attention.
    Warn,
    /// Does not work, or is not safe.
    Fail,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "service", derive(utoipa::ToSchema), schema(as = FindingView))]
pub struct DoctorFinding {
    /// The connection that was checked; null for the configuration as a whole.
    pub connection: Option<String>,
    /// The room that was checked; null for a whole connection.
    pub room: Option<String>,
    /// The name of the check.
    pub check: &'static str,
    /// The stable name of a warning or failure, such as `certificate-expired`; null for other findings.
    pub id: Option<FindingId>,
    /// The result of the check.
    pub status: FindingStatus,
    /// The result in a sentence.
    pub message: String,
    /// What to do next.
    pub remedy: Option<String>,
    /// Exchange's response code, an HTTP status, or the kind of failure.
    pub code: Option<String>,
}

/// All findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DoctorReport {
    /// The worst status of its findings.
    pub status: FindingStatus,
    /// The first finding of that status, in one line.
    pub headline: String,
    /// In the order in which the checks depend on each other.
    pub findings: Vec<DoctorFinding>,
}

impl FindingStatus {
    /// The word at the beginning of a line.
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
    /// A report of these findings.
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
        let id = self.id.map_or(String::new(), |id| format!(" [{id}]"));
        let line = format!("{}  {place}{}: {}{code}{id}", self.status.as_str(), self.check, self.message);
        escape(&line).into_owned()
    }
}

impl fmt::Display for DoctorReport {
    /// The cause first, then every finding.
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
