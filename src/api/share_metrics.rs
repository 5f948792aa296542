//! Metrics of what callers share: connections and concurrent operations.

use std::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use super::connections::Connections;
use super::request_shares::RequestShares;
use crate::service::Service;
use crate::shares::{ShareExhausted, SharePool};

/// Collects the metrics once the service listens.
#[derive(Clone, Default)]
pub(super) struct ShareMetrics(Arc<OnceLock<ShareMetricSources>>);

struct ShareMetricSources {
    connections: Arc<Connections>,
    requests: Arc<RequestShares>,
    service: Arc<Service>,
}

impl fmt::Debug for ShareMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShareMetrics")
    }
}

impl ShareMetrics {
    /// Sets the sources to collect from. Only the first call counts.
    pub(super) fn set_sources(
        &self,
        connections: Arc<Connections>,
        requests: Arc<RequestShares>,
        service: Arc<Service>,
    ) {
        let _ = self.0.set(ShareMetricSources { connections, requests, service });
    }
}

impl Collector for ShareMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let Some(sources) = self.0.get() else { return Ok(()) };
        encode_connections(&sources.connections, &mut encoder)?;
        let service =
            [("actions", sources.service.actions.shares()), ("sweeps", sources.service.sweeps.shares())];
        let all: Vec<_> = service.into_iter().chain(sources.requests.all()).collect();
        encode_shares(&all, &mut encoder)
    }
}

fn encode_connections(connections: &Connections, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let (unauthenticated, authenticated) = connections.open();
    let limits = connections.limits();
    let help = "Open HTTP connections, by whether a request on them had a valid key.";
    let mut open = encoder.encode_descriptor("http_connections", help, None, MetricType::Gauge)?;
    for (state, count) in [("unauthenticated", unauthenticated), ("authenticated", authenticated)] {
        open.encode_family(&[("state", state)])?.encode_gauge(&(count as u64))?;
    }
    let help = "Limit on open HTTP connections, by whether a request on them had a valid key.";
    let mut max = encoder.encode_descriptor("http_connections_max", help, None, MetricType::Gauge)?;
    for (state, count) in
        [("unauthenticated", limits.unauthenticated), ("authenticated", limits.authenticated())]
    {
        max.encode_family(&[("state", state)])?.encode_gauge(&(count as u64))?;
    }
    let closed = connections.closed();
    let help = "HTTP connections without a valid key that were closed, by the limit that was reached.";
    let mut family = encoder.encode_descriptor("http_connections_closed", help, None, MetricType::Counter)?;
    for (reason, count) in [("address", &closed.address), ("total", &closed.total), ("files", &closed.files)]
    {
        let count = count.load(Ordering::Relaxed);
        family
            .encode_family(&[("reason", reason)])?
            .encode_counter::<[(&str, &str); 0], _, u64>(&count, None)?;
    }
    Ok(())
}

fn encode_shares(all: &[(&str, &SharePool)], encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Operations that wait or run, by operation.";
    let mut in_use = encoder.encode_descriptor("operations_in_progress", help, None, MetricType::Gauge)?;
    for (operation, shares) in all {
        in_use.encode_family(&[("operation", *operation)])?.encode_gauge(&(shares.in_use() as u64))?;
    }
    let help = "Operations that were refused or answered at once, by the limit that was reached.";
    let mut refused = encoder.encode_descriptor("operations_refused", help, None, MetricType::Counter)?;
    for (operation, shares) in all {
        for limit in ShareExhausted::ALL {
            let labels = [("operation", *operation), ("limit", limit.as_str())];
            refused
                .encode_family(&labels)?
                .encode_counter::<[(&str, &str); 0], _, u64>(&shares.refused_count(limit), None)?;
        }
    }
    Ok(())
}
