//! Autodiscover over real connections: several simulators play a room's own Exchange, Exchange Online and a web site,
//! and a table plays DNS.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjourn::autodiscover::{
    BODY_BYTES_MAX, Cause, DiscoveredServer, Discovery, DiscoveryReport, DiscoveryRequest, DiscoveryResponse,
    Policy, discover,
};
use adjourn::sim::{AutodiscoverProtocol, AutodiscoverResponse, Simulator, SimulatorOptions, World};
use adjourn_test::{AURORA, aurora, over_tls, simulator, simulator_with, world};
use base64::Engine as _;
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

const AUTODISCOVER: &str = "autodiscover.example.com";

/// A host: scheme, host and port, and the CA to trust.
struct HostEntry {
    base: String,
    ca_pem: Option<String>,
}

/// The host table. Names that are missing do not resolve, except for the servers' own addresses.
#[derive(Default)]
struct FakeDns(BTreeMap<String, HostEntry>);

impl FakeDns {
    fn add_host(&mut self, name: &str, sim: &Simulator) {
        for name in [format!("{}://{name}", base(sim).split(':').next().unwrap()), base(sim)] {
            let ca_pem = sim.ca_pem().map(str::to_owned);
            self.0.insert(name, HostEntry { base: base(sim), ca_pem });
        }
    }

    async fn send(&self, ask: DiscoveryRequest) -> DiscoveryResponse {
        let place = self.0.iter().find(|(name, _)| ask.url.starts_with(&format!("{name}/")));
        let Some((_, place)) = place else {
            return DiscoveryResponse::Unreachable("no such name".to_owned());
        };
        let mut sender = connect(place).await;
        let (host, target) = ask.url.split_once("://").unwrap().1.split_once('/').unwrap();
        let mut request = Request::builder()
            .method(ask.method)
            .uri(format!("/{target}"))
            .header(header::HOST, host)
            .header(header::USER_AGENT, "test");
        for (name, value) in ask.headers {
            request = request.header(name, value);
        }
        if ask.credentials {
            request = request.header(header::AUTHORIZATION, basic());
        }
        let request = request.body(Full::new(Bytes::from(ask.body))).unwrap();
        let response = match sender.send_request(request).await {
            Err(error) => return DiscoveryResponse::Incomplete(error.to_string()),
            Ok(response) => response,
        };
        let location = response.headers().get(header::LOCATION);
        let location = location.map(|location| location.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        match Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await {
            Ok(body) => DiscoveryResponse::Http { status, location, body: body.to_bytes().to_vec() },
            Err(error) => DiscoveryResponse::Incomplete(error.to_string()),
        }
    }

    async fn discover(&self, policy: &Policy) -> Result<DiscoveredServer, DiscoveryReport> {
        discover(Discovery::new(&aurora(), policy), |ask| self.send(ask)).await
    }
}

async fn connect(place: &HostEntry) -> SendRequest<Full<Bytes>> {
    let tcp = TcpStream::connect(place.base.split_once("://").unwrap().1).await.unwrap();
    let Some(ca_pem) = &place.ca_pem else {
        let (sender, connection) = handshake(TokioIo::new(tcp)).await.unwrap();
        tokio::spawn(connection);
        return sender;
    };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    // The simulator's certificate is for localhost, whatever name led here.
    let name = ServerName::try_from("localhost").unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let (sender, connection) = handshake(TokioIo::new(tls)).await.unwrap();
    tokio::spawn(connection);
    sender
}

fn basic() -> String {
    let SimulatorOptions { username, password, .. } = SimulatorOptions::default();
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{username}:{password}")))
}

fn base(sim: &Simulator) -> String {
    sim.url().trim_end_matches("/EWS/Exchange.asmx").to_owned()
}

fn place(sim: &Simulator) -> String {
    base(sim).split_once("://").unwrap().1.to_owned()
}

async fn tls(world: World) -> Simulator {
    simulator_with(world, over_tls()).await
}

/// Trusts `autodiscover.example.com` and the simulators' own addresses.
fn policy(sims: &[&Simulator]) -> Policy {
    let hosts = sims.iter().map(|sim| place(sim)).chain([AUTODISCOVER.to_owned()]);
    Policy::new(hosts.map(|host| host.parse().unwrap()))
}

async fn office() -> (Simulator, FakeDns) {
    let sim = tls(world()).await;
    let mut names = FakeDns::default();
    names.add_host(AUTODISCOVER, &sim);
    (sim, names)
}

fn asked(sim: &Simulator) -> Vec<(AutodiscoverProtocol, String, bool)> {
    sim.autodiscover(|it| {
        it.requests().iter().map(|asked| (asked.protocol, asked.address.clone(), asked.credentials)).collect()
    })
}

#[tokio::test]
async fn each_protocol_alone_finds_the_room() {
    use AutodiscoverProtocol::{Json, Pox, Soap};
    for only in [Json, Soap, Pox] {
        let (sim, names) = office().await;
        for other in [Json, Soap, Pox].into_iter().filter(|other| *other != only) {
            sim.autodiscover(|it| it.disable(other));
        }
        let found = names.discover(&policy(&[&sim])).await.unwrap();
        assert_eq!(found.url.as_str(), sim.url(), "{only:?}");
        assert_eq!(found.schemas.contains(&"Exchange2013_SP1".to_owned()), only == Soap);
        assert_eq!(asked(&sim), [(only, AURORA.to_owned(), only != Json)]);
        sim.stop().await;
    }
}

#[tokio::test]
async fn a_hybrid_room_is_found_in_the_cloud() {
    let (cloud, (sim, mut names)) = (tls(world()).await, office().await);
    names.add_host("cloud.example.net", &cloud);
    sim.autodiscover(|it| it.set_response(AURORA, AutodiscoverResponse::EwsUrl(cloud.url())));
    let found = names.discover(&policy(&[&sim, &cloud])).await.unwrap();
    assert_eq!(found.url.as_str(), cloud.url());

    // An untrusted host: rejected in every protocol, and reported.
    let report = names.discover(&policy(&[&sim])).await.unwrap_err();
    assert_eq!(report.cause(), Cause::Untrusted);
    assert_eq!(report.untrusted(), [place(&cloud).parse().unwrap()]);
    assert!(asked(&cloud).is_empty());
}

#[tokio::test]
async fn a_renamed_room_is_asked_for_under_its_other_address() {
    let (cloud, (sim, mut names)) = (tls(world()).await, office().await);
    names.add_host("autodiscover.contoso.mail.onmicrosoft.com", &cloud);
    let other = "aurora@contoso.mail.onmicrosoft.com";
    cloud.autodiscover(|it| it.set_response(other, AutodiscoverResponse::EwsUrl(cloud.url())));
    for lacking in [None, Some(AutodiscoverProtocol::Soap)] {
        sim.autodiscover(|it| {
            it.set_response(AURORA, AutodiscoverResponse::RedirectAddress(other.to_owned()))
        });
        sim.autodiscover(|it| lacking.into_iter().for_each(|protocol| it.disable(protocol)));
        let found = names.discover(&policy(&[&sim, &cloud])).await.unwrap();
        assert_eq!((found.url.as_str(), found.mailbox_address.as_str()), (cloud.url().as_str(), other));
    }
    assert!(asked(&cloud).iter().all(|(_, _, credentials)| !credentials), "its host is not trusted");
}

#[tokio::test]
async fn redirects_are_followed_however_they_are_said() {
    use AutodiscoverProtocol::{Json, Soap};
    for lacking in [vec![], vec![Json], vec![Json, Soap]] {
        for moved in [true, false] {
            let (there, (sim, mut names)) = (tls(world()).await, office().await);
            names.add_host("there.example.net", &there);
            lacking.iter().for_each(|protocol| sim.autodiscover(|it| it.disable(*protocol)));
            let to = base(&there);
            let to = if moved {
                AutodiscoverResponse::HttpRedirect(to)
            } else {
                AutodiscoverResponse::RedirectUrl(to)
            };
            sim.autodiscover(|it| it.set_response(AURORA, to));
            let found = names.discover(&policy(&[&sim, &there])).await.unwrap();
            assert_eq!(found.url.as_str(), there.url(), "{lacking:?}");
            assert_eq!(asked(&there).len(), 1);
        }
    }
}

#[tokio::test]
async fn an_unconfirmed_server_never_sees_credentials() {
    let (stranger, (sim, mut names)) = (tls(world()).await, office().await);
    names.add_host("example.com", &stranger);
    stranger.autodiscover(|it| it.set_response(AURORA, AutodiscoverResponse::EwsUrl(stranger.url())));
    sim.autodiscover(|it| it.set_response(AURORA, AutodiscoverResponse::HttpRedirect(base(&stranger))));
    let report = names.discover(&policy(&[&sim])).await.unwrap_err();
    assert_eq!(report.cause(), Cause::Untrusted);
    let asked = asked(&stranger);
    assert!(
        !asked.is_empty()
            && asked.iter().all(|(protocol, _, credentials)| {
                *protocol == AutodiscoverProtocol::Json && !credentials
            }),
        "{asked:?}"
    );
}

#[tokio::test]
async fn the_last_resort_is_a_redirect_over_plain_http() {
    let hosted = tls(world()).await;
    let plain = simulator(World::new()).await;
    plain
        .autodiscover(|it| it.set_http_redirect(&format!("{}/autodiscover/autodiscover.xml", base(&hosted))));
    hosted.autodiscover(|it| it.disable(AutodiscoverProtocol::Json));
    let mut names = FakeDns::default();
    names.add_host(AUTODISCOVER, &plain); // for http:// only
    names.add_host("hosted.example.net", &hosted);
    let found = names.discover(&policy(&[&hosted])).await.unwrap();
    assert_eq!(found.url.as_str(), hosted.url());
    assert!(plain.requests().is_empty() && asked(&plain).is_empty());
}

#[tokio::test]
async fn what_goes_wrong_is_named() {
    let (sim, names) = office().await;
    let cause = async |policy: &Policy| names.discover(policy).await.unwrap_err().cause();
    for (whereabouts, expected) in [
        (AutodiscoverResponse::InvalidUser, Cause::MailboxUnknown),
        (AutodiscoverResponse::Garbage, Cause::Malformed),
        (AutodiscoverResponse::RedirectLoop, Cause::Redirects),
    ] {
        sim.autodiscover(|it| it.set_response(AURORA, whereabouts));
        assert_eq!(cause(&policy(&[&sim])).await, expected);
    }
    for protocol in [AutodiscoverProtocol::Json, AutodiscoverProtocol::Soap, AutodiscoverProtocol::Pox] {
        sim.autodiscover(|it| it.disable(protocol));
    }
    assert_eq!(cause(&policy(&[&sim])).await, Cause::NoService);
    sim.stop().await;
    assert_eq!(FakeDns::default().discover(&Policy::new([])).await.unwrap_err().cause(), Cause::Network);
}

#[tokio::test]
async fn soap_and_pox_want_the_login_and_json_answers_the_older_question_too() {
    let (sim, names) = office().await;
    let ask = |method: http::Method, path: &str, body: &str, credentials| DiscoveryRequest {
        method,
        url: format!("{}{path}", base(&sim)),
        headers: vec![("Content-Type", "text/xml; charset=utf-8".to_owned())],
        body: body.to_owned(),
        credentials,
    };
    let said = async |ask: DiscoveryRequest| match names.send(ask).await {
        DiscoveryResponse::Http { status, body, .. } => (status, String::from_utf8(body).unwrap()),
        other => panic!("{other:?}"),
    };
    for file in ["svc", "xml"] {
        let path = format!("/Autodiscover/Autodiscover.{file}");
        assert_eq!(said(ask(http::Method::POST, &path, "<a/>", false)).await.0, 401);
        assert_eq!(said(ask(http::Method::GET, &path, "", false)).await.0, 401);
        let (status, body) = said(ask(http::Method::POST, &path, "<a/>", true)).await;
        assert!(status == 200 && (body.contains("InvalidRequest") || body.contains("600")), "{body}");
    }
    let json = async |query: &str| {
        said(ask(http::Method::GET, &format!("/autodiscover/autodiscover.json{query}"), "", false)).await
    };
    let (status, body) = json("?Email=aurora%40example.com&Protocol=EWS").await;
    assert!(status == 200 && body.contains(&sim.url()), "{body}");
    assert_eq!(json("?Email=aurora%40example.com").await.0, 400);
    assert_eq!(json("/v1.0/aurora@example.com?Protocol=REST").await.0, 400);
    assert_eq!(json("/v1.0/nobody@example.com?Protocol=EWS").await.0, 404);
}
