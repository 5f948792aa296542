//! Warns of the end of EWS in Exchange Online (message center MC1227454; Microsoft, "Control access to EWS in Exchange"). Sends
//! nothing.

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

use super::{FindingId, Findings};

/// The hosts of EWS in Microsoft's clouds; a name below one of them is of Exchange Online too.
const HOSTS: &[&str] = &[
    "outlook.office365.com",
    "outlook.office.com",
    "outlook.office365.us",
    "outlook-dod.office365.us",
    "partner.outlook.cn",
];
/// The first day without EWS.
const RETIREMENT: Option<NaiveDate> = NaiveDate::from_ymd_opt(2027, 4, 1);

/// Warns if one of these servers is of Exchange Online.
pub(super) fn check_retirement(urls: &[String], now: DateTime<Utc>, findings: &mut Findings) {
    let Some(day) = RETIREMENT.filter(|_| urls.iter().any(|url| is_exchange_online(url))) else { return };
    let days = (day.and_time(NaiveTime::MIN).and_utc() - now).num_days();
    let says = match days {
        ..=0 => "Exchange Online turned EWS off on 1 April 2027".to_owned(),
        1 => "Exchange Online turns EWS off on 1 April 2027, in 1 day".to_owned(),
        days => format!("Exchange Online turns EWS off on 1 April 2027, in {days} days"),
    };
    let remedy = "move the rooms to protocol = \"graph\" (adjourn setup --deployment online --protocol both prints the commands); until \
                  then: Set-OrganizationConfig -EwsEnabled $true -EwsAllowedAppIDs \"CLIENT-ID\", and to see it: \
                  Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy | fl Ews*, Get-CASMailbox ROOM | fl Ews*; a change \
                  takes up to 24 hours";
    findings.warn(FindingId::EwsRetirement, "EWS", says, remedy);
}

fn is_exchange_online(url: &str) -> bool {
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest).split(['/', '?', '#']).next();
    let host = authority.unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.').to_ascii_lowercase();
    HOSTS
        .iter()
        .any(|known| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONLINE: &str = "https://outlook.office365.com/EWS/Exchange.asmx";

    fn warning(url: &str, now: &str) -> Option<String> {
        let mut findings = Findings { connection: "default".to_owned(), all: Vec::new() };
        check_retirement(&[url.to_owned()], now.parse().unwrap(), &mut findings);
        findings.all.pop().map(|finding| {
            assert_eq!(finding.id, Some(FindingId::EwsRetirement));
            finding.message
        })
    }

    #[test]
    fn the_days_left_are_counted_by_the_clock_that_is_passed_in() {
        let says = |now| warning(ONLINE, now).unwrap();
        assert!(says("2026-12-01T08:00:00Z").ends_with("in 120 days"));
        assert!(says("2027-03-30T23:59:00Z").ends_with("in 1 day"));
        assert!(says("2027-04-01T00:00:00Z").contains("turned EWS off"));
    }

    #[test]
    fn servers_on_premises_and_other_names_are_not_meant() {
        let now = "2026-12-01T08:00:00Z";
        for other in [
            "https://mail.example.com/EWS/Exchange.asmx",
            "https://outlook.office365.com.example.org/EWS/Exchange.asmx",
            "https://notoutlook.office365.com/EWS/Exchange.asmx",
            "",
        ] {
            assert_eq!(warning(other, now), None, "{other}");
        }
        for cloud in
            ["https://OUTLOOK.office365.us:443/EWS/Exchange.asmx", "https://eur.outlook.office365.com/"]
        {
            assert!(warning(cloud, now).is_some(), "{cloud}");
        }
    }
}
