//! The doctor's findings about the database of `journal.url`: whether it can be reached and used, whether it keeps what it
//! acknowledges, and whether its clock agrees. Writes nothing to it.

use chrono::TimeDelta;

use super::storage;
use crate::clock::{Clock as _, SystemClock};
use crate::config::Config;
use crate::doctor::{DoctorFinding, FindingId, FindingStatus};
use crate::store::{DatabaseStatus, PostgresError};

/// The difference of two clocks that is a warning: renewals and takeovers go by the database's clock, actions by this machine's.
const SKEW_MAX: TimeDelta = TimeDelta::seconds(5);

/// The findings about the database; none without one.
pub(super) async fn findings(config: &Config) -> Vec<DoctorFinding> {
    let Some(source) = &config.journal.database else { return Vec::new() };
    let checked = match storage::database(source) {
        Ok(database) => database.status().await,
        Err(failure) => {
            return vec![failed(FindingId::ConfigurationUnusable, failure.message, "correct `journal.url`")];
        }
    };
    match checked {
        Ok(status) => found(&status, source.accept_loss),
        Err(error) => vec![failed(id_of(&error), error.to_string(), remedy_of(&error))],
    }
}

fn found(status: &DatabaseStatus, accept_loss: bool) -> Vec<DoctorFinding> {
    let DatabaseStatus { version, standbys, waits_for_standby, now } = status;
    let is_stuck = *waits_for_standby && *standbys == 0;
    let waits = if *waits_for_standby { "commits wait for one" } else { "commits wait for none" };
    let mut findings = vec![DoctorFinding {
        message: format!("PostgreSQL {version}; standbys that stream: {standbys}; {waits}"),
        ..finding(FindingStatus::Pass)
    }];
    if is_stuck {
        findings.push(failed(
            FindingId::DatabaseUnusable,
            "commits wait for a standby (`synchronous_standby_names`), and none streams: nothing can be stored"
                .to_owned(),
            "start the standby; or, if there is none any more, empty `synchronous_standby_names`",
        ));
    }
    if accept_loss {
        findings.push(DoctorFinding {
            id: Some(FindingId::DatabaseMayLose),
            message: "`journal.accept_loss` is on: after a failover, actions may be missing from the journal and be done again"
                .to_owned(),
            remedy: Some("use synchronous standbys, and remove `journal.accept_loss`".to_owned()),
            ..finding(FindingStatus::Warn)
        });
    }
    let skew = (SystemClock.now() - *now).abs();
    if skew > SKEW_MAX {
        findings.push(DoctorFinding {
            id: Some(FindingId::ClockSkew),
            message: format!(
                "the clocks of this machine and of the database differ by {} s",
                skew.num_seconds()
            ),
            remedy: Some("NTP on both machines".to_owned()),
            ..finding(FindingStatus::Warn)
        });
    }
    findings
}

fn finding(status: FindingStatus) -> DoctorFinding {
    DoctorFinding {
        connection: None,
        room: None,
        check: "database",
        id: None,
        status,
        message: String::new(),
        remedy: None,
        code: None,
    }
}

fn failed(id: FindingId, message: String, remedy: &str) -> DoctorFinding {
    let remedy = Some(remedy.to_owned());
    DoctorFinding { id: Some(id), message, remedy, ..finding(FindingStatus::Fail) }
}

fn id_of(error: &PostgresError) -> FindingId {
    match error {
        PostgresError::ConnectionText | PostgresError::CaFile { .. } => FindingId::ConfigurationUnusable,
        PostgresError::Unreachable(_) | PostgresError::Late(_) | PostgresError::Tls(_) => {
            FindingId::DatabaseUnreachable
        }
        PostgresError::ConnectionRefused(_) | PostgresError::RightMissing(_) => FindingId::DatabaseRefused,
        PostgresError::TooOld(_) => FindingId::DatabaseTooOld,
        PostgresError::MayLose(_) => FindingId::DatabaseMayLose,
        PostgresError::SharedSessions => FindingId::DatabasePooled,
        _ => FindingId::DatabaseUnusable,
    }
}

fn remedy_of(error: &PostgresError) -> &'static str {
    match error {
        PostgresError::ConnectionText => "correct the URL in the file of `journal.url`",
        PostgresError::CaFile { .. } => "correct `journal.ca_file`",
        PostgresError::Unreachable(_) | PostgresError::Late(_) => {
            "check that the server runs, that it is the primary, and what is between: firewall, proxy, name"
        }
        PostgresError::Tls(_) => "set `journal.ca_file` to the authority of the server's certificate",
        PostgresError::ConnectionRefused(_) => {
            "correct user, password and database in the URL; check `pg_hba.conf`"
        }
        PostgresError::RightMissing(_) => "have the administrator of the database grant it",
        PostgresError::TooOld(_) => "use PostgreSQL 14 or newer",
        PostgresError::MayLose(_) => {
            "set `fsync = on` and `synchronous_standby_names`, or set `journal.accept_loss`"
        }
        PostgresError::SharedSessions => {
            "set `pool_mode = session` in the pooler, or name the port of the server itself in the URL"
        }
        PostgresError::MoveUnfinished(_) => "run the same `adjourn journal move` again",
        PostgresError::Moved(_) => "remove `journal.url`, and use the directory",
        _ => "look at the message; then ask the administrator of the database",
    }
}
