//! `--verbose`: logs each request to Exchange with its time to stderr. The lines name operations, rooms and request ids; a span of a request has
//! no other field, so no secret and no subject can be among them.

use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::format::FmtSpan;
use tracing_subscriber::{EnvFilter, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use super::args::LogFormat;
use super::log_filter;
use super::log_lines::LogLines;

/// Adjourn's own lines, of which the end of a span is one.
const FILTER: &str = "warn,adjourn=info";

pub(super) fn log_requests() {
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(LogLines(LogFormat::Text))
        .with_ansi(false)
        .with_target(false)
        .with_span_events(FmtSpan::CLOSE);
    let (no_secrets, filter) = (filter_fn(log_filter::may_write), EnvFilter::new(FILTER));
    // The service logs by itself: its subscriber, or that of a user of the library, stays.
    let _ = tracing_subscriber::registry().with(no_secrets).with(filter).with(lines).try_init();
}
