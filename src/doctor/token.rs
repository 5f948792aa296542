//! The finding of a token endpoint that issues no token, by the codes of Entra ID ("Microsoft Entra authentication and
//! authorization error codes"). Pure.

use super::FindingId;
use crate::action::ResponsibleParty;

/// What the code of Entra ID names.
struct TokenRefusal {
    code: &'static str,
    id: FindingId,
    message: &'static str,
    remedy: &'static str,
}

const REFUSALS: &[TokenRefusal] = &[
    TokenRefusal {
        code: "AADSTS7000215",
        id: FindingId::ClientSecretRejected,
        message: "the token endpoint rejects the client secret",
        remedy: "configure the secret's value, not its id, of this application; then check tenant and client_id",
    },
    TokenRefusal {
        code: "AADSTS7000222",
        id: FindingId::ClientSecretExpired,
        message: "the client secret has expired",
        remedy: "create a new secret in Entra (App registrations > Certificates & secrets) and configure its value, or use a \
                 certificate or a managed identity",
    },
    TokenRefusal { code: "AADSTS90002", id: FindingId::TenantNotFound, message: NO_TENANT, remedy: TENANT },
    TokenRefusal { code: "AADSTS900023", id: FindingId::TenantNotFound, message: NO_TENANT, remedy: TENANT },
    TokenRefusal {
        code: "AADSTS700016",
        id: FindingId::ApplicationNotFound,
        message: "the tenant has no application with this client_id",
        remedy: "check client_id (the application's id, not the object id) and tenant, and that an administrator of the tenant \
                 has added the application",
    },
    TokenRefusal {
        code: "AADSTS7000112",
        id: FindingId::ApplicationNotFound,
        message: "the application is disabled in the tenant",
        remedy: "enable the enterprise application in Entra (Properties > Enabled for users to sign-in)",
    },
    TokenRefusal {
        code: "AADSTS1002012",
        id: FindingId::TokenScopeRejected,
        message: NO_SCOPE,
        remedy: SCOPE,
    },
    TokenRefusal { code: "AADSTS70011", id: FindingId::TokenScopeRejected, message: NO_SCOPE, remedy: SCOPE },
    TokenRefusal {
        code: "AADSTS500011",
        id: FindingId::TokenScopeRejected,
        message: NO_SCOPE,
        remedy: SCOPE,
    },
    TokenRefusal {
        code: "AADSTS700027",
        id: FindingId::ClientAssertionRejected,
        message: NO_PROOF,
        remedy: PROOF,
    },
    TokenRefusal {
        code: "AADSTS70021",
        id: FindingId::ClientAssertionRejected,
        message: NO_PROOF,
        remedy: PROOF,
    },
    TokenRefusal {
        code: "AADSTS700211",
        id: FindingId::ClientAssertionRejected,
        message: NO_PROOF,
        remedy: PROOF,
    },
    TokenRefusal {
        code: "AADSTS700212",
        id: FindingId::ClientAssertionRejected,
        message: NO_PROOF,
        remedy: PROOF,
    },
    TokenRefusal {
        code: "AADSTS700213",
        id: FindingId::ClientAssertionRejected,
        message: NO_PROOF,
        remedy: PROOF,
    },
];

const NO_TENANT: &str = "the token endpoint knows no such tenant";
const TENANT: &str = "check oauth.tenant (a domain name or the tenant's id) and oauth.cloud";
const NO_SCOPE: &str = "the token endpoint does not accept the scope";
const SCOPE: &str = "remove oauth.scope, so that it follows from the cloud, or end it in /.default";
const NO_PROOF: &str = "the token endpoint rejects the certificate or the assertion of the application";
const PROOF: &str = "register this certificate with the application in Entra, or correct issuer, subject and audience of its \
                     federated credential; then check this machine's clock";

/// The finding, its message, and the remedy. `code` is the endpoint's own reason.
pub(super) fn token_finding(responsible: ResponsibleParty, code: &str) -> (FindingId, String, &'static str) {
    if responsible != ResponsibleParty::Administrator {
        return (
            FindingId::TokenEndpointUnreachable,
            "the token endpoint cannot be reached".to_owned(),
            "check that this machine reaches the token endpoint (proxy, firewall)",
        );
    }
    match REFUSALS.iter().find(|refusal| has_code(code, refusal.code)) {
        Some(refusal) => (refusal.id, refusal.message.to_owned(), refusal.remedy),
        None => (
            FindingId::TokenNotIssued,
            "the token endpoint issues no token to the application".to_owned(),
            "check tenant and client_id, and that the secret has not expired or the certificate is registered",
        ),
    }
}

/// Whether the text has this code, and not one that begins with it.
fn has_code(text: &str, code: &str) -> bool {
    let is_end = |rest: &str| !rest.starts_with(|next: char| next.is_ascii_digit());
    text.split(code).skip(1).any(is_end)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(responsible: ResponsibleParty, code: &str) -> FindingId {
        token_finding(responsible, code).0
    }

    #[test]
    fn a_code_is_read_as_a_whole() {
        let administrator = ResponsibleParty::Administrator;
        assert_eq!(id(administrator, "invalid_request: AADSTS90002: Tenant 'x'"), FindingId::TenantNotFound);
        assert_eq!(id(administrator, "AADSTS900021: Requested tenant identifier"), FindingId::TokenNotIssued);
        assert_eq!(id(administrator, "AADSTS700211"), FindingId::ClientAssertionRejected);
        assert_eq!(id(administrator, "HTTP 404"), FindingId::TokenNotIssued);
    }

    #[test]
    fn an_endpoint_that_cannot_be_reached_refuses_nothing() {
        assert_eq!(id(ResponsibleParty::Network, "AADSTS7000222"), FindingId::TokenEndpointUnreachable);
    }
}
