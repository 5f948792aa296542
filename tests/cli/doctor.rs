//! `adjourn doctor` against misconfigured Exchanges, one known mistake each: the first line names the cause.

use adjourn::sim::{
    AuthScheme, Authority, AuthorityOptions, ExchangeRelease, ExtendedProtection, FaultRule, InjectedFault,
    ProxyOptions, ProxyServer, ServerIdentity, SimulatorOptions, TokenFault, World,
};
use adjourn_test::{CommandOutput, Installation, host, now, room_name, simulator_with};
use chrono::TimeDelta;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;

use crate::installed::{PROGRAM, world_of_formulas};

const OUTSIDER: &str = "ceo@example.com";

/// A simulated Exchange and the configuration for it.
struct DoctorFixture {
    office: Installation,
    /// `[server]` without the URL and the CA.
    server: String,
    url: Option<String>,
    ca: bool,
    scope: Vec<String>,
    outsider: &'static str,
}

impl DoctorFixture {
    async fn of(world: World, options: SimulatorOptions) -> Self {
        let sim = simulator_with(world, options).await;
        let office = Installation::new(PROGRAM, sim);
        if let Some(pem) = office.sim.ca_pem() {
            std::fs::write(office.path("ca.pem"), pem).unwrap();
        }
        let server = format!("username = '{}'\n", SimulatorOptions::default().username);
        let scope = (0..3).map(room_name).collect();
        Self { office, server, url: None, ca: true, scope, outsider: OUTSIDER }
    }

    /// A correct setup, over TLS.
    async fn right(options: SimulatorOptions) -> Self {
        Self::of(people(), SimulatorOptions { tls: true, ..options }).await
    }

    fn server(mut self, more: &str) -> Self {
        self.server.push_str(more);
        self
    }

    async fn examined(&self, args: &[&str]) -> CommandOutput {
        let url = self.url.clone().unwrap_or_else(|| self.office.sim.url());
        let ca = if self.ca && self.office.sim.ca_pem().is_some() { "ca_file = \"ca.pem\"\n" } else { "" };
        let at = if self.server.contains("url = \"autodiscover\"") {
            String::new()
        } else {
            format!("url = \"{url}\"\n")
        };
        let text = format!(
            "[server]\n{at}{ca}connect_timeout_s = 2\nfirst_byte_timeout_s = 3\noperation_timeout_s = 4\n{}\n[scope]\nrooms = {:?}\n\
             [doctor]\nout_of_scope = [\"{}\"]\n",
            self.server, self.scope, self.outsider
        );
        std::fs::write(self.office.path("adjourn.toml"), text).unwrap();
        self.office.run(&[&["doctor"], args].concat()).await
    }

    /// Checks that the doctor's first line names this cause, and that its exit code is a failure.
    async fn says(&self, cause: &str) {
        let said = self.examined(&[]).await;
        let first = said.out.lines().next().unwrap_or_default();
        assert!(first.contains(cause), "wanted: {cause}\n{}\n{}", said.out, said.err);
        let fails = first.starts_with("FAIL");
        assert_eq!(said.code, if fails { 5 } else { 0 }, "{}", said.out);
        let json: Value = self.examined(&["--json"]).await.json();
        assert_eq!(json["status"], if fails { "fail" } else { "warn" });
        let findings = json["findings"].as_array().unwrap();
        let worst = findings.iter().find(|finding| finding["status"] == json["status"]).unwrap();
        assert!(worst["remedy"].as_str().is_some_and(|remedy| remedy.len() > 10), "{worst}");
        let id = worst["id"].as_str().unwrap_or_default();
        assert!(first.contains(&format!("[{id}]")) && !id.is_empty(), "{worst}: {first}");
    }
}

/// Three rooms in reach of the account, and one mailbox that is not.
fn people() -> World {
    let mut world = world_of_formulas(3);
    world.add_user(&adjourn::sim::Person::new("Cleo", OUTSIDER));
    world.allow_impersonation_of((0..3).map(room_name).collect::<Vec<_>>().iter().map(String::as_str));
    world
}

fn ntlm(options: SimulatorOptions) -> SimulatorOptions {
    SimulatorOptions { schemes: vec![AuthScheme::Negotiate, AuthScheme::Ntlm], ..options }
}

/// A certificate for this name from its own CA.
fn certificate(name: &str, change: impl FnOnce(&mut CertificateParams)) -> ServerIdentity {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let key = KeyPair::generate().unwrap();
    let mut leaf = CertificateParams::new(vec![name.to_owned()]).unwrap();
    change(&mut leaf);
    let certificates_pem = leaf.signed_by(&key, &Issuer::new(ca, ca_key)).unwrap().pem();
    ServerIdentity { certificates_pem, key_pem: key.serialize_pem(), ca_pem }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_up_right_passes_and_its_rights_to_write_are_proven() {
    let site = DoctorFixture::right(ntlm(SimulatorOptions::default())).await.server("auth = \"ntlm\"\n");
    let said = site.examined(&["--write-test", &room_name(0)]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.starts_with("pass  everything is set up ("), "{}", said.out);
    for line in [
        "pass  default: sign-in: the server accepts the account (build 15.",
        "pass  default: impersonation: the account may act in all 3 configured rooms",
        "pass  default: scope: ceo@example.com is refused, as it must be (ErrorImpersonateUserDenied)",
        "pass  room0@example.com: write: created, shortened and removed an event (now in Deleted Items)",
        "pass  room0@example.com: end on an attendee copy: Exchange accepts a new end alone",
    ] {
        assert!(said.out.contains(line), "{line}\n{}", said.out);
    }
    let far = now() + TimeDelta::days(390);
    let left = site.office.sim.world(|world| world.events(&room_name(0), far, far + TimeDelta::days(30)));
    assert!(left.is_empty(), "{left:?}");
    assert!(site.office.sim.outbox().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_and_what_stands_in_it() {
    let mut site = DoctorFixture::right(SimulatorOptions::default()).await;
    site.url = Some("https://no-such-host.invalid/EWS/Exchange.asmx".to_owned());
    site.says("FAIL  default: name resolution: ").await; // 1
    site.url = Some("https://127.0.0.1:1/EWS/Exchange.asmx".to_owned());
    site.says("FAIL  default: connection: ").await; // 2

    let login = Some(("proxy".to_owned(), "open".to_owned()));
    let proxy =
        ProxyServer::start(ProxyOptions { credentials: login, ..ProxyOptions::default() }).await.unwrap();
    let mut site = DoctorFixture::right(SimulatorOptions::default())
        .await
        .server(&format!("proxy = {{ url = \"{}\" }}\n", proxy.url()));
    site.says("FAIL  default: proxy: ").await; // 3
    site.office.write_secret("secret", "open\n");
    site.server = format!(
        "username = '{}'\nproxy = {{ url = \"{}\", username = \"proxy\", password = {{ file = \"secret\" }} }}\n",
        SimulatorOptions::default().username,
        proxy.url()
    );
    let through = site.examined(&[]).await;
    assert_eq!(through.code, 0, "{}", through.out);
    assert!(!proxy.tunnels().is_empty());
}

/// The proxy lets nothing through, so no request leaves this machine.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_exchange_online_over_ews_has_days_left() {
    let closed = ProxyOptions { allowed: Some(Vec::new()), ..ProxyOptions::default() };
    let proxy = ProxyServer::start(closed).await.unwrap();
    let mut site = DoctorFixture::right(SimulatorOptions::default())
        .await
        .server(&format!("proxy = {{ url = \"{}\" }}\n", proxy.url()));
    let warnings = |said: &CommandOutput| -> Vec<Value> {
        let findings = said.json()["findings"].as_array().unwrap().clone();
        findings.into_iter().filter(|finding| finding["id"] == "ews-retirement").collect()
    };
    assert_eq!(warnings(&site.examined(&["--json"]).await), Vec::<Value>::new());
    site.url = Some("https://outlook.office365.com/EWS/Exchange.asmx".to_owned());
    let found = warnings(&site.examined(&["--json"]).await);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0]["status"], "warn");
    assert!(found[0]["message"].as_str().unwrap().contains("EWS off on 1 April 2027"), "{found:?}");
    let remedy = found[0]["remedy"].as_str().unwrap();
    for command in ["--protocol both", "-EwsAllowedAppIDs", "Get-CASMailbox ROOM"] {
        assert!(remedy.contains(command), "{command}: {remedy}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates() {
    let mut site = DoctorFixture::right(SimulatorOptions::default()).await;
    site.ca = false;
    site.says("FAIL  default: certificate: ").await; // 4
    site.ca = true;

    let over = certificate("127.0.0.1", |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1));
    let site =
        DoctorFixture::right(SimulatorOptions { identity: Some(over), ..SimulatorOptions::default() }).await;
    site.says("the certificate has expired").await; // 5

    let other = certificate("mail.example.com", |_| {});
    let site =
        DoctorFixture::right(SimulatorOptions { identity: Some(other), ..SimulatorOptions::default() }).await;
    site.says("the certificate is for another name").await;

    let stranger = certificate("svc-adjourn", |_| {});
    let site = DoctorFixture::right(SimulatorOptions {
        client_ca_pem: Some(stranger.ca_pem),
        ..SimulatorOptions::default()
    })
    .await;
    site.says("FAIL  default: client certificate: ").await; // 6
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_known_by_a_certificate_is_not_taken_for_a_login_form() {
    let ours = certificate("svc-adjourn", |_| {});
    let options = SimulatorOptions {
        schemes: vec![AuthScheme::Anonymous],
        client_ca_pem: Some(ours.ca_pem.clone()),
        ..SimulatorOptions::default()
    };
    let mut site = DoctorFixture::right(options).await;
    std::fs::write(site.office.path("client.pem"), &ours.certificates_pem).unwrap();
    site.office.write_secret("client.key", &ours.key_pem);
    site.server =
        "auth = \"certificate\"\nclient_certificate = { certificate_file = \"client.pem\", key_file = \
                   \"client.key\" }\n"
            .to_owned();
    let said = site.examined(&[]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.starts_with("pass  everything is set up ("), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_for_another_reason_proves_no_scope() {
    for code in ["ErrorNonPrimarySmtpAddress", "ErrorInvalidUserPrincipalName", "ErrorImpersonationFailed"] {
        let site = DoctorFixture::right(SimulatorOptions::default()).await;
        let wrong = FaultRule::new(InjectedFault::Fault(code)).for_mailbox(OUTSIDER).times(usize::MAX);
        site.office.sim.inject_fault(wrong);
        site.says("WARN  default: scope: cannot determine whether ceo@example.com is out of scope").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_answers_is_not_ews() {
    let mut site = DoctorFixture::right(SimulatorOptions::default()).await;
    site.url = Some(site.office.sim.url().replace("Exchange.asmx", "exchange"));
    site.says("FAIL  default: EWS: the response is not from EWS (HTTP 404)").await; // 7

    let site = DoctorFixture::right(SimulatorOptions::default()).await;
    site.office.sim.inject_fault(FaultRule::new(InjectedFault::Page(440)).times(usize::MAX));
    site.says("FAIL  default: EWS: ").await; // 8: a login form behind the sign-in

    let site = DoctorFixture::right(SimulatorOptions {
        clock_ahead: TimeDelta::minutes(11),
        ..SimulatorOptions::default()
    })
    .await;
    site.says("FAIL  default: clock: the server's clock and this machine's differ by 6").await; // 9
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts() {
    let site = DoctorFixture::right(SimulatorOptions {
        password: "another".to_owned(),
        ..SimulatorOptions::default()
    })
    .await;
    site.says("FAIL  default: sign-in: Exchange rejects the service account").await; // 10
    let site = DoctorFixture::right(ntlm(SimulatorOptions::default())).await;
    site.says("FAIL  default: ways to sign in: the server offers Negotiate, NTLM, and server.auth is Basic")
        .await; // 11
    let wrong = SimulatorOptions { password: "another".to_owned(), ..ntlm(SimulatorOptions::default()) };
    let site = DoctorFixture::right(wrong).await.server("auth = \"negotiate\"\n");
    site.says("FAIL  default: sign-in: Exchange rejects the service account").await; // 12
    let site = DoctorFixture::right(SimulatorOptions::default()).await;
    site.office.sim.inject_fault(FaultRule::new(InjectedFault::Page(456)).times(usize::MAX));
    site.says("FAIL  default: account: ").await; // 13
    let site = DoctorFixture::right(SimulatorOptions::default())
        .await
        .server("password = { file = \"no-such-file\" }\n");
    site.says("FAIL  default: configuration: cannot read the password from no-such-file").await; // 14
}

#[tokio::test(flavor = "multi_thread")]
async fn channel_bindings() {
    let required = SimulatorOptions {
        extended_protection: ExtendedProtection::Require,
        ..ntlm(SimulatorOptions::default())
    };
    let site = DoctorFixture::right(required).await.server("auth = \"ntlm\"\nchannel_binding = \"off\"\n");
    site.says("FAIL  default: channel binding: the server requires Extended Protection").await; // 15
    let between = || SimulatorOptions {
        extended_protection: ExtendedProtection::Allow,
        tls_ends_at_proxy: true,
        ..ntlm(SimulatorOptions::default())
    };
    let site =
        DoctorFixture::right(between()).await.server("auth = \"ntlm\"\nchannel_binding = \"require\"\n");
    site.says("FAIL  default: channel binding: the server rejects this connection's channel binding").await; // 16
    let site = DoctorFixture::right(between()).await.server("auth = \"ntlm\"\n");
    site.says("WARN  default: sign-in: the server accepts the account only without channel binding").await; // 17
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens() {
    let authority = Authority::start(AuthorityOptions::default()).await.unwrap();
    let options = || SimulatorOptions {
        schemes: vec![AuthScheme::Bearer],
        tokens: authority.tokens(),
        ..SimulatorOptions::default()
    };
    let oauth = |secret: &str| {
        let AuthorityOptions { tenant, client_id, .. } = AuthorityOptions::default();
        format!(
            "[server.oauth]\ntenant = \"{tenant}\"\nclient_id = \"{client_id}\"\nsecret = {{ env = \"{secret}\" }}\n\
             endpoint = \"{}\"\n",
            authority.url()
        )
    };
    let site = DoctorFixture::right(options()).await.server(&oauth("ADJOURN_PASSWORD"));
    let right = site.examined(&[]).await;
    assert_eq!(right.code, 0, "{}", right.out);
    assert_eq!(authority.issued(), 1);

    let site = DoctorFixture::right(options()).await.server(&oauth("PATH"));
    site.says("AADSTS7000215").await; // 18
    authority.expire_secret();
    let site = DoctorFixture::right(options()).await.server(&oauth("ADJOURN_PASSWORD"));
    site.says("FAIL  default: token: the client secret has expired").await;
    authority.inject_fault(TokenFault::Down, usize::MAX);
    let site = DoctorFixture::right(options()).await.server(&oauth("ADJOURN_PASSWORD"));
    site.says("FAIL  default: token: the token endpoint cannot be reached").await; // 19
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_and_scopes() {
    let site = DoctorFixture::right(SimulatorOptions {
        disabled: vec!["*".to_owned()],
        ..SimulatorOptions::default()
    })
    .await;
    site.says("FAIL  default: EWS: EWS is turned off for the organization").await; // 20
    let mut none = world_of_formulas(3);
    none.add_user(&adjourn::sim::Person::new("Cleo", OUTSIDER)).allow_impersonation_of([]);
    let site = DoctorFixture::of(none, SimulatorOptions { tls: true, ..SimulatorOptions::default() }).await;
    site.says("FAIL  default: impersonation: the account may act in none of the 3 configured rooms").await; // 21
    let mut some = world_of_formulas(3);
    some.add_user(&adjourn::sim::Person::new("Cleo", OUTSIDER))
        .allow_impersonation_of([room_name(0).as_str()]);
    let site = DoctorFixture::of(some, SimulatorOptions { tls: true, ..SimulatorOptions::default() }).await;
    site.says("FAIL  room1@example.com: impersonation: the service account may not act for this room").await; // 22
    let mut site = DoctorFixture::right(SimulatorOptions::default()).await;
    site.scope.push("nobody@example.com".to_owned());
    site.says("FAIL  nobody@example.com: mailbox: there is no mailbox of this address").await; // 23
    let mut wide = world_of_formulas(3);
    wide.add_user(&adjourn::sim::Person::new("Cleo", OUTSIDER));
    let site = DoctorFixture::of(wide, SimulatorOptions { tls: true, ..SimulatorOptions::default() }).await;
    site.says("FAIL  default: scope: the account can act in ceo@example.com, which must be out of its scope")
        .await; // 24
    let one = SimulatorOptions { disabled: vec![room_name(1)], ..SimulatorOptions::default() };
    let site = DoctorFixture::right(one).await;
    site.says("FAIL  room1@example.com: EWS: EWS is turned off for this mailbox").await; // 25
    let mut site = DoctorFixture::right(SimulatorOptions {
        release: ExchangeRelease::default(),
        ..SimulatorOptions::default()
    })
    .await;
    site.outsider = "nobody@example.com";
    site.says("WARN  default: scope: cannot determine whether nobody@example.com is out of scope").await; // 26
}

#[tokio::test(flavor = "multi_thread")]
async fn autodiscover() {
    let site = DoctorFixture::right(SimulatorOptions::default()).await;
    let host = host(&site.office.sim);
    let found = format!(
        "url = \"autodiscover\"\nautodiscover = {{ trusted_hosts = [\"{host}\"], preferred_host = \"{host}\" }}\n"
    );
    let site = site.server(&found);
    let said = site.examined(&[]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.contains("autodiscover: 3 rooms are at https://127.0.0.1:"), "{}", said.out);

    let unconfirmed = format!(
        "url = \"autodiscover\"\nautodiscover = {{ trusted_hosts = [\"mail.example.com\"], preferred_host = \"{host}\" }}\n"
    );
    let site = DoctorFixture { server: format!("username = \"u\"\n{unconfirmed}"), ..site };
    site.says("FAIL  default: autodiscover: ").await; // 27
}
