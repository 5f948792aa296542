//! Metrics of what the service stores: evidence, sources, webhook notices, and cached calendars.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::presence::EvidenceLimit;
use crate::service::{Service, WebhookCounts};

pub(super) fn encode(service: &Service, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    evidence(service, encoder)?;
    webhooks(service, encoder)?;
    let refused_sources = service.presence.read().watch.refused_sources();
    for (name, help, number) in [
        (
            "evidence_sources_refused",
            "Names of evidence sources that were refused, because their key or room has too many.",
            refused_sources,
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

/// The notices of each webhook. A webhook's name is its label.
fn webhooks(service: &Service, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let (webhooks, now) = (service.webhooks.counts(), service.now());
    let help = "Notices that wait for a webhook.";
    let mut metric = encoder.encode_descriptor("webhook_notices_waiting", help, None, MetricType::Gauge)?;
    for (name, counts) in &webhooks {
        metric.encode_family(&[("webhook", name.as_str())])?.encode_gauge(&counts.waiting())?;
    }
    let help = "Age of the oldest notice that waits for a webhook, in seconds; 0 when none waits.";
    let mut metric =
        encoder.encode_descriptor("webhook_oldest_notice_age_seconds", help, None, MetricType::Gauge)?;
    for (name, counts) in &webhooks {
        let age = counts.oldest_age(now).as_seconds_f64();
        metric.encode_family(&[("webhook", name.as_str())])?.encode_gauge(&age)?;
    }
    let sent = "Notices that a webhook accepted.";
    let dropped = "Notices that were dropped: a full queue, or a day without acceptance.";
    for (name, help, count) in [
        ("webhook_notices_sent", sent, WebhookCounts::accepted as fn(&WebhookCounts) -> u64),
        ("webhook_notices_dropped", dropped, WebhookCounts::dropped),
    ] {
        let mut metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (webhook, counts) in &webhooks {
            let labels = [("webhook", webhook.as_str())];
            let mut family = metric.encode_family(&labels)?;
            family.encode_counter::<[(&str, &str); 0], _, u64>(&count(counts), None)?;
        }
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
