//! Scripted discoveries: which request goes to which host, what it returns, and how the search ends.

use proptest::prelude::*;

use super::*;

const EWS: &str = "https://mail.example.com/EWS/Exchange.asmx";
const SOAP: &str = "https://autodiscover.example.com/autodiscover/autodiscover.svc";
const POX: &str = "https://autodiscover.example.com/autodiscover/autodiscover.xml";
const PROBE: &str = "http://autodiscover.example.com/autodiscover/autodiscover.xml";

fn room() -> RoomAddress {
    "room1@example.com".parse().unwrap()
}

fn policy(hosts: &[&str]) -> Policy {
    Policy::new(hosts.iter().map(|host| host.parse().unwrap()))
}

/// An organization with Exchange on premises: it has the hosts `autodiscover.` and `mail.`, and another web site at the
/// domain itself.
fn office() -> Policy {
    policy(&["autodiscover.example.com", "mail.example.com"])
}

fn http(status: u16, body: &str) -> DiscoveryResponse {
    DiscoveryResponse::Http { status, location: None, body: body.as_bytes().to_vec() }
}

fn redirect(to: &str) -> DiscoveryResponse {
    DiscoveryResponse::Http { status: 302, location: Some(to.to_owned()), body: Vec::new() }
}

fn json(url: &str) -> DiscoveryResponse {
    http(200, &format!(r#"{{"Protocol":"EWS","Url":"{url}"}}"#))
}

fn soap(user: &str) -> DiscoveryResponse {
    http(
        200,
        &format!(
            "<s:Envelope xmlns:s='x'><s:Body><GetUserSettingsResponseMessage><Response><ErrorCode>NoError</ErrorCode><UserResponses><UserResponse>{user}</UserResponse></UserResponses></Response></GetUserSettingsResponseMessage></s:Body></s:Envelope>"
        ),
    )
}

fn soap_url(url: &str) -> DiscoveryResponse {
    soap(&format!(
        "<UserSettings><UserSetting><Name>ExternalEwsUrl</Name><Value>{url}</Value></UserSetting></UserSettings>"
    ))
}

fn soap_error(code: &str, target: &str) -> DiscoveryResponse {
    soap(&format!("<ErrorCode>{code}</ErrorCode><RedirectTarget>{target}</RedirectTarget>"))
}

fn pox(account: &str) -> DiscoveryResponse {
    http(200, &format!("<Autodiscover><Response><Account>{account}</Account></Response></Autodiscover>"))
}

/// All requests, and how the search ended. Checks what holds for every request.
fn run(
    policy: &Policy,
    answer: impl Fn(&DiscoveryRequest) -> DiscoveryResponse,
) -> (Vec<DiscoveryRequest>, Result<DiscoveredServer, DiscoveryReport>) {
    let mut discovery = Discovery::new(&room(), policy);
    let mut requests: Vec<DiscoveryRequest> = Vec::new();
    loop {
        match discovery.next_step() {
            DiscoveryStep::Send(request) => {
                assert_eq!(
                    discovery.next_step(),
                    DiscoveryStep::Send(request.clone()),
                    "the step stays until its response is handled"
                );
                assert!(request.url.starts_with("https://") || request == probe(&request.url), "{request:?}");
                let host = host_of(&request.url);
                assert!(!request.credentials || policy.trusts(&host), "credentials to {host}");
                assert_eq!(request.credentials, request.method == http::Method::POST);
                assert!(requests.len() < 100, "it never ends");
                discovery.handle_response(answer(&request));
                requests.push(request);
            }
            DiscoveryStep::Found(found) => {
                assert!(policy.trusts(found.url.host()) && found.url.as_str().starts_with("https://"));
                assert_eq!(discovery.next_step(), DiscoveryStep::Found(found.clone()), "an end is an end");
                return (requests, Ok(found));
            }
            DiscoveryStep::Failed(report) => return (requests, Err(report)),
        }
    }
}

fn probe(url: &str) -> DiscoveryRequest {
    let (method, url) = (http::Method::GET, url.to_owned());
    DiscoveryRequest { method, url, headers: Vec::new(), body: String::new(), credentials: false }
}

fn host_of(url: &str) -> Host {
    url.split('/').nth(2).unwrap().parse().unwrap()
}

fn nobody(_: &DiscoveryRequest) -> DiscoveryResponse {
    DiscoveryResponse::Unreachable("no such name".to_owned())
}

fn urls(requests: &[DiscoveryRequest]) -> Vec<&str> {
    requests.iter().map(|request| request.url.as_str()).collect()
}

#[test]
fn the_first_host_finds_a_cloud_room_in_one_question_without_a_login() {
    let mut policy = policy(&["outlook.office365.com"]);
    policy.preferred_host = Some("outlook.office365.com".parse().unwrap());
    let (requests, end) = run(&policy, |_| json("https://outlook.office365.com/EWS/Exchange.asmx"));
    assert_eq!(
        urls(&requests),
        [
            "https://outlook.office365.com/autodiscover/autodiscover.json/v1.0/room1@example.com?Protocol=EWS&RedirectCount=0"
        ]
    );
    let found = end.unwrap();
    assert_eq!(found.url.as_str(), "https://outlook.office365.com/EWS/Exchange.asmx");
    assert_eq!(found.mailbox_address, room());
}

#[test]
fn an_old_server_without_json_is_asked_over_soap_and_then_pox() {
    let protocol = format!("<Protocol><Type>EXPR</Type><EwsUrl>{EWS}</EwsUrl></Protocol>");
    let (requests, end) = run(&office(), |request| match request.url.as_str() {
        POX => pox(&protocol),
        _ => http(404, "<html>"),
    });
    assert_eq!(urls(&requests)[2..], [SOAP, POX], "example.com is not trusted and gets no credentials");
    assert!(requests[2].headers.contains(&("X-AnchorMailbox", "room1@example.com".to_owned())));
    assert_eq!(end.unwrap().url.as_str(), EWS);
}

#[test]
fn what_is_led_to_by_plain_http_is_asked_over_https_and_only_when_confirmed() {
    let hoster = "https://exchange.hoster.example/autodiscover/autodiscover.xml";
    let answer = |request: &DiscoveryRequest| match request.url.as_str() {
        PROBE => redirect(hoster),
        "https://exchange.hoster.example/autodiscover/autodiscover.svc" => {
            soap_url("https://exchange.hoster.example/ews")
        }
        url if url.starts_with("https://exchange.hoster.example/") => http(404, ""),
        _ => nobody(request),
    };
    let (_, end) = run(&policy(&["*.hoster.example"]), answer);
    assert_eq!(end.unwrap().url.as_str(), "https://exchange.hoster.example/ews");

    let (requests, end) = run(&office(), answer);
    let report = end.unwrap_err();
    assert_eq!(report.cause(), Cause::Untrusted);
    assert_eq!(report.untrusted(), ["exchange.hoster.example".parse().unwrap()]);
    assert!(
        requests.last().unwrap().url.contains("autodiscover.json"),
        "the last request has no credentials: {requests:?}"
    );
}

#[test]
fn an_attackers_url_is_refused_and_the_search_goes_on() {
    let (_, end) = run(&office(), |request| match request.url.as_str() {
        SOAP => soap_url(EWS),
        url if url.starts_with("https://example.com/") => {
            json("https://mail.example.com.evil.net/EWS/Exchange.asmx")
        }
        _ => http(404, ""),
    });
    assert_eq!(end.unwrap().url.as_str(), EWS);
    for evil in [
        "http://mail.example.com/EWS",
        "https://mail.example.com@evil.net/",
        "https://mail.example.com:8443/",
        "x",
    ] {
        let (_, end) = run(&office(), |_| json(evil));
        assert!(end.is_err(), "{evil}");
    }
}

#[test]
fn of_two_urls_the_confirmed_one_is_taken() {
    let both = "<UserSettings><UserSetting><Name>ExternalEwsUrl</Name><Value>https://out.example.net/</Value></UserSetting><UserSetting><Name>InternalEwsUrl</Name><Value>https://mail.example.com/in</Value></UserSetting></UserSettings>";
    let (_, end) = run(&office(), |request| if request.url == SOAP { soap(both) } else { http(404, "") });
    assert_eq!(end.unwrap().url.as_str(), "https://mail.example.com/in");
}

#[test]
fn a_hybrid_room_is_asked_for_under_its_cloud_address() {
    let mut policy = office();
    policy.trusted.push("outlook.office365.com".parse().unwrap());
    policy.preferred_host = Some("outlook.office365.com".parse().unwrap());
    let (requests, end) = run(&policy, |request| match request.url.as_str() {
        SOAP => soap_error("RedirectAddress", "room1@contoso.mail.onmicrosoft.com"),
        url if url.contains("office365") && url.contains("mail.onmicrosoft.com") => {
            json("https://outlook.office365.com/EWS")
        }
        _ => http(404, ""),
    });
    assert_eq!(end.unwrap().mailbox_address.as_str(), "room1@contoso.mail.onmicrosoft.com");
    assert!(requests.last().unwrap().url.ends_with("RedirectCount=1"));
}

#[test]
fn an_answer_may_send_soap_and_pox_elsewhere() {
    let there = "https://mail.example.com/autodiscover/autodiscover";
    let (requests, end) = run(&office(), |request| match request.url.as_str() {
        SOAP => soap_error("RedirectUrl", &format!("{there}.xml")),
        url if url == format!("{there}.svc") => redirect("/Autodiscover/2/Autodiscover.svc"),
        "https://mail.example.com/Autodiscover/2/Autodiscover.svc" => soap_error("InvalidUser", ""),
        POX => pox(&format!("<Action>redirectUrl</Action><RedirectUrl>{there}.svc</RedirectUrl>")),
        url if url == format!("{there}.xml") => pox(&format!("<Protocol><EwsUrl>{EWS}</EwsUrl></Protocol>")),
        _ => http(404, ""),
    });
    assert_eq!(end.unwrap().url.as_str(), EWS);
    assert_eq!(requests.iter().filter(|request| request.credentials).count(), 5);
}

#[test]
fn an_unconfirmed_host_may_name_a_confirmed_one_but_not_ask_for_a_login() {
    let (requests, end) = run(&office(), |request| match request.url.as_str() {
        SOAP => redirect("https://cas.hoster.example/autodiscover/autodiscover.svc"),
        url if url.starts_with("https://cas.hoster.example/autodiscover/autodiscover.json/") => json(EWS),
        _ => http(404, ""),
    });
    assert_eq!(end.unwrap().url.as_str(), EWS);
    assert!(!requests.last().unwrap().credentials);
}

#[test]
fn circles_and_long_ways_end() {
    let (_, end) = run(&office(), |request| redirect(&request.url));
    let report = end.unwrap_err();
    assert_eq!(report.cause(), Cause::Redirects);
    let circles =
        report.attempts().iter().filter(|attempt| attempt.outcome.contains("it was requested before"));
    assert_eq!(circles.count(), 4, "all but the probe, which leads to plain HTTP: {report}");
    // Each redirect names another URL.
    let (requests, end) =
        run(&office(), |request| redirect(&format!("{}x&x=1", request.url.replace("http:", "https:"))));
    assert_eq!(end.unwrap_err().cause(), Cause::Redirects);
    assert!(requests.len() <= 16, "{}", requests.len());
    // An address that grows.
    let count = std::cell::Cell::new(0);
    let (requests, end) = run(&policy(&["*.example.com"]), |request| {
        count.set(count.get() + 1);
        if request.url == SOAP {
            soap_error("RedirectAddress", &format!("r{}@example.com", count.get()))
        } else {
            http(404, "")
        }
    });
    assert_eq!(end.unwrap_err().cause(), Cause::Redirects);
    assert!(requests.len() <= 40, "{}", requests.len());
    // Two addresses that name each other.
    let (_, end) = run(&office(), |request| {
        let other = if request.body.contains("room1") { "room2@example.com" } else { "room1@example.com" };
        if request.url == SOAP { soap_error("RedirectAddress", other) } else { http(404, "") }
    });
    assert_eq!(end.unwrap_err().cause(), Cause::Redirects);
}

#[test]
fn a_redirect_to_plain_http_or_out_of_autodiscover_is_not_followed() {
    for to in [
        "http://mail.example.com/autodiscover/autodiscover.svc",
        "https://mail.example.com/owa/auth/logon.aspx",
    ] {
        let (requests, end) = run(&office(), |_| redirect(to));
        assert!(
            requests.iter().all(|request| host_of(&request.url).as_str() != "mail.example.com"),
            "{requests:?}"
        );
        assert_eq!(end.unwrap_err().cause(), Cause::Redirects);
    }
}

#[test]
fn a_password_in_a_url_that_a_server_sends_is_not_shown_and_a_url_of_any_length_not_kept() {
    for evil in
        ["https://user:hunter2@mail.example.com/EWS", "https://user:hunter2/x@mail.example.com/autodiscover"]
    {
        for answer in
            [&(|_: &DiscoveryRequest| json(evil)) as &dyn Fn(&DiscoveryRequest) -> DiscoveryResponse, &|_| {
                redirect(evil)
            }]
        {
            let report = run(&office(), answer).1.unwrap_err().to_string();
            assert!(report.contains("…@mail.example.com") && !report.contains("hunter2"), "{report}");
        }
    }
    let long = format!("https://mail.example.com/EWS/{}", "x".repeat(1_000));
    assert!(run(&office(), |_| json(&long)).1.unwrap_err().to_string().contains("too long"));
}

#[test]
fn the_report_names_the_cause_and_every_step() {
    let cause = |policy: &Policy, answer: &dyn Fn(&DiscoveryRequest) -> DiscoveryResponse| {
        run(policy, answer).1.unwrap_err().cause()
    };
    assert_eq!(cause(&office(), &nobody), Cause::Network);
    assert_eq!(cause(&office(), &|_| http(404, "")), Cause::NoService);
    assert_eq!(cause(&office(), &|_| http(503, "")), Cause::ServerError);
    assert_eq!(cause(&office(), &|_| http(200, "<html>")), Cause::Malformed);
    assert_eq!(
        cause(&office(), &|request| http(if request.credentials { 401 } else { 404 }, "")),
        Cause::Credentials
    );
    let unknown = |request: &DiscoveryRequest| {
        if request.credentials { soap_error("InvalidUser", "") } else { http(404, "") }
    };
    assert_eq!(cause(&office(), &unknown), Cause::MailboxUnknown);
    let json = |_: &DiscoveryRequest| http(404, r#"{"ErrorCode":"UserNotFound"}"#);
    assert_eq!(cause(&office(), &json), Cause::MailboxUnknown);
    assert_eq!(cause(&policy(&[]), &|_| http(404, "")), Cause::Untrusted);
    assert_eq!(cause(&policy(&[]), &nobody), Cause::Network);
    // The web site responds and the trusted server does not; and vice versa.
    let site = |name: &'static str| {
        move |request: &DiscoveryRequest| {
            if host_of(&request.url).as_str() == name { http(404, "") } else { nobody(request) }
        }
    };
    assert_eq!(cause(&office(), &site("example.com")), Cause::Network);
    assert_eq!(cause(&policy(&["example.com"]), &site("example.com")), Cause::NoService);

    let report = run(&office(), nobody).1.unwrap_err();
    assert!(report.to_string().starts_with("no EWS URL for room1@example.com: no Autodiscover server"));
    assert_eq!(report.attempts().len(), 2 + 2 + 2 + 1);
}

#[test]
fn wrong_credentials_are_shown_to_a_host_once() {
    let (requests, end) = run(&policy(&["*.example.com", "example.com"]), |request| {
        http(if request.credentials { 401 } else { 404 }, "")
    });
    let shown = requests
        .iter()
        .filter(|request| request.credentials)
        .map(|request| host_of(&request.url).to_string());
    assert_eq!(shown.collect::<Vec<_>>(), ["example.com", "autodiscover.example.com"]);
    assert_eq!(end.unwrap_err().cause(), Cause::Credentials);
}

#[test]
fn a_settings_answer_with_an_error_status_is_not_believed() {
    let body = format!(r#"{{"Protocol":"EWS","Url":"{EWS}"}}"#);
    assert!(run(&office(), |_| http(500, &body)).1.is_err());
}

#[test]
fn a_body_beyond_the_limit_is_not_read() {
    let body = format!(r#"{{"Protocol":"EWS","Url":"{EWS}","x":"{}"}}"#, "x".repeat(BODY_BYTES_MAX));
    assert_eq!(run(&office(), |_| http(200, &body)).1.unwrap_err().cause(), Cause::Malformed);
}

#[test]
fn a_domain_in_another_script_is_said_so() {
    let mut discovery = Discovery::new(&"room1@bücher.example".parse().unwrap(), &office());
    let DiscoveryStep::Failed(report) = discovery.next_step() else { panic!("a request was sent") };
    assert_eq!(report.cause(), Cause::Malformed);
    assert!(report.to_string().contains("xn--"));
    discovery.handle_response(DiscoveryResponse::Incomplete("no request is pending".to_owned()));
}

#[tokio::test]
async fn the_shell_carries_a_quest_out_in_a_task() {
    struct ScriptedWeb(&'static str);
    let web = std::sync::Arc::new(ScriptedWeb(EWS));
    let discovery = Discovery::new(&room(), &office());
    let found = tokio::spawn(async move {
        let web = &web;
        discover(discovery, |request| async move {
            tokio::task::yield_now().await;
            if request.url == SOAP { soap_url(web.0) } else { http(404, "") }
        })
        .await
    });
    assert_eq!(found.await.unwrap().unwrap().url.as_str(), EWS);
}

fn any_answer() -> impl Strategy<Value = DiscoveryResponse> {
    let url_pattern = "(https?://)?(example\\.com|mail\\.example\\.com|evil\\.net)(:[0-9]{0,5})?/(autodiscover/)?[a-z./?]{0,8}";
    prop_oneof![
        Just(DiscoveryResponse::Unreachable("x".to_owned())),
        Just(DiscoveryResponse::Incomplete("x".to_owned())),
        (300_u16..310, proptest::option::of(url_pattern))
            .prop_map(|(status, location)| DiscoveryResponse::Http { status, location, body: Vec::new() }),
        (any::<u16>(), proptest::collection::vec(any::<u8>(), 0..40))
            .prop_map(|(status, body)| DiscoveryResponse::Http { status, location: None, body }),
        url_pattern.prop_map(|url| json(&url)),
        url_pattern.prop_map(|url| soap_url(&url)),
        url_pattern.prop_map(|url| soap_error("RedirectUrl", &url)),
        "[a-d]@[a-z.]{1,8}".prop_map(|address| soap_error("RedirectAddress", &address)),
        url_pattern
            .prop_map(|url| pox(&format!("<Action>redirectUrl</Action><RedirectUrl>{url}</RedirectUrl>"))),
        "\\PC{0,20}".prop_map(|location| redirect(&location)),
    ]
}

proptest! {
    /// Whatever servers return: the search ends, no untrusted host receives credentials, and no untrusted URL is found
    /// (`ends` checks).
    #[test]
    fn no_answers_lead_astray(answers in proptest::collection::vec(any_answer(), 1..50), wide: bool) {
        let policy = if wide { policy(&["*.example.com", "example.com"]) } else { office() };
        let next = std::cell::Cell::new(0);
        let _ = run(&policy, |_| {
            next.set(next.get() + 1);
            answers[next.get() % answers.len()].clone()
        });
    }
}
