//! Tokens without a stored secret, over real HTTP: the assertion file of a federated application, and the instance metadata service
//! of a managed identity. The tokens open the simulated Exchange.

use std::io::Write as _;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjourn::engine::ErrorKind;
use adjourn::exchange::{Exchange, ProxySettings, RequestError, Settings, SignInMethod};
use adjourn::login::{ClientAuthentication, ClientCredentials, ManagedIdentity};
use adjourn::sim::{AccessTokens, AuthScheme, ProxyOptions, ProxyServer, Simulator, SimulatorOptions};
use adjourn_test::{account_settings, aurora, ca_file, exchange, read_head, simulator_with, world};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A token endpoint that records the text of each request, and returns the responses of its script in turn, the last one again and
/// again.
struct TokenServer {
    address: String,
    requests: Arc<Mutex<Vec<String>>>,
}

impl TokenServer {
    async fn start(script: Vec<(u16, String)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = requests.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read_request(&mut stream).await;
                let number = {
                    let mut seen = seen.lock().unwrap();
                    seen.push(request);
                    seen.len() - 1
                };
                let (status, body) = script.get(number).or(script.last()).unwrap();
                let reply = format!(
                    "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                stream.write_all(reply.as_bytes()).await.unwrap();
            }
        });
        Self { address, requests }
    }

    fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn read_request(stream: &mut TcpStream) -> String {
    let head = read_head(stream).await.unwrap();
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)
        .map_or(0, |rest| rest.lines().next().unwrap().trim().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.unwrap();
    head + &String::from_utf8(body).unwrap()
}

/// An Exchange that accepts bearer tokens alone.
struct BearerSite {
    sim: Simulator,
    ca: NamedTempFile,
    tokens: AccessTokens,
}

impl BearerSite {
    async fn open() -> Self {
        let tokens = AccessTokens::default();
        let options = SimulatorOptions {
            tls: true,
            schemes: vec![AuthScheme::Bearer],
            tokens: tokens.clone(),
            ..SimulatorOptions::default()
        };
        let sim = simulator_with(world(), options).await;
        let ca = ca_file(&[&sim]);
        Self { sim, ca, tokens }
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

    /// A response with a token that this Exchange accepts; `lifetime` in JSON.
    fn token(&self, lifetime: &str) -> (u16, String) {
        let token = self.tokens.issue(Duration::from_secs(3600));
        (200, format!(r#"{{"token_type":"Bearer","access_token":"{token}","expires_in":{lifetime}}}"#))
    }
}

fn federated(server: &TokenServer, assertion: &NamedTempFile) -> SignInMethod {
    SignInMethod::OAuth(ClientCredentials {
        endpoint: server.url(),
        client_id: "app".to_owned(),
        scope: "https://outlook.office365.com/.default".to_owned(),
        authentication: ClientAuthentication::Federated(assertion.path().to_owned()),
    })
}

fn managed(server: &TokenServer, client_id: Option<&str>) -> SignInMethod {
    SignInMethod::ManagedIdentity(ManagedIdentity {
        endpoint: server.url(),
        resource: "https://outlook.office365.com".to_owned(),
        client_id: client_id.map(str::to_owned),
    })
}

fn refusal(failed: Result<Option<u32>, RequestError>) -> (ErrorKind, String) {
    match failed {
        Err(RequestError::Refused(kind, code)) => (kind, code),
        other => panic!("{other:?}"),
    }
}

/// A lifetime after which the next request needs a new token.
const AT_ONCE: &str = "0.001";

#[tokio::test]
async fn an_assertion_that_was_renewed_is_sent_with_the_next_token_request() {
    let site = BearerSite::open().await;
    let server = TokenServer::start(vec![site.token(AT_ONCE)]).await;
    let mut file = NamedTempFile::new().unwrap();
    let exchange = site.exchange(federated(&server, &file));
    let mut sent = Vec::new();
    for assertion in ["aaa.bbb.ccc", "ddd.eee.fff"] {
        file.as_file_mut().set_len(0).unwrap();
        std::fs::write(file.path(), format!("{assertion}\n")).unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let before = server.requests().len();
        exchange.check_calendar(&aurora()).await.unwrap();
        sent.push(server.requests()[before].clone());
    }
    for (request, assertion) in sent.iter().zip(["aaa.bbb.ccc", "ddd.eee.fff"]) {
        assert!(request.starts_with("POST /token "), "{request}");
        assert!(request.ends_with(&format!("&client_assertion={assertion}")), "{request}");
        assert!(!request.contains("client_secret"), "{request}");
    }
}

#[tokio::test]
async fn a_missing_assertion_sends_nothing_and_names_its_file() {
    let site = BearerSite::open().await;
    let server = TokenServer::start(vec![site.token("3599")]).await;
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(b"\n").unwrap();
    let (kind, why) = refusal(site.exchange(federated(&server, &file)).check_calendar(&aurora()).await);
    assert_eq!(kind, ErrorKind::SignIn);
    assert!(why.contains("federated token file") && why.contains("empty"), "{why}");
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_managed_identity_is_asked_for_on_this_machine_and_never_through_the_proxy() {
    let site = BearerSite::open().await;
    let server = TokenServer::start(vec![site.token("\"3599\"")]).await;
    let proxy = ProxyServer::start(ProxyOptions::default()).await.unwrap();
    let mut settings = site.settings(managed(&server, Some("11111111-2222-4333-8444-555555555555")));
    settings.proxy = Some(ProxySettings { url: proxy.url(), login: None });
    let exchange = exchange(&settings);
    for _ in 0..20 {
        exchange.check_calendar(&aurora()).await.unwrap();
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 1, "one token for all requests");
    let (line, headers) = requests[0].split_once("\r\n").unwrap();
    assert_eq!(
        line,
        "GET /token?api-version=2018-02-01&resource=https%3A%2F%2Foutlook.office365.com\
         &client_id=11111111-2222-4333-8444-555555555555 HTTP/1.1"
    );
    assert!(headers.to_lowercase().contains("metadata: true\r\n"), "{headers}");
    assert!(!headers.to_lowercase().contains("authorization"), "{headers}");
    let tunnels = proxy.tunnels();
    assert!(!tunnels.is_empty(), "Exchange is behind the proxy");
    assert!(tunnels.iter().all(|target| *target != server.address), "{tunnels:?}");
}

#[tokio::test]
async fn an_identity_that_the_machine_does_not_have_is_asked_for_once() {
    let site = BearerSite::open().await;
    let body = r#"{"error":"invalid_request","error_description":"Identity not found"}"#;
    let server = TokenServer::start(vec![(400, body.to_owned())]).await;
    let exchange = site.exchange(managed(&server, None));
    for _ in 0..5 {
        let (kind, why) = refusal(exchange.check_calendar(&aurora()).await);
        assert_eq!(kind, ErrorKind::SignIn);
        assert!(why.contains("invalid_request: Identity not found"), "{why}");
    }
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_metadata_service_that_is_updated_is_asked_again() {
    let waiting = [404, 410, 429, 503].map(|status| tokio::spawn(is_asked_again_after(status)));
    for one in waiting {
        one.await.unwrap();
    }
}

async fn is_asked_again_after(status: u16) {
    let site = BearerSite::open().await;
    let server = TokenServer::start(vec![(status, String::new()), site.token("3599")]).await;
    let exchange = site.exchange(managed(&server, None));
    let mut answer = exchange.check_calendar(&aurora()).await;
    for _ in 0..3 {
        let Err(error) = answer else { break };
        // On a slow machine the operation ends before the pause does.
        assert!(matches!(error, RequestError::Unreachable(_)), "{status}: {error:?}");
        tokio::time::sleep(Duration::from_millis(2_100)).await;
        answer = exchange.check_calendar(&aurora()).await;
    }
    assert!(answer.is_ok(), "{status}: {answer:?}");
    assert_eq!(server.requests().len(), 2, "{status}");
}
