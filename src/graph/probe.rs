//! Probes Graph without a token, for `doctor`. Judges nothing.

use http::Method;

use super::root::VERSION;
use super::settings::GraphSettings;
use crate::http::dialer::ClientIdentity;
use crate::http::error::TransportError;
use crate::http::probe::{ProbeResult, Prober};

/// A path that Graph answers with 401 to a request without a token.
const PROTECTED: &str = "users";

/// Probes the root of the settings.
///
/// # Errors
/// Why the server does not respond.
pub(crate) async fn probe(settings: &GraphSettings) -> Result<ProbeResult, TransportError> {
    let url = format!("{}{VERSION}{PROTECTED}", settings.root.trim_end_matches('/'));
    let timeout = settings.timeouts.first_byte;
    let prober = Prober::new(&url, &settings.dialer(), ClientIdentity::Anonymous, timeout)?;
    prober.send(Method::GET, "application/json").await
}
