//! The EWS URLs of many rooms of one domain in one request, once the server of one of them is known. A room whose result is anything
//! but a URL on a trusted host has none here, and is searched alone ([`Discovery`](super::Discovery)). Pure.

use super::batch::{BatchError, request, results};
use super::url::{EwsUrl, HttpsUrl};
use super::{DiscoveryRequest, DiscoveryResponse, Policy, soap};
use crate::calendar::RoomAddress;

/// The external URL first: its name resolves elsewhere too.
const SETTINGS: [&str; 2] = ["ExternalEwsUrl", "InternalEwsUrl"];

/// The request to the server of this EWS URL about these rooms, [`ADDRESSES_MAX`](super::batch::ADDRESSES_MAX) at most. It carries
/// credentials, so there is none for a server whose host is not trusted.
pub fn locations_request(ews: &EwsUrl, rooms: &[RoomAddress], policy: &Policy) -> Option<DiscoveryRequest> {
    if !policy.trusts(ews.host()) {
        return None;
    }
    request(ews.as_str(), "Exchange2010", rooms, &SETTINGS)
}

/// Each room's EWS URL in the response to a request for `count` rooms, or none.
///
/// # Errors
/// When the response has no results.
pub fn parse_locations(
    answer: &DiscoveryResponse,
    count: usize,
    policy: &Policy,
) -> Result<Vec<Option<EwsUrl>>, BatchError> {
    results(answer, count, |user| {
        if soap::error(user).is_some() {
            return None;
        }
        let urls = SETTINGS.iter().filter_map(|name| soap::setting(user, name));
        let mut urls = urls.filter_map(|url| HttpsUrl::parse(url).ok());
        urls.find(|url| policy.trusts(url.host())).map(|url| EwsUrl::on_trusted_host(&url))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy() -> Policy {
        Policy::new(["mail.example.com".parse().unwrap()])
    }

    fn ews(host: &str) -> EwsUrl {
        EwsUrl::on_trusted_host(&HttpsUrl::parse(&format!("https://{host}/EWS/Exchange.asmx")).unwrap())
    }

    fn user(code: &str, settings: &[(&str, &str)]) -> String {
        let setting = |(name, value): &(&str, &str)| {
            format!("<UserSetting><Name>{name}</Name><Value>{value}</Value></UserSetting>")
        };
        let settings: String = settings.iter().map(setting).collect();
        format!(
            "<UserResponse><ErrorCode>{code}</ErrorCode><UserSettings>{settings}</UserSettings></UserResponse>"
        )
    }

    fn answer(users: &[String]) -> DiscoveryResponse {
        let body = format!(
            "<e:Envelope xmlns:e='x'><e:Body><GetUserSettingsResponseMessage><Response><ErrorCode>NoError</ErrorCode><UserResponses>{}</UserResponses></Response></GetUserSettingsResponseMessage></e:Body></e:Envelope>",
            users.concat()
        );
        DiscoveryResponse::Http { status: 200, location: None, body: body.into_bytes() }
    }

    #[test]
    fn credentials_go_to_trusted_hosts_only() {
        let rooms = ["a@example.com".parse().unwrap()];
        let request = locations_request(&ews("mail.example.com"), &rooms, &policy()).unwrap();
        assert_eq!(request.url, "https://mail.example.com/autodiscover/autodiscover.svc");
        assert_eq!(locations_request(&ews("elsewhere.example"), &rooms, &policy()), None);
    }

    #[test]
    fn a_room_has_a_url_on_a_trusted_host_or_none() {
        let good = "https://mail.example.com/EWS/Exchange.asmx";
        let bad = "https://elsewhere.example/EWS/Exchange.asmx";
        let users = [
            user("NoError", &[("ExternalEwsUrl", good)]),
            user("NoError", &[("ExternalEwsUrl", bad), ("InternalEwsUrl", good)]),
            user("NoError", &[("ExternalEwsUrl", bad)]),
            user("NoError", &[]),
            user("RedirectAddress", &[("ExternalEwsUrl", good)]),
            user("InvalidUser", &[]),
        ];
        let found = parse_locations(&answer(&users), 6, &policy()).unwrap();
        let expected = ews("mail.example.com");
        assert_eq!(found, [Some(expected.clone()), Some(expected), None, None, None, None]);
        assert!(parse_locations(&answer(&users), 5, &policy()).is_err());
    }
}
