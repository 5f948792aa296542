//! Probes a server of EWS without credentials, for `doctor`. Judges nothing.

use http::Method;

use super::settings::Settings;
use crate::http::dialer::ClientIdentity;
use crate::http::error::TransportError;
use crate::http::probe::Prober;
pub(crate) use crate::http::probe::{ProbeResult, ServerCertificate};

const CONTENT_TYPE: &str = "text/xml; charset=utf-8";

/// Probes the server at this URL.
///
/// # Errors
/// Why the server does not respond.
pub(crate) async fn probe(settings: &Settings, url: &str) -> Result<ProbeResult, TransportError> {
    let (dialer, timeout) = (settings.dialer(), settings.first_byte_timeout);
    let prober = Prober::new(url, &dialer, ClientIdentity::Account, timeout)?;
    let meeting = prober.send(Method::GET, CONTENT_TYPE).await?;
    if !refuses_method(meeting.status) {
        return Ok(meeting);
    }
    // A reverse proxy may let only POST through, the one method of EWS.
    let posted = prober.send(Method::POST, CONTENT_TYPE).await.ok();
    let posted = posted.filter(|posted| !refuses_method(posted.status));
    Ok(posted.map_or(meeting, |posted| ProbeResult { answers_post: true, ..posted }))
}

fn refuses_method(status: u16) -> bool {
    matches!(status, 404 | 405 | 501)
}
