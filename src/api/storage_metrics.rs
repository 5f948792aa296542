//! Metrics of what the service stores: evidence, sources, webhook notices, and cached calendars.

use std::fmt;
use std::sync::atomic::Ordering;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::presence::EvidenceLimit;
use crate::service::Service;

pub(super) fn encode(service: &Service, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    evidence(service, encoder)?;
    let webhook = service.outbox.counts();
    let count = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
    let refused_sources = service.presence.read().watch.refused_sources();
    for (name, help, number) in [
        (
            "evidence_sources_refused",
            "Names of evidence sources that were refused, because their key or room has too many.",
            refused_sources,
        ),
        ("webhook_notices_sent", "Notices that the webhook accepted.", count(&webhook.accepted)),
        (
            "webhook_notices_dropped",
            "Notices that were dropped: the queue was full, or every attempt failed.",
            count(&webhook.dropped),
        ),
        (
            "calendar_reads_deferred",
            "Reads that were deferred, because a room changes too often.",
            service.rooms.stats().deferred_reads,
        ),
    ] {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        metric.encode_counter::<[(&str, &str); 0], _, u64>(&number, None)?;
    }
    Ok(())
}

fn evidence(service: &Service, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let (held, counts) = {
        let books = service.presence.read();
        (books.signs.usage(), books.signs.counts().clone())
    };
    for (name, help, number) in [
        ("evidence_signs", "Signs of presence in memory.", held.signs),
        ("evidence_bytes", "Bytes of the signs of presence in memory.", held.bytes),
    ] {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        metric.encode_gauge(&(number as u64))?;
    }
    let help = "Signs that were merged into an earlier one.";
    encoder
        .encode_descriptor("evidence_merged", help, None, MetricType::Counter)?
        .encode_counter::<[(&str, &str); 0], _, u64>(&counts.merged, None)?;
    let help = "Signs that were refused, by the limit that was reached.";
    let mut refused = encoder.encode_descriptor("evidence_refused", help, None, MetricType::Counter)?;
    for limit in EvidenceLimit::ALL {
        let (labels, count) = ([("limit", limit.as_str())], counts.refused.get(&limit).copied().unwrap_or(0));
        refused.encode_family(&labels)?.encode_counter::<[(&str, &str); 1], _, u64>(&count, None)?;
    }
    Ok(())
}
