//! Checks the way to the root of Microsoft Graph without a token: host name, proxy, TLS certificate, whether Graph responds, and its
//! clock.

use chrono::{DateTime, Utc};

use super::super::server::{check_certificate, check_clock, report_unreachable};
use super::super::{FindingId, Findings};
use super::{GraphDoctorTarget, SERVER};
use crate::exchange::ProbeResult;
use crate::graph::probe;

/// Whether Graph responds, and its clock agrees with this machine's.
pub(super) async fn check_root(
    target: &GraphDoctorTarget,
    now: DateTime<Utc>,
    findings: &mut Findings,
) -> bool {
    let root = target.graph.root();
    match probe(&target.settings).await {
        Err(failure) => {
            report_unreachable(root, &failure, SERVER, findings);
            false
        }
        Ok(response) => {
            findings.pass("network", format!("{root} responded"));
            if let Some(certificate) = &response.certificate {
                check_certificate(certificate, now, findings);
            }
            is_graph(&response, findings) && check_clock(response.server_time, now, findings)
        }
    }
}

/// Checks the response to a request without a token, which Graph answers with 401. A response that may be a refusal of Graph is judged
/// by the sign-in.
fn is_graph(response: &ProbeResult, findings: &mut Findings) -> bool {
    let (id, says, remedy) = match response.status {
        _ if response.is_tls_port => (
            FindingId::HttpsRequired,
            "the port accepts TLS only, and server.url begins with http",
            "write https in server.url",
        ),
        200..=399 | 404 | 405 => (
            FindingId::GraphWrongRoot,
            "the response is not from Microsoft Graph",
            "remove server.url, so that the root follows from oauth.cloud; it has no path (https://graph.microsoft.com). Then check \
             the proxies on the way",
        ),
        500..=599 => (
            FindingId::GraphServerError,
            "Microsoft Graph, or a machine in front of it, is out of order",
            "check the service's health in the Microsoft 365 admin center, and the proxies on the way; then try again",
        ),
        _ => {
            findings.pass("Graph", "Microsoft Graph responded");
            return true;
        }
    };
    findings.fail(id, "Graph", says, remedy).code = Some(format!("HTTP {}", response.status));
    false
}
