//! The client against the simulator's authentication: every scheme of real servers, over real TLS, and the error of a
//! rejection.

use std::io::Write as _;
use std::sync::Arc;

use adjourn::autodiscover::{Host, Policy};
use adjourn::before_send::Unconditional;
use adjourn::calendar::RoomAddress;
use adjourn::engine::ErrorKind;
use adjourn::exchange::{
    ClientCertificate, Exchange, ExchangeLocation, RequestError, Secret, Settings, SignInMethod,
};
use adjourn::live::Feed as _;
use adjourn::login::{
    ChannelBinding, ClientAuthentication, ClientCredentials, ClientKey, ExternalToken, Windows,
    WindowsScheme, WindowsSecret,
};
use adjourn::sim::{
    AccessTokens, AuthScheme, Authority, AuthorityOptions, AutodiscoverProtocol, ClientBinding,
    ExtendedProtection, FaultRule, InjectedFault, Simulator, SimulatorOptions, TokenFault,
};
use adjourn_test::{account_settings, aurora, ca_file, exchange, now, simulator_with, world};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::NamedTempFile;

use crate::login::{CERTIFICATES, identity};

struct SignInFixture {
    sim: Simulator,
    ca: NamedTempFile,
}

impl SignInFixture {
    async fn open(options: SimulatorOptions) -> Self {
        let sim = simulator_with(world(), SimulatorOptions { tls: true, ..options }).await;
        let ca = ca_file(&[&sim]);
        Self { sim, ca }
    }

    async fn windows(protection: ExtendedProtection, terminated_elsewhere: bool) -> Self {
        let schemes = vec![AuthScheme::Negotiate, AuthScheme::Ntlm];
        let options = SimulatorOptions {
            schemes,
            extended_protection: protection,
            tls_ends_at_proxy: terminated_elsewhere,
            ..SimulatorOptions::default()
        };
        Self::open(options).await
    }

    fn settings(&self, sign_in: SignInMethod) -> Settings {
        let mut settings = account_settings(&self.sim.url(), "", "");
        settings.sign_in = sign_in;
        settings.ca_file = Some(self.ca.path().to_owned());
        settings
    }

    fn exchange(&self, sign_in: SignInMethod) -> Exchange {
        exchange(&self.settings(sign_in))
    }
}

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

/// The service account signs in by this scheme.
pub fn windows(scheme: WindowsScheme, binding: ChannelBinding) -> SignInMethod {
    SignInMethod::Windows(Windows {
        scheme,
        username: r"EXAMPLE\svc-adjourn".to_owned(),
        secret: WindowsSecret::Password(Secret::new(SimulatorOptions::default().password)),
        binding,
        kdc: None,
    })
}

fn refusal(failed: Result<Option<u32>, RequestError>) -> (ErrorKind, String) {
    match failed {
        Err(RequestError::Refused(kind, code)) => (kind, code),
        other => panic!("{other:?}"),
    }
}

const BOTH: [WindowsScheme; 2] = [WindowsScheme::Ntlm, WindowsScheme::Negotiate];

#[tokio::test]
async fn windows_accounts_sign_in_bound_to_the_connection_whatever_the_server_asks() {
    use ExtendedProtection::{Allow, None, Require};
    for scheme in BOTH {
        for protection in [None, Allow, Require] {
            let site = SignInFixture::windows(protection, false).await;
            let exchange = site.exchange(windows(scheme, ChannelBinding::Auto));
            exchange
                .check_calendar(&aurora())
                .await
                .unwrap_or_else(|why| panic!("{scheme:?} {protection:?}: {why:?}"));
            let logins = site.sim.windows_sign_ins();
            assert_eq!(logins.len(), 1, "{scheme:?} {protection:?}");
            assert_eq!(logins[0].binding, ClientBinding::Correct);
        }
    }
}

#[tokio::test]
async fn every_certificate_that_a_client_accepts_can_be_bound_to() {
    for name in CERTIFICATES {
        let site = SignInFixture::open(SimulatorOptions {
            schemes: vec![AuthScheme::Ntlm],
            extended_protection: ExtendedProtection::Require,
            identity: Some(identity(name)),
            ..SimulatorOptions::default()
        })
        .await;
        let exchange = site.exchange(windows(WindowsScheme::Ntlm, ChannelBinding::Require));
        exchange.check_calendar(&aurora()).await.unwrap_or_else(|why| panic!("{name}: {why:?}"));
    }
}

#[tokio::test]
async fn requests_after_the_sign_in_say_nothing_more_and_a_forgotten_one_is_said_again() {
    for scheme in BOTH {
        let site = SignInFixture::windows(ExtendedProtection::Require, false).await;
        let exchange = site.exchange(windows(scheme, ChannelBinding::Require));
        for _ in 0..3 {
            exchange.check_calendar(&aurora()).await.unwrap();
        }
        assert_eq!(site.sim.windows_sign_ins().len(), 1);
        site.sim.invalidate_sign_ins();
        exchange.check_calendar(&aurora()).await.unwrap();
        assert_eq!(site.sim.windows_sign_ins().len(), 2);
        let connections: Vec<_> = site.sim.requests().iter().map(|asked| asked.connection).collect();
        assert_eq!(connections, [1; 4]);
    }
}

#[tokio::test]
async fn every_connection_signs_in_for_itself() {
    let site = SignInFixture::windows(ExtendedProtection::Require, false).await;
    let exchange = Arc::new(site.exchange(windows(WindowsScheme::Ntlm, ChannelBinding::Auto)));
    exchange.check_calendar(&aurora()).await.unwrap();
    let asked = (0..8).map(|_| {
        let exchange = exchange.clone();
        tokio::spawn(async move { exchange.check_calendar(&aurora()).await.unwrap() })
    });
    for one in asked.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    let connections: std::collections::BTreeSet<_> =
        site.sim.requests().iter().map(|asked| asked.connection).collect();
    assert_eq!(site.sim.windows_sign_ins().len(), connections.len());
}

#[tokio::test]
async fn where_another_machine_ends_tls_auto_goes_without_after_one_refusal_and_stays_so() {
    for scheme in BOTH {
        let site = SignInFixture::windows(ExtendedProtection::Allow, true).await;
        let exchange = site.exchange(windows(scheme, ChannelBinding::Auto));
        for _ in 0..3 {
            exchange.check_calendar(&aurora()).await.unwrap();
        }
        let bound: Vec<_> =
            site.sim.windows_sign_ins().iter().map(|login| (login.binding, login.admitted)).collect();
        assert_eq!(bound, [(ClientBinding::Incorrect, false), (ClientBinding::Missing, true)], "{scheme:?}");

        let strict = site.exchange(windows(scheme, ChannelBinding::Require));
        let (kind, code) = refusal(strict.check_calendar(&aurora()).await);
        assert_eq!(kind, ErrorKind::Credentials);
        assert!(code.contains("a complete") && code.contains("with channel binding"), "{code}");
    }
}

#[tokio::test]
async fn without_a_binding_where_one_is_required_nobody_comes_in() {
    let site = SignInFixture::windows(ExtendedProtection::Require, false).await;
    let exchange = site.exchange(windows(WindowsScheme::Ntlm, ChannelBinding::Off));
    let (kind, code) = refusal(exchange.check_calendar(&aurora()).await);
    assert_eq!(kind, ErrorKind::Credentials);
    assert!(code.ends_with("after a complete NTLM handshake without channel binding"), "{code}");
    assert!(
        site.sim.windows_sign_ins().iter().all(|login| login.binding == ClientBinding::Missing),
        "never zeros"
    );
}

#[tokio::test]
async fn an_account_whose_binding_was_accepted_once_is_never_sent_without() {
    let site = SignInFixture::windows(ExtendedProtection::Allow, false).await;
    let exchange = site.exchange(windows(WindowsScheme::Ntlm, ChannelBinding::Auto));
    exchange.check_calendar(&aurora()).await.unwrap();
    site.sim.change_password("another");
    site.sim.invalidate_sign_ins();
    assert_eq!(refusal(exchange.check_calendar(&aurora()).await).0, ErrorKind::Credentials);
    assert!(site.sim.windows_sign_ins().iter().all(|login| login.binding == ClientBinding::Correct));
}

#[tokio::test]
async fn a_wrong_password_is_said_a_few_times_and_not_once_for_every_room() {
    let site = SignInFixture::windows(ExtendedProtection::Allow, false).await;
    site.sim.change_password("another");
    let exchange = Arc::new(site.exchange(windows(WindowsScheme::Ntlm, ChannelBinding::Auto)));
    let asked = (0..50).map(|_| {
        let exchange = exchange.clone();
        tokio::spawn(async move { refusal(exchange.check_calendar(&aurora()).await).0 })
    });
    for one in asked.collect::<Vec<_>>() {
        assert_eq!(one.await.unwrap(), ErrorKind::Credentials);
    }
    assert!(site.sim.requests().is_empty());
    let said = site.sim.failed_sign_ins();
    assert!((1..=4).contains(&said), "{said}");
}

#[tokio::test]
async fn before_rooms_are_listened_to_a_wrong_password_is_said_a_few_times_and_not_once_for_every_room() {
    for discovered in [false, true] {
        let site = SignInFixture::windows(ExtendedProtection::Allow, false).await;
        site.sim.change_password("another");
        site.sim.autodiscover(|says| says.disable(AutodiscoverProtocol::Json)); // the other protocols require authentication
        let mut settings = site.settings(windows(WindowsScheme::Ntlm, ChannelBinding::Auto));
        if discovered {
            let host: Host = site.sim.url().split('/').nth(2).unwrap().parse().unwrap();
            settings.location = ExchangeLocation::Discovered(Policy {
                preferred_host: Some(host.clone()),
                ..Policy::new([host.as_str().parse().unwrap()])
            });
        }
        let exchange = exchange(&settings);
        let rooms: Vec<RoomAddress> =
            (0..120).map(|number| format!("room{number}@example.com").parse().unwrap()).collect();
        let groups = exchange.group_rooms(&rooms).await;
        assert_eq!(groups.is_empty(), discovered, "groups are known only if discovered");
        exchange.group_rooms(&rooms).await;
        let said = site.sim.failed_sign_ins();
        assert!((1..=4).contains(&said), "{said} (discovered: {discovered})");
    }
}

#[tokio::test]
async fn a_password_that_was_changed_is_said_by_one_of_many_connections() {
    for scheme in BOTH {
        let site = SignInFixture::windows(ExtendedProtection::Allow, false).await;
        let mut settings = site.settings(windows(scheme, ChannelBinding::Auto));
        settings.max_concurrent_requests_per_room = 8.try_into().unwrap();
        let exchange = Arc::new(exchange(&settings));
        exchange.check_calendar(&aurora()).await.unwrap();
        let at_once = async || {
            let slow = InjectedFault::Slow(std::time::Duration::from_secs(2));
            site.sim.inject_fault(FaultRule::new(slow).times(8));
            let asked = (0..8).map(|_| {
                let exchange = exchange.clone();
                tokio::spawn(async move { exchange.check_calendar(&aurora()).await })
            });
            let mut answers = Vec::new();
            for one in asked.collect::<Vec<_>>() {
                answers.push(one.await.unwrap());
            }
            answers
        };
        assert!(at_once().await.iter().all(Result::is_ok));
        let connections = site.sim.windows_sign_ins().len();
        assert!(connections >= 6, "{connections} connections are authenticated");

        // A connection authenticated just now lets the others continue for a moment.
        tokio::time::sleep(std::time::Duration::from_millis(2_100)).await;
        site.sim.change_password("another");
        site.sim.invalidate_sign_ins();
        let answers = at_once().await;
        assert!(answers.into_iter().all(|answer| refusal(answer).0 == ErrorKind::Credentials));
        // One attempt, and one more to confirm.
        assert_eq!(site.sim.failed_sign_ins(), 2, "{scheme:?}");
    }
}

/// One room's back end rejects the account: a probe signs in on a connection of its own.
#[tokio::test]
async fn one_room_that_refuses_the_sign_in_stops_no_other() {
    let others: [RoomAddress; 2] = [aurora(), "ada@example.com".parse().unwrap()];
    let bad: RoomAddress = "bo@example.com".parse().unwrap();
    let site = SignInFixture::windows(ExtendedProtection::Allow, false).await;
    let exchange = site.exchange(windows(WindowsScheme::Ntlm, ChannelBinding::Auto));
    site.sim
        .inject_fault(FaultRule::new(InjectedFault::Page(401)).for_mailbox(bad.as_str()).times(usize::MAX));
    for round in 0..10 {
        for other in &others {
            exchange.check_calendar(other).await.unwrap_or_else(|why| panic!("{round}: {why:?}"));
        }
        assert_eq!(refusal(exchange.check_calendar(&bad).await).0, ErrorKind::BackEnd, "{round}");
    }
    let asked = site.sim.requests();
    let of_bad = asked.iter().filter(|request| request.mailbox.as_deref() == Some(bad.as_str())).count();
    assert!(of_bad <= 3, "{of_bad}, one of them without a sign-in");

    site.sim.change_password("another");
    site.sim.invalidate_sign_ins();
    for _ in 0..10 {
        for other in &others {
            assert_eq!(refusal(exchange.check_calendar(other).await).0, ErrorKind::Credentials);
        }
    }
    let said = site.sim.failed_sign_ins();
    assert!((2..=4).contains(&said), "{said}, with a probe");
}

#[tokio::test]
async fn a_server_that_offers_another_way_is_named_as_such() {
    let site = SignInFixture::windows(ExtendedProtection::None, false).await;
    let basic = SignInMethod::Basic {
        username: SimulatorOptions::default().username,
        password: Secret::new(SimulatorOptions::default().password),
    };
    let (kind, code) = refusal(site.exchange(basic).check_calendar(&aurora()).await);
    assert_eq!(
        (kind, code.as_str()),
        (ErrorKind::AuthScheme, "HTTP 401: the server offers only Negotiate, NTLM")
    );
}

#[tokio::test]
async fn a_token_from_a_file_is_said_and_a_young_one_that_is_refused_is_not_read_again() {
    let tokens = AccessTokens::default();
    let site = SignInFixture::open(SimulatorOptions {
        schemes: vec![AuthScheme::Bearer],
        tokens: tokens.clone(),
        ..SimulatorOptions::default()
    })
    .await;
    let token = file(&tokens.issue(std::time::Duration::from_secs(3600)));
    let exchange = site.exchange(SignInMethod::Token(ExternalToken::File(token.path().to_owned())));
    exchange.check_calendar(&aurora()).await.unwrap();
    tokens.expire();
    let (kind, code) = refusal(exchange.check_calendar(&aurora()).await);
    assert_eq!((kind, code.as_str()), (ErrorKind::Token, "HTTP 401 after a fresh token (Bearer)"));
}

#[tokio::test]
async fn a_client_certificate_lets_in_who_has_one() {
    let key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_pem = ca.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(ca, key);
    let ours = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["svc-adjourn".to_owned()]).unwrap();
    let certificate = file(&leaf.signed_by(&ours, &issuer).unwrap().pem());
    let key = file(&ours.serialize_pem());
    let site = SignInFixture::open(SimulatorOptions {
        schemes: vec![AuthScheme::Anonymous],
        client_ca_pem: Some(ca_pem),
        ..SimulatorOptions::default()
    })
    .await;
    let mut settings = site.settings(SignInMethod::Certificate);
    settings.client_certificate =
        Some(ClientCertificate { certificate: certificate.path().to_owned(), key: key.path().to_owned() });
    exchange(&settings).check_calendar(&aurora()).await.unwrap();

    settings.client_certificate = None;
    let without = exchange(&settings).check_calendar(&aurora()).await;
    assert!(without.is_err(), "{without:?}");
}

#[tokio::test]
async fn a_write_is_sent_whole_on_the_last_leg_only() {
    use adjourn::action::Step;
    use adjourn::calendar::Uid;
    use adjourn::engine::{CalendarWriter as _, WriteOutcome};
    let site = SignInFixture::windows(ExtendedProtection::Require, false).await;
    let exchange = site.exchange(windows(WindowsScheme::Negotiate, ChannelBinding::Require));
    let start = now() + chrono::TimeDelta::days(3);
    let book = Step::Book {
        uid: Uid::new("one"),
        start,
        end: start + chrono::TimeDelta::minutes(30),
        subject: "Once".to_owned(),
    };
    let reply = exchange.write(&aurora(), &book, &Unconditional).await;
    assert_eq!(reply.outcome, WriteOutcome::Done);
    assert_eq!(reply.requests.len(), 1);
    let made: Vec<_> =
        site.sim.requests().iter().filter(|asked| asked.operation == "CreateItem").cloned().collect();
    assert_eq!(made.len(), 1);
    assert_eq!(site.sim.rejected_bodies(), 0);
}

#[tokio::test]
async fn a_connection_that_breaks_before_the_last_leg_has_sent_nothing() {
    use adjourn::engine::{CalendarWriter as _, WriteOutcome};
    let site = SignInFixture::windows(ExtendedProtection::Require, false).await;
    let url = site.sim.url();
    let exchange = site.exchange(windows(WindowsScheme::Ntlm, ChannelBinding::Require));
    site.sim.inject_fault(FaultRule::new(InjectedFault::ResetAfter).on("CreateItem"));
    let start = now() + chrono::TimeDelta::days(3);
    let book = adjourn::action::Step::Book {
        uid: adjourn::calendar::Uid::new("two"),
        start,
        end: start + chrono::TimeDelta::minutes(30),
        subject: "Perhaps".to_owned(),
    };
    // The body was sent with the last leg: whether the write was applied is unknown.
    assert!(matches!(
        exchange.write(&aurora(), &book, &Unconditional).await.outcome,
        WriteOutcome::InDoubt(_)
    ));
    site.sim.stop().await;
    let mut settings = account_settings(&url, "", "");
    settings.location = ExchangeLocation::Url("https://127.0.0.1:1/EWS/Exchange.asmx".to_owned());
    settings.sign_in = windows(WindowsScheme::Ntlm, ChannelBinding::Auto);
    let away = adjourn_test::exchange(&settings).write(&aurora(), &book, &Unconditional).await;
    assert!(matches!(away.outcome, WriteOutcome::NotApplied(_)), "{away:?}");
}

fn oauth(authority: &Authority, proof: ClientAuthentication) -> SignInMethod {
    let AuthorityOptions { client_id, scopes, .. } = AuthorityOptions::default();
    SignInMethod::OAuth(ClientCredentials {
        endpoint: authority.url(),
        client_id,
        scope: scopes[0].clone(),
        authentication: proof,
    })
}

async fn bearer_site(authority: &Authority) -> SignInFixture {
    SignInFixture::open(SimulatorOptions {
        schemes: vec![AuthScheme::Bearer],
        tokens: authority.tokens(),
        ..SimulatorOptions::default()
    })
    .await
}

#[tokio::test]
async fn a_signed_assertion_buys_a_token_that_a_thousand_requests_share() {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/certificates");
    let certificate = dir.join("rsa-sha256.pem");
    let authority = Authority::start(AuthorityOptions {
        client_secret: None,
        certificate_pem: Some(std::fs::read_to_string(&certificate).unwrap()),
        ..AuthorityOptions::default()
    })
    .await
    .unwrap();
    let site = bearer_site(&authority).await;
    let key = ClientKey::read(&certificate, &dir.join("worthless-rsa.key.pem")).unwrap();
    let exchange = Arc::new(site.exchange(oauth(&authority, ClientAuthentication::Key(key))));
    let asked = (0..200).map(|_| {
        let exchange = exchange.clone();
        tokio::spawn(async move { exchange.check_calendar(&aurora()).await.unwrap() })
    });
    for one in asked.collect::<Vec<_>>() {
        one.await.unwrap();
    }
    assert_eq!((authority.requests(), authority.issued()), (1, 1));
}

#[tokio::test]
async fn a_throttled_token_endpoint_is_waited_for_and_a_wrong_secret_is_not() {
    let authority = Authority::start(AuthorityOptions::default()).await.unwrap();
    let site = bearer_site(&authority).await;
    let secret = |text: &str| ClientAuthentication::Secret(Secret::new(text.to_owned()));
    let wrong = site.exchange(oauth(&authority, secret("wrong")));
    for _ in 0..5 {
        let (kind, why) = refusal(wrong.check_calendar(&aurora()).await);
        assert_eq!(kind, ErrorKind::SignIn);
        assert!(why.contains("AADSTS7000215") && !why.contains("wrong"), "{why}");
    }
    assert_eq!(authority.requests(), 1, "a rejected application is not retried at once");

    authority.inject_fault(TokenFault::Unavailable, 1);
    let right = site.exchange(oauth(&authority, secret("simulated")));
    let first = right.check_calendar(&aurora()).await;
    // The request is repeated within the operation's timeout, if the machine is fast enough.
    assert!(matches!(first, Err(RequestError::Unreachable(_)) | Ok(_)), "{first:?}");
    assert!(authority.requests() >= 2);
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    right.check_calendar(&aurora()).await.unwrap();
}
