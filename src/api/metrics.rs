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
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

use super::action_metrics;
use super::display_metrics;
use super::health_metrics::HealthCollector;
use super::share_metrics::ShareMetrics;
use super::storage_metrics;
use crate::live::{self, Live};
use crate::service::Service;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RequestLabels {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) status: u16,
}

/// A metric of the connections to Exchange. Its numbers come from the exchange, under a word of their own.
struct ExchangeMetric {
    kind: &'static str,
    name: &'static str,
    help: &'static str,
    metric_type: MetricType,
    /// The label beside `connection`, where a connection has several numbers.
    label: Option<&'static str>,
}

const EXCHANGE_METRICS: [ExchangeMetric; 6] = [
    ExchangeMetric {
        kind: "decoded",
        name: "exchange_responses_decoded",
        help: "Responses of Exchange, by the decoder that read them.",
        metric_type: MetricType::Counter,
        label: Some("path"),
    },
    ExchangeMetric {
        kind: "throttled",
        name: "exchange_throttled",
        help: "Responses in which Exchange reported that it is busy.",
        metric_type: MetricType::Counter,
        label: None,
    },
    ExchangeMetric {
        kind: "waiting",
        name: "exchange_requests_queued",
        help: "Requests to Exchange that wait for a permit.",
        metric_type: MetricType::Gauge,
        label: None,
    },
    ExchangeMetric {
        kind: "sign_ins_refused",
        name: "exchange_authentication_failures",
        help: "Sign-ins that Exchange rejected; the scope is the account or one room.",
        metric_type: MetricType::Counter,
        label: Some("scope"),
    },
    ExchangeMetric {
        kind: "answers_held_up",
        name: "exchange_responses_delayed",
        help: "Responses of Exchange that waited for memory, because too many large ones arrived at once.",
        metric_type: MetricType::Counter,
        label: None,
    },
    ExchangeMetric {
        kind: "refused_rooms",
        name: "exchange_rooms_rejected",
        help: "Rooms that Exchange rejects while it accepts the account for others.",
        metric_type: MetricType::Gauge,
        label: None,
    },
];

/// Collects the service's metrics at each scrape.
struct ServiceCollector(Arc<Service>);

impl fmt::Debug for ServiceCollector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceCollector")
    }
}

impl Collector for ServiceCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let numbers = self.0.connections.metrics();
        for ExchangeMetric { kind, name, help, metric_type, label } in EXCHANGE_METRICS {
            let mut metric = encoder.encode_descriptor(name, help, None, metric_type)?;
            for number in numbers.iter().filter(|number| number.kind == kind) {
                let mut labels = vec![("connection", number.connection.as_str())];
                labels.extend(label.map(|label| (label, number.label.as_str())));
                let mut family = metric.encode_family(&labels)?;
                match metric_type {
                    MetricType::Gauge => family.encode_gauge(&number.count)?,
                    _ => family.encode_counter::<[(&str, &str); 0], _, u64>(&number.count, None)?,
                }
            }
        }
        self.live(&mut encoder)?;
        self.presence(&mut encoder)?;
        self.clock(&mut encoder)?;
        action_metrics::encode(&self.0, &mut encoder)?;
        storage_metrics::encode(&self.0, &mut encoder)?;
        display_metrics::encode(&self.0, &mut encoder)?;
        let waiting = u64::try_from(self.0.engine.journal().queued_facts()).unwrap_or(u64::MAX);
        let help = "Facts that wait for a write to the journal.";
        encoder
            .encode_descriptor("journal_queue_length", help, None, MetricType::Gauge)?
            .encode_gauge(&waiting)?;
        self.journal_head(&mut encoder)
    }
}

impl ServiceCollector {
    /// Whether this machine's clock is trusted, and its offset from Exchange.
    fn clock(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "1 while this machine's clock is in doubt; Adjourn then decides about no meeting.";
        encoder
            .encode_descriptor("clock_in_doubt", help, None, MetricType::Gauge)?
            .encode_gauge(&u64::from(self.0.clock_doubt().is_some()))?;
        let help = "Seconds by which this machine's clock is ahead of the server's.";
        let mut offsets = encoder.encode_descriptor("clock_offset_seconds", help, None, MetricType::Gauge)?;
        for (server, ahead) in self.0.engine.clock().offsets() {
            offsets.encode_family(&[("server", server)])?.encode_gauge(&ahead.as_seconds_f64())?;
        }
        Ok(())
    }

    /// Number and hash of the journal's last entry. Copies of both outside this machine prove that no entries were cut off.
    fn journal_head(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(chain) = self.0.engine.journal().chain() else { return Ok(()) };
        let help = "Number of the journal's last entry.";
        encoder
            .encode_descriptor("journal_entries", help, None, MetricType::Gauge)?
            .encode_gauge(&chain.length)?;
        let help = "Hash of the journal's last entry, as a label.";
        encoder
            .encode_descriptor("journal_head", help, None, MetricType::Info)?
            .encode_info(&[("hash", chain.head.to_string())])
    }

    /// Decisions about meetings.
    fn presence(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = "Decisions about meetings after their grace, by decision.";
        let mut decisions =
            encoder.encode_descriptor("presence_decisions", help, None, MetricType::Counter)?;
        for (kind, count) in self.0.decisions.all() {
            let labels = [("decision", kind.as_str())];
            decisions.encode_family(&labels)?.encode_counter::<[(&str, &str); 1], _, u64>(&count, None)?;
        }
        let help = "Releases that were announced or due, and then cancelled.";
        encoder
            .encode_descriptor("releases_cancelled", help, None, MetricType::Counter)?
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
            "Rooms whose calendars are cached, by tracking mode.",
            None,
            MetricType::Gauge,
        )?;
        for mode in live::TrackingMode::ALL {
            let count = census.rooms.get(&mode).copied().unwrap_or(0) as u64;
            rooms.encode_family(&[("mode", mode.as_str())])?.encode_gauge(&count)?;
        }
        let oldest = census.stalest_age.as_seconds_f64().max(0.0);
        let help = "Age of the stalest tracked room state, in seconds.";
        encoder
            .encode_descriptor("room_state_age_seconds", help, None, MetricType::Gauge)?
            .encode_gauge(&oldest)?;
        let numbers = self.0.live().map(Live::metrics);
        let of = |count: fn(&live::LiveMetrics) -> &AtomicU64| {
            numbers.map_or(0, |numbers| count(numbers).load(Ordering::Relaxed))
        };
        let listening = of(|numbers| &numbers.listening);
        let help = "Open streaming connections for change notifications.";
        encoder.encode_descriptor("streams", help, None, MetricType::Gauge)?.encode_gauge(&listening)?;
        for (name, help, count) in [
            ("calendar_reads", "Reads of rooms' calendars.", census.reads),
            (
                "change_notifications",
                "Change notifications that Exchange sent.",
                of(|numbers| &numbers.notifications),
            ),
            (
                "stream_failures",
                "Streaming connections that ended early.",
                of(|numbers| &numbers.stream_failures),
            ),
            (
                "subscriptions_lost",
                "Subscriptions that Exchange no longer knows.",
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
    /// Metrics of connections and operation limits.
    pub(super) shares: ShareMetrics,
}

impl Metrics {
    pub(super) fn new(service: &Arc<Service>) -> Self {
        let mut registry = Registry::with_prefix("adjourn");
        let requests = Family::<RequestLabels, Counter>::default();
        let seconds = Histogram::new(exponential_buckets(0.0005, 2.0, 18));
        registry.register("http_requests", "HTTP requests, by method, route and status", requests.clone());
        registry.register(
            "http_request_duration_seconds",
            "Duration of HTTP requests, in seconds",
            seconds.clone(),
        );
        registry.register_collector(Box::new(ServiceCollector(service.clone())));
        registry.register_collector(Box::new(HealthCollector(service.clone())));
        let shares = ShareMetrics::default();
        registry.register_collector(Box::new(shares.clone()));
        Self { registry, requests, seconds, shares }
    }

    pub(super) fn count_request(&self, route: &RequestLabels, took: Duration) {
        self.requests.get_or_create(route).inc();
        self.seconds.observe(took.as_secs_f64());
    }

    /// Renders the metrics in the OpenMetrics text format.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        match encode(&mut text, &self.registry) {
            Ok(()) => text,
            Err(_) => String::new(),
        }
    }
}
