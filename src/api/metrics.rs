//! Prometheus metrics: HTTP requests, actions, and what the service and the connection to Exchange count. Labels never contain a
//! room's address.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::health_metrics::HealthCollector;
use super::share_metrics::ShareMetrics;
use super::storage_metrics;
use crate::action::Outcome;
use crate::journal::ActionStatus;
use crate::live::{self, Live};
use crate::service::Service;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabels {
    outcome: &'static str,
}

/// Labels of the metrics that the calendar backend counts.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BackendLabels {
    connection: String,
    how: String,
}

/// Collects the service's metrics at each scrape.
struct ServiceCollector(Arc<Service>);

impl fmt::Debug for ServiceCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Behind")
    }
}

impl Collector for ServiceCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let numbers = self.0.engine.calendar().metrics();
        for (kind, help, is_gauge) in [
            ("decoded", "Answers of Exchange, by the path that decoded them", false),
            ("throttled", "How often Exchange said that it is busy", false),
            ("waiting", "Requests to Exchange that wait for their place: the queue", true),
            ("sign_ins_refused", "Refused sign-ins, counted against the account or against one room", false),
            (
                "answers_held_up",
                "Answers of Exchange that waited for memory: too many large ones at once",
                false,
            ),
            ("refused_rooms", "Rooms refused by Exchange while it accepts the account for others", true),
        ] {
            let name = format!("exchange_{kind}");
            let kind_of = if is_gauge { MetricType::Gauge } else { MetricType::Counter };
            let mut metric = encoder.encode_descriptor(&name, help, None, kind_of)?;
            for number in numbers.iter().filter(|number| number.kind == kind) {
                let labels =
                    BackendLabels { connection: number.connection.clone(), how: number.label.clone() };
                let mut family = metric.encode_family(&labels)?;
                match is_gauge {
                    true => family.encode_gauge(&number.count)?,
                    false => family.encode_counter::<BackendLabels, _, u64>(&number.count, None)?,
                }
            }
        }
        self.live(&mut encoder)?;
        self.presence(&mut encoder)?;
        self.clock(&mut encoder)?;
        storage_metrics::encode(&self.0, &mut encoder)?;
        let waiting = u64::try_from(self.0.engine.journal().queued_facts()).unwrap_or(u64::MAX);
        let help = "Facts that wait to be written to the journal: the queue";
        encoder
            .encode_descriptor("journal_waiting", help, None, MetricType::Gauge)?
            .encode_gauge(&waiting)?;
        self.journal_head(&mut encoder)
    }
}

impl ServiceCollector {
    /// Whether this machine's clock is trusted, and its offset from Exchange.
    fn clock(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Whether this machine's clock is not believed (1); then no meeting is judged";
        encoder
            .encode_descriptor("clock_in_doubt", help, None, MetricType::Gauge)?
            .encode_gauge(&u64::from(self.0.clock_doubt().is_some()))?;
        let help = "By how many seconds this machine's clock is ahead of Exchange's, by server";
        let mut offsets = encoder.encode_descriptor("clock_offset_seconds", help, None, MetricType::Gauge)?;
        for (server, ahead) in self.0.engine.clock().offsets() {
            offsets.encode_family(&[("server", server)])?.encode_gauge(&ahead.as_seconds_f64())?;
        }
        Ok(())
    }

    /// Number and hash of the journal's last entry. Copies of both outside this machine prove that no entries were cut off.
    fn journal_head(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(chain) = self.0.engine.journal().chain() else { return Ok(()) };
        let help = "Number of the last entry of the journal";
        encoder
            .encode_descriptor("journal_entries", help, None, MetricType::Gauge)?
            .encode_gauge(&chain.length)?;
        let help = "Hash of the last entry of the journal, as a label";
        encoder
            .encode_descriptor("journal_head", help, None, MetricType::Info)?
            .encode_info(&[("hash", chain.head.to_string())])
    }

    /// Decisions about meetings.
    fn presence(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Decisions about meetings whose grace ended, by outcome";
        let mut decisions =
            encoder.encode_descriptor("presence_decisions", help, None, MetricType::Counter)?;
        for (kind, count) in self.0.decisions.all() {
            let labels = [("decision", kind.as_str())];
            decisions.encode_family(&labels)?.encode_counter::<[(&str, &str); 1], _, u64>(&count, None)?;
        }
        let help = "Releases that were announced or due and did not take place";
        encoder
            .encode_descriptor("releases_stopped", help, None, MetricType::Counter)?
            .encode_counter::<[(&str, &str); 1], _, u64>(
                &self.0.stopped_releases.load(Ordering::Relaxed),
                None,
            )
    }

    /// How rooms are tracked.
    fn live(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let census = self.0.rooms.stats();
        let mut rooms = encoder.encode_descriptor(
            "rooms",
            "Rooms that are known, by what tells of changes",
            None,
            MetricType::Gauge,
        )?;
        for how in live::TrackingMode::ALL {
            let count = census.rooms.get(&how).copied().unwrap_or(0) as u64;
            rooms.encode_family(&[("follows", how.as_str())])?.encode_gauge(&count)?;
        }
        let oldest = census.stalest_age.as_seconds_f64().max(0.0);
        let help = "Of the rooms that are followed, how long ago the worst was known to be so, in seconds";
        encoder
            .encode_descriptor("room_state_age_seconds", help, None, MetricType::Gauge)?
            .encode_gauge(&oldest)?;
        let numbers = self.0.live().map(Live::metrics);
        let of = |count: fn(&live::LiveMetrics) -> &AtomicU64| {
            numbers.map_or(0, |numbers| count(numbers).load(Ordering::Relaxed))
        };
        let listening = of(|numbers| &numbers.listening);
        let help = "Connections on which Exchange tells of changes";
        encoder.encode_descriptor("streams", help, None, MetricType::Gauge)?.encode_gauge(&listening)?;
        for (name, help, count) in [
            ("calendars_read", "Calendars that were read to know how rooms are", census.reads),
            (
                "changes_told",
                "Changes of calendars that Exchange told of",
                of(|numbers| &numbers.notifications),
            ),
            (
                "streams_broken",
                "Streams of changes that ended before their time",
                of(|numbers| &numbers.stream_failures),
            ),
            (
                "subscriptions_lost",
                "Subscriptions that Exchange forgot",
                of(|numbers| &numbers.lost_subscriptions),
            ),
        ] {
            let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            metric.encode_counter::<[(&str, &str); 0], _, u64>(&count, None)?;
        }
        Ok(())
    }
}

/// All metrics of the service.
pub struct Metrics {
    registry: Registry,
    requests: Family<RequestLabels, Counter>,
    seconds: Histogram,
    actions: Family<ActionLabels, Counter>,
    under_way: Gauge,
    service: Arc<Service>,
    /// Metrics of connections and operation limits.
    pub(super) shares: ShareMetrics,
}

impl Metrics {
    pub(super) fn new(service: &Arc<Service>) -> Self {
        let mut registry = Registry::with_prefix("adjourn");
        let requests = Family::<RequestLabels, Counter>::default();
        let seconds = Histogram::new(exponential_buckets(0.0005, 2.0, 18));
        let actions = Family::<ActionLabels, Counter>::default();
        let under_way = Gauge::default();
        registry.register("http_requests", "Requests by route and status", requests.clone());
        registry.register("http_request_seconds", "How long requests took", seconds.clone());
        registry.register("actions", "Actions asked over HTTP, by how they ended", actions.clone());
        registry.register_collector(Box::new(ServiceCollector(service.clone())));
        registry.register_collector(Box::new(HealthCollector(service.clone())));
        registry.register("actions_under_way", "Actions that are not over", under_way.clone());
        let shares = ShareMetrics::default();
        registry.register_collector(Box::new(shares.clone()));
        Self { registry, requests, seconds, actions, under_way, service: service.clone(), shares }
    }

    pub(super) fn count_action(&self, outcome: &Outcome) {
        let outcome = ActionStatus::from(outcome).as_str();
        self.actions.get_or_create(&ActionLabels { outcome }).inc();
    }

    pub(super) fn count_request(&self, route: &RequestLabels, took: Duration) {
        self.requests.get_or_create(route).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Renders the metrics in the OpenMetrics text format.
    pub(super) fn text(&self) -> String {
        self.under_way.set(i64::try_from(self.service.actions.running_count()).unwrap_or(i64::MAX));
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
