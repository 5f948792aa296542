//! Metrics of what the service did to calendars: actions, changes, refusals and sweeps. All labels are words of a fixed set, so their
//! number is bounded; no label names a room, a caller or an event.

use std::fmt;
use std::sync::atomic::Ordering;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::service::{EndedCounts, Service};

type NoLabels = [(&'static str, &'static str); 0];

pub(super) fn encode(service: &Service, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let counts = service.ended_actions.counts();
    actions(&counts, encoder)?;
    changes(&counts, encoder)?;
    durations(&counts, encoder)?;
    let running = service.actions.running_count() as u64;
    let open = service.open_actions.load(Ordering::Relaxed) as u64;
    for (name, help, count) in [
        ("actions_in_progress", "Actions of callers that are in progress.", running),
        (
            "actions_open",
            "Actions without an outcome at the last re-check (every 15 s), those in progress included.",
            open,
        ),
    ] {
        encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&count)?;
    }
    sweeps(service, encoder)
}

fn actions(counts: &EndedCounts, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Actions that ended, by kind, outcome, and kind of requester.";
    let mut metric = encoder.encode_descriptor("actions", help, None, MetricType::Counter)?;
    for ((kind, outcome, actor), count) in &counts.actions {
        let labels = [("kind", *kind), ("outcome", *outcome), ("actor", *actor)];
        metric.encode_family(&labels)?.encode_counter::<NoLabels, _, u64>(count, None)?;
    }
    let help = "Actions that were refused, by reason.";
    let mut metric = encoder.encode_descriptor("actions_refused", help, None, MetricType::Counter)?;
    for (reason, count) in &counts.refusals {
        metric.encode_family(&[("reason", *reason)])?.encode_counter::<NoLabels, _, u64>(count, None)?;
    }
    Ok(())
}

fn changes(counts: &EndedCounts, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Changes of calendars, by change, recipients of Exchange's message, and kind of requester.";
    let mut metric = encoder.encode_descriptor("calendar_changes", help, None, MetricType::Counter)?;
    for ((change, notified, actor), count) in &counts.changes {
        let labels = [("change", *change), ("notified", *notified), ("actor", *actor)];
        metric.encode_family(&labels)?.encode_counter::<NoLabels, _, u64>(count, None)?;
    }
    Ok(())
}

fn durations(counts: &EndedCounts, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let durations = &counts.durations;
    let help = "Time from the request for an action to its outcome, in seconds.";
    encoder
        .encode_descriptor("action_duration_seconds", help, None, MetricType::Histogram)?
        .encode_histogram::<NoLabels>(durations.sum, durations.count(), &durations.buckets(), None)
}

fn sweeps(service: &Service, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let help = "Sweeps that ended, by state.";
    let mut metric = encoder.encode_descriptor("sweeps", help, None, MetricType::Counter)?;
    for (state, count) in service.sweep_counts.all() {
        let labels = [("state", state.as_str())];
        metric.encode_family(&labels)?.encode_counter::<NoLabels, _, u64>(&count, None)?;
    }
    Ok(())
}
