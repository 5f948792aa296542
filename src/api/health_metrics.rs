//! Metrics of the service's own health: journal commits, disk space, the readiness checks, the process, and refused sign-ins. Collected
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
        if let Some(bytes) = health.size_bytes {
            let help = "Size of the journal's files, in bytes.";
            encoder
                .encode_descriptor("journal_size_bytes", help, None, MetricType::Gauge)?
                .encode_gauge(&bytes)?;
        }
        self.process(&mut encoder)?;
        self.readiness(&mut encoder)
    }
}

impl HealthCollector {
    fn readiness(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(found) = self.0.last_readiness() else { return Ok(()) };
        let help = "1 if the check of /readyz passed, or only warns, at most five seconds ago.";
        let mut metric = encoder.encode_descriptor("ready", help, None, MetricType::Gauge)?;
        for result in &found.results {
            let passed = u64::from(!matches!(result.finding, CheckFinding::Failed(_)));
            metric.encode_family(&[("check", result.check.as_str())])?.encode_gauge(&passed)?;
        }
        let help = "1 if the server of the connection responded within five minutes.";
        let mut metric = encoder.encode_descriptor("exchange_responding", help, None, MetricType::Gauge)?;
        for (connection, responds) in &found.connections {
            let labels = [("connection", connection.as_str())];
            metric.encode_family(&labels)?.encode_gauge(&u64::from(*responds))?;
        }
        Ok(())
    }

    /// The program's version, and when the service started.
    fn process(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "The version of the program, as a label.";
        encoder
            .encode_descriptor("build", help, None, MetricType::Info)?
            .encode_info(&[("version", env!("CARGO_PKG_VERSION"))])?;
        let help = "When the service started, in seconds since 1970.";
        encoder
            .encode_descriptor("start_time_seconds", help, None, MetricType::Gauge)?
            .encode_gauge(&self.0.started_at().timestamp())
    }
}
