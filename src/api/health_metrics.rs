//! Metrics of the service's own health: journal commits, disk space, the last readiness checks, and refused sign-ins. Collected
//! at each scrape.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::service::{CheckFinding, Service};

type NoLabels = [(&'static str, &'static str); 0];

/// The service behind the API.
pub(super) struct HealthCollector(pub(super) Arc<Service>);

impl fmt::Debug for HealthCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Health")
    }
}

impl Collector for HealthCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let health = self.0.engine.journal().health();
        for (name, help, count) in [
            (
                "journal_commit_failures",
                "Commits and trial commits of the journal that failed.",
                health.failed_commits,
            ),
            (
                "http_authentication_failures",
                "HTTP requests with an invalid key or token.",
                self.0.refused_sign_ins.total(),
            ),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            metric.encode_counter::<NoLabels, _, u64>(&count, None)?;
        }
        if let Some(age) = health.last_commit_age {
            let help = "Age of the journal's last commit, in seconds.";
            encoder
                .encode_descriptor("journal_last_commit_age_seconds", help, None, MetricType::Gauge)?
                .encode_gauge(&age.as_secs_f64())?;
        }
        if let Some(bytes) = health.free_bytes {
            let help = "Free space on the disk of the state directory, in bytes.";
            encoder
                .encode_descriptor("state_directory_free_bytes", help, None, MetricType::Gauge)?
                .encode_gauge(&bytes)?;
        }
        self.readiness(&mut encoder)
    }
}

impl HealthCollector {
    fn readiness(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(found) = self.0.last_readiness() else { return Ok(()) };
        let help = "1 if the check of /readyz passed when it ran last.";
        let mut metric = encoder.encode_descriptor("ready", help, None, MetricType::Gauge)?;
        for (check, finding) in &found.findings {
            let passed = u64::from(!matches!(finding, CheckFinding::Failed(_)));
            metric.encode_family(&[("check", check.as_str())])?.encode_gauge(&passed)?;
        }
        Ok(())
    }
}
