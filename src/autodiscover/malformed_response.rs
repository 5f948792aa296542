//! Why a body is not a response of Autodiscover. A web site returns a page for any URL, so this is no error of a server.

use super::xml::XmlError;

/// Why a body is not a response of the protocol that was requested.
#[derive(Debug, thiserror::Error)]
pub(super) enum MalformedResponse {
    #[error(transparent)]
    Xml(#[from] XmlError),
    #[error("not a JSON response")]
    Json(#[from] serde_json::Error),
    /// Autodiscover v2 returned the URL of another protocol.
    #[error("a result for {0}, not for EWS")]
    OtherProtocol(String),
    /// Autodiscover v2 returned an object without either member.
    #[error("neither a URL nor an error in the response")]
    NoUrl,
    #[error("not a SOAP envelope")]
    NotSoap,
    #[error("not a GetUserSettings response")]
    NotUserSettings,
    #[error("no result for the address")]
    NoResult,
    /// The root of a POX response has another name.
    #[error("not an Autodiscover response")]
    NotPox,
    #[error("no Response element")]
    NoResponseElement,
    #[error("neither an Account nor an Error element")]
    NoAccount,
    /// A request without credentials has no other result.
    #[error("only a redirect is a result of this request")]
    NotARedirect,
}
