//! `GetUserSettings` for many addresses in one request, to the server that hosts EWS of one of them: so it finds no new host. Pure.

use http::Uri;

use super::candidates::SOAP_PATH;
use super::malformed_response::MalformedResponse;
use super::report::excerpt;
use super::soap;
use super::xml::XmlNode;
use super::{BODY_BYTES_MAX, DiscoveryRequest, DiscoveryResponse, ParsedResponse, xml};
use crate::calendar::RoomAddress;
use crate::http::error::error_chain;

/// Addresses of one request: Exchange's default limit in web.config (`MaxUsersPerGetUserSettingsRequest`).
pub const ADDRESSES_MAX: usize = 90;

/// Why a server returned no results.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BatchError {
    /// A later request would fail too.
    Permanent(String),
    /// A later request may succeed.
    Transient(String),
}

/// The request to the server of this EWS URL about these addresses, with credentials. `None` if it is no URL.
pub(super) fn request(
    ews: &str,
    release: &str,
    addresses: &[RoomAddress],
    settings: &[&str],
) -> Option<DiscoveryRequest> {
    let ews: Uri = ews.parse().ok()?;
    let url = format!("{}://{}{SOAP_PATH}", ews.scheme_str()?, ews.authority()?);
    let body = soap::envelope(&url, release, addresses, settings);
    let headers = vec![super::discovery::xml_content(), soap::action()];
    Some(DiscoveryRequest { method: http::Method::POST, url, headers, body, credentials: true })
}

/// The result of each address in the response to a request for `count` addresses, as `read` takes it.
///
/// # Errors
/// When the response has no such results. Results name no address; they are in the order of the request, so one too few or too many
/// makes all useless.
pub(super) fn results<T>(
    answer: &DiscoveryResponse,
    count: usize,
    read: impl Fn(&XmlNode) -> T,
) -> Result<Vec<T>, BatchError> {
    let body = match answer {
        DiscoveryResponse::Http { status: 200, body, .. } => body,
        DiscoveryResponse::Http { status: status @ (408 | 429 | 500..), .. } => {
            return Err(BatchError::Transient(format!("HTTP {status}")));
        }
        DiscoveryResponse::Http { status, .. } => {
            return Err(BatchError::Permanent(format!("HTTP {status}")));
        }
        DiscoveryResponse::Unreachable(why) | DiscoveryResponse::Incomplete(why) => {
            return Err(BatchError::Transient(why.clone()));
        }
        DiscoveryResponse::SignInFailed(why) => return Err(BatchError::Permanent(why.clone())),
    };
    if body.len() > BODY_BYTES_MAX {
        return Err(BatchError::Permanent("its response is too long".to_owned()));
    }
    let envelope = xml::read(body).map_err(|error| malformed(&error.into()))?;
    let users = match soap::users(&envelope).map_err(|error| malformed(&error))? {
        Ok(users) => users,
        Err(ParsedResponse::Busy(error)) => return Err(BatchError::Transient(error)),
        Err(error) => return Err(BatchError::Permanent(excerpt(&format!("{error:?}")))),
    };
    match users.len() == count {
        true => Ok(users.into_iter().map(read).collect()),
        false => {
            Err(BatchError::Permanent(format!("it returned {} results for {count} addresses", users.len())))
        }
    }
}

fn malformed(error: &MalformedResponse) -> BatchError {
    BatchError::Permanent(error_chain(error))
}
