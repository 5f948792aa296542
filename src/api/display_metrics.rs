//! Metrics of paired displays: how many are in which state, and when each was last in contact. A display's name is its label, never its
//! room's address.

use std::fmt;

use prometheus_client::encoding::DescriptorEncoder;
use prometheus_client::metrics::MetricType;

use crate::service::{DisplayState, Service};

pub(super) fn encode(service: &Service, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let displays = service.display_statuses();
    let help = "Paired displays, by state.";
    let mut states = encoder.encode_descriptor("displays", help, None, MetricType::Gauge)?;
    for state in DisplayState::ALL {
        let count = displays.iter().filter(|display| display.state == state).count();
        states.encode_family(&[("state", state.as_str())])?.encode_gauge(&(count as u64))?;
    }
    let help = "Last contact of a paired display, in seconds since 1970; absent before the first one.";
    let name = "display_last_contact_timestamp_seconds";
    let mut contacts = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for display in &displays {
        let Some(at) = display.record.last_contact else { continue };
        let labels = [("display", display.record.name.as_str())];
        contacts.encode_family(&labels)?.encode_gauge(&at.timestamp())?;
    }
    Ok(())
}
