//! Which mailboxes of one server may share a subscription group: requests the Autodiscover setting
//! `GroupingInformation` of many addresses at once. The request goes only to the server that hosts their EWS, so it
//! finds no new host.
//!
//! "Maintain affinity between a group of subscriptions and the Mailbox server": mailboxes with the same value and the
//! same EWS URL belong together. The value is compared, never interpreted. Exchange 2010 does not support the setting.

use super::batch::{BatchError, request, results};
use super::soap;
use super::{DiscoveryRequest, DiscoveryResponse};
use crate::calendar::RoomAddress;

/// Longest group name that is kept for each room; Exchange Online's have some fifty characters.
const GROUP_LEN_MAX: usize = 256;

const SETTING: &str = "GroupingInformation";

/// The request to the server of this EWS URL about these addresses, [`ADDRESSES_MAX`](super::batch::ADDRESSES_MAX) at most, with
/// credentials. `None` if it is no URL.
pub fn grouping_request(ews: &str, addresses: &[RoomAddress]) -> Option<DiscoveryRequest> {
    request(ews, "Exchange2013", addresses, &[SETTING])
}

/// Each address's group in the response to a request for `count` addresses, or none.
///
/// # Errors
/// When the response has no groups.
pub fn parse_grouping(answer: &DiscoveryResponse, count: usize) -> Result<Vec<Option<String>>, BatchError> {
    results(answer, count, |user| match soap::error(user) {
        Some(_) => None,
        None => soap::setting(user, SETTING).filter(|group| group.len() <= GROUP_LEN_MAX).map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::super::xml;
    use super::*;

    fn http(status: u16, content: &str) -> DiscoveryResponse {
        let body = format!(
            "<e:Envelope xmlns:e='x'><e:Body><GetUserSettingsResponseMessage><Response>{content}</Response></GetUserSettingsResponseMessage></e:Body></e:Envelope>"
        );
        DiscoveryResponse::Http { status, location: None, body: body.into_bytes() }
    }

    fn user(code: &str, group: &str) -> String {
        format!(
            "<UserResponse><ErrorCode>{code}</ErrorCode><UserSettings><UserSetting><Name>GroupingInformation</Name><Value>{group}</Value></UserSetting></UserSettings></UserResponse>"
        )
    }

    fn users(users: &[String]) -> DiscoveryResponse {
        http(200, &format!("<ErrorCode>NoError</ErrorCode><UserResponses>{}</UserResponses>", users.concat()))
    }

    #[test]
    fn it_is_asked_where_ews_is_and_about_all_of_them() {
        let rooms: Vec<RoomAddress> = ["a@example.com", "b'c@example.com"].map(|a| a.parse().unwrap()).into();
        let ask = grouping_request("https://mail.example.com:8443/EWS/Exchange.asmx?x", &rooms).unwrap();
        assert_eq!(ask.url, "https://mail.example.com:8443/autodiscover/autodiscover.svc");
        let envelope = xml::read(ask.body.as_bytes()).unwrap();
        let request = envelope.at(&["Body", "GetUserSettingsRequestMessage", "Request"]).unwrap();
        let addresses = request.child("Users").unwrap().children.iter().map(|user| user.text_of("Mailbox"));
        assert!(addresses.eq([Some("a@example.com"), Some("b'c@example.com")]));
        assert_eq!(request.child("RequestedSettings").unwrap().text_of("Setting"), Some(SETTING));
        assert_eq!(grouping_request("/EWS/Exchange.asmx", &rooms), None);
    }

    #[test]
    fn each_address_has_its_group_or_none() {
        let long = users(&[user("NoError", &"x".repeat(GROUP_LEN_MAX + 1))]);
        assert_eq!(parse_grouping(&long, 1), Ok(vec![None]), "a name of any length is not kept");
        let answer = users(&[user("NoError", "site-1"), user("InvalidUser", "site-1"), user("NoError", "")]);
        assert_eq!(parse_grouping(&answer, 3), Ok(vec![Some("site-1".to_owned()), None, None]));
        assert!(
            matches!(parse_grouping(&answer, 2), Err(BatchError::Permanent(_))),
            "the third belongs to an unknown address"
        );
        assert!(matches!(parse_grouping(&answer, 4), Err(BatchError::Permanent(_))));
    }

    #[test]
    fn what_passes_is_told_from_what_lasts() {
        let transient = [
            http(503, ""),
            http(200, "<ErrorCode>ServerBusy</ErrorCode>"),
            DiscoveryResponse::Unreachable("no".to_owned()),
            DiscoveryResponse::Incomplete("cut".to_owned()),
        ];
        assert!(
            transient.iter().all(|answer| matches!(parse_grouping(answer, 1), Err(BatchError::Transient(_))))
        );
        let permanent = [
            http(401, ""),
            http(404, ""),
            http(302, ""),
            DiscoveryResponse::SignInFailed("no".to_owned()),
            http(200, "<ErrorCode>InvalidRequest</ErrorCode>"),
            DiscoveryResponse::Http { status: 200, location: None, body: b"<html>".to_vec() },
        ];
        assert!(
            permanent.iter().all(|answer| matches!(parse_grouping(answer, 1), Err(BatchError::Permanent(_))))
        );
    }
}
