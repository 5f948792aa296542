//! The candidate requests for an address, in order. Derives URLs from names; handles no response.

use super::json;
use super::policy::{Host, Policy};
use super::url::HttpsUrl;
use crate::calendar::RoomAddress;

/// "Generate a list of Autodiscover endpoints": derive from the domain, then add the extension of the service.
pub(super) const SOAP_PATH: &str = "/autodiscover/autodiscover.svc";
pub(super) const POX_PATH: &str = "/autodiscover/autodiscover.xml";

/// The protocol of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// Autodiscover v2: GET, without credentials.
    Json,
    /// `GetUserSettings`.
    Soap,
    /// Plain old XML, in Outlook's schema.
    Pox,
    /// Plain HTTP, for the redirect that it may return (MS-OXDISCO 3.1.5.4). Sends nothing but the path.
    Probe,
}

/// One request at one URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) protocol: Protocol,
    /// For a probe: host and path of the plain HTTP request.
    pub(super) url: HttpsUrl,
}

impl Protocol {
    pub(super) fn needs_login(self) -> bool {
        matches!(self, Self::Soap | Self::Pox)
    }

    /// The candidate that a redirect in this protocol names. Servers redirect SOAP clients to the POX file, and vice
    /// versa.
    pub(super) fn at(self, url: HttpsUrl) -> Candidate {
        let url = match self {
            Self::Json | Self::Probe => url,
            Self::Soap => url.with_extension(".svc"),
            Self::Pox => url.with_extension(".xml"),
        };
        Candidate { protocol: self, url }
    }
}

impl Candidate {
    pub(super) fn json(host: &Host, address: &RoomAddress, redirects: usize) -> Self {
        let url = HttpsUrl::new(host.clone(), json::path(address, redirects));
        Self { protocol: Protocol::Json, url }
    }

    pub(super) fn soap(host: &Host) -> Self {
        Self { protocol: Protocol::Soap, url: HttpsUrl::new(host.clone(), SOAP_PATH) }
    }

    fn pox(host: &Host) -> Self {
        Self { protocol: Protocol::Pox, url: HttpsUrl::new(host.clone(), POX_PATH) }
    }
}

/// The hosts that can have an address: the preferred one, the domain, `autodiscover.`domain.
pub(super) fn hosts(address: &RoomAddress, policy: &Policy) -> Vec<Host> {
    let (domain, autodiscover) = of_domain(address.domain());
    let mut hosts = Vec::new();
    for host in policy.preferred_host.clone().into_iter().chain(domain).chain(autodiscover) {
        if !hosts.contains(&host) {
            hosts.push(host);
        }
    }
    hosts
}

/// All candidates for an address. The JSON requests come before the first one with credentials.
pub(super) fn candidates(address: &RoomAddress, policy: &Policy, redirects: usize) -> Vec<Candidate> {
    let hosts = hosts(address, policy);
    let json = hosts.iter().map(|host| Candidate::json(host, address, redirects));
    let soap = hosts.iter().map(Candidate::soap);
    let pox = hosts.iter().map(Candidate::pox);
    let (_, autodiscover) = of_domain(address.domain());
    let probe =
        autodiscover.map(|host| Candidate { protocol: Protocol::Probe, url: HttpsUrl::new(host, POX_PATH) });
    json.chain(soap).chain(pox).chain(probe).collect()
}

/// No host if the domain is not a host name, such as one in another script.
fn of_domain(domain: &str) -> (Option<Host>, Option<Host>) {
    // A colon would be read as the start of a port.
    let host =
        |name: String| Some(name).filter(|name| !name.contains(':')).and_then(|name| name.parse().ok());
    (host(domain.to_owned()), host(format!("autodiscover.{domain}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order_of(address: &str, policy: &Policy) -> Vec<String> {
        let all = candidates(&address.parse().unwrap(), policy, 0);
        all.iter().map(|one| format!("{:?} {}", one.protocol, one.url)).collect()
    }

    #[test]
    fn the_order_is_the_documented_one() {
        let mut policy = Policy::new([]);
        policy.preferred_host = Some("outlook.office365.com".parse().unwrap());
        let json = "autodiscover/autodiscover.json/v1.0/a%2Bb@x.example?Protocol=EWS&RedirectCount=0";
        assert_eq!(
            order_of("a+b@x.example", &policy),
            [
                format!("Json https://outlook.office365.com/{json}"),
                format!("Json https://x.example/{json}"),
                format!("Json https://autodiscover.x.example/{json}"),
                "Soap https://outlook.office365.com/autodiscover/autodiscover.svc".to_owned(),
                "Soap https://x.example/autodiscover/autodiscover.svc".to_owned(),
                "Soap https://autodiscover.x.example/autodiscover/autodiscover.svc".to_owned(),
                "Pox https://outlook.office365.com/autodiscover/autodiscover.xml".to_owned(),
                "Pox https://x.example/autodiscover/autodiscover.xml".to_owned(),
                "Pox https://autodiscover.x.example/autodiscover/autodiscover.xml".to_owned(),
                "Probe https://autodiscover.x.example/autodiscover/autodiscover.xml".to_owned(),
            ]
        );
    }

    #[test]
    fn a_domain_that_is_no_host_is_not_asked() {
        for address in ["a@b/c", "a@b?c", "a@b#c", "a@b%2f", "a@bücher.example", "a@b..c"] {
            assert_eq!(order_of(address, &Policy::new([])), Vec::<String>::new(), "{address}");
        }
    }
}
