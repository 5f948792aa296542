//! Tokens, permissions, scopes, and the mailboxes that Graph does not open.

use std::time::Duration;

use adjourn::clock::{Clock as _, SystemClock};
use adjourn::sim::{
    AccessTokens, AuthScheme, Authority, AuthorityOptions, FederatedCredential, GraphOptions,
    GraphPermission, SimulatorOptions,
};
use adjourn_test::{AURORA, HttpReply, meeting, send_and_read, simulator_with, world};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::{Value, json};

use super::client::{GraphClient, permitted, view, view_of, with_options};
use crate::login::identity;

const DENIED: (u16, &str) = (403, "ErrorAccessDenied");

#[tokio::test]
async fn a_token_for_graph_opens_graph_alone_and_one_for_exchange_exchange_alone() {
    let tokens = AccessTokens::default();
    let schemes = vec![AuthScheme::Bearer];
    let options = SimulatorOptions { schemes, tokens: tokens.clone(), ..SimulatorOptions::default() };
    let sim = simulator_with(world(), options).await;
    let mut client = GraphClient::new(&sim);
    assert_eq!(client.get(&view("")).await.status, 200);
    let to_ews = async |token: &str| {
        let mut socket = crate::socket::Socket::open(&sim).await;
        socket.get_room_lists(Some(&format!("Bearer {token}"))).await.status
    };
    assert_eq!(to_ews(&client.token).await, 401);
    let hour = Duration::from_secs(3_600);
    client.token = tokens.issue(hour);
    assert_eq!(to_ews(&client.token).await, 200);
    let stale = tokens.issue_for("https://graph.microsoft.com", Duration::ZERO);
    for wrong in [client.token.clone(), stale, "guessed".to_owned(), String::new()] {
        client.token = wrong;
        let answer = client.get(&view("")).await;
        assert_eq!(answer.error(), (401, "InvalidAuthenticationToken"));
        assert!(answer.reply.header("www-authenticate").unwrap().starts_with("Bearer "));
    }
    assert!(
        !sim.requests().iter().any(|request| request.operation.is_empty()),
        "rejected requests are not logged"
    );
}

#[tokio::test]
async fn outside_the_management_scope_access_is_denied() {
    let mut world = world();
    world.allow_impersonation_of([AURORA]);
    let sim = permitted(world).await;
    let client = GraphClient::new(&sim);
    assert_eq!(client.get(&view("")).await.status, 200);
    let answer = client.get(&view_of("ada@example.com", "")).await;
    assert_eq!(answer.error(), DENIED);
    assert_eq!(answer.json["error"]["message"], "Access is denied. Check credentials and try again.");
}

#[tokio::test]
async fn mailboxes_that_cannot_be_opened_are_answered_as_documented() {
    let mut world = world();
    world.add_room_list("Building 1", "b1@example.com", &[AURORA]);
    world.add_proxy_address(AURORA, "alias@example.com");
    let options =
        GraphOptions::default().block_by_policy("ada@example.com").place_on_premises("Bo@example.com");
    let sim = with_options(world, options).await;
    let client = GraphClient::new(&sim);
    let rows = [
        ("nobody@example.com", (404, "ErrorInvalidUser")),
        ("b1@example.com", (404, "ErrorInvalidUser")),
        ("bo@example.com", (404, "MailboxNotEnabledForRESTAPI")),
        ("ada@example.com", DENIED),
    ];
    for (user, expected) in rows {
        assert_eq!(client.get(&view_of(user, "")).await.error(), expected, "{user}");
    }
    let answer = client.get(&view_of("ada@example.com", "")).await;
    let message = answer.json["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Access to OData is disabled: [RAOP]"), "{message}");
    assert_eq!(client.get(&view_of("alias@example.com", "")).await.status, 200, "an alias opens the mailbox");
}

#[tokio::test]
async fn each_permission_opens_what_it_is_for() {
    let mut world = world();
    world.add_meeting(meeting());
    let none =
        with_options(world.clone(), GraphOptions::default().deny(GraphPermission::CalendarsReadWrite)).await;
    assert_eq!(GraphClient::new(&none).get(&view("")).await.error(), DENIED);
    let reads = GraphOptions::default()
        .deny(GraphPermission::CalendarsReadWrite)
        .permit([GraphPermission::CalendarsRead]);
    let sim = with_options(world, reads).await;
    let client = GraphClient::new(&sim);
    let answer = client.get(&view("")).await;
    let id = answer.values()[0]["id"].as_str().unwrap();
    let event = format!("/users/{AURORA}/events/{id}");
    assert_eq!(client.delete(&event).await.error(), DENIED);
    assert_eq!(client.patch(&event, json!({ "subject": "x" })).await.error(), DENIED);
    assert_eq!(client.post(&format!("{event}/decline"), json!({})).await.error(), DENIED);
    let settings = format!("/users/{AURORA}/settings/exchange");
    assert_eq!(client.get(&format!("/users/{AURORA}/mailFolders/sentitems/messages")).await.error(), DENIED);
    assert_eq!(client.get(&settings).await.error(), DENIED);
    let directory = (403, "Authorization_RequestDenied");
    for path in ["/places/microsoft.graph.room", "/places/microsoft.graph.roomlist", "/users", "/users/x"] {
        assert_eq!(client.get(path).await.error(), directory, "{path}");
    }
}

/// Posts a form to a token endpoint.
async fn token(url: &str, form: &str) -> (u16, Value) {
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let reply = HttpReply::parse(&send_and_read(address, &request).await.unwrap()).unwrap();
    (reply.status, reply.json())
}

#[tokio::test]
async fn the_authority_issues_tokens_for_the_requested_audience() {
    let authority = Authority::start(AuthorityOptions::default()).await.unwrap();
    let options = SimulatorOptions { tokens: authority.tokens(), ..SimulatorOptions::default() };
    let sim = simulator_with(world(), options).await;
    let client_id = AuthorityOptions::default().client_id;
    let mut client = GraphClient::new(&sim);
    for (host, expected) in [("graph.microsoft.com", 200), ("outlook.office365.com", 401)] {
        let form = format!(
            "grant_type=client_credentials&client_id={client_id}&client_secret=simulated\
             &scope=https%3A%2F%2F{host}%2F.default"
        );
        let (_, answer) = token(&authority.url(), &form).await;
        client.token = answer["access_token"].as_str().unwrap().to_owned();
        assert_eq!(client.get(&view("")).await.status, expected, "{host}");
    }
}

/// A JWT signed with RS256 and the key of `fixtures/certificates/rsa-sha256.pem`.
fn federated_assertion(claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(claims));
    let key = PrivatePkcs8KeyDer::from_pem_slice(identity("rsa-sha256").key_pem.as_bytes()).unwrap();
    let key = ring::signature::RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&ring::signature::RSA_PKCS1_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn an_assertion_of_another_issuer_buys_tokens_until_it_ends() {
    let (issuer, subject) = ("https://issuer.example.com".to_owned(), "system:serviceaccount:a:b".to_owned());
    let certificate_pem = identity("rsa-sha256").certificates_pem;
    let federated = Some(FederatedCredential { issuer, subject, certificate_pem });
    let options = AuthorityOptions { client_secret: None, federated, ..AuthorityOptions::default() };
    let client = options.client_id.clone();
    let authority = Authority::start(options).await.unwrap();
    let now = SystemClock.now().timestamp();
    let claims = json!({
        "iss": "https://issuer.example.com", "sub": "system:serviceaccount:a:b", "exp": now + 600,
        "aud": "api://AzureADTokenExchange",
    });
    let ask = async |assertion: String| {
        let form = format!(
            "grant_type=client_credentials&client_id={client}&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default\
             &client_assertion={assertion}\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        );
        token(&authority.url(), &form).await
    };
    let good = federated_assertion(&claims);
    assert_eq!([ask(good.clone()).await.0, ask(good.clone()).await.0], [200, 200], "one file, many requests");
    let with = |name: &str, value: Value| {
        let mut claims = claims.clone();
        claims[name] = value;
        federated_assertion(&claims)
    };
    let (signed, _) = good.rsplit_once('.').unwrap();
    let rows = [
        (with("exp", json!(now - 3_600)), 700_024),
        (with("sub", json!("system:serviceaccount:a:c")), 70_021),
        (with("aud", json!("elsewhere")), 70_021),
        (format!("{signed}.AAAA"), 700_027),
        (with("iss", json!("https://other.example.com")), 700_027),
    ];
    for (assertion, code) in rows {
        let (status, answer) = ask(assertion).await;
        assert_eq!((status, &answer["error_codes"]), (401, &json!([code])), "{answer}");
    }
}

#[tokio::test]
async fn a_managed_identity_gets_a_token_directly_and_never_through_a_proxy() {
    let options = AuthorityOptions { managed_identity: true, ..AuthorityOptions::default() };
    let authority = Authority::start(options).await.unwrap();
    let options = SimulatorOptions { tokens: authority.tokens(), ..SimulatorOptions::default() };
    let sim = simulator_with(world(), options).await;
    let address = authority.root().trim_start_matches("http://").to_owned();
    let ask = async |query: &str, headers: &str| {
        let request = format!(
            "GET /metadata/identity/oauth2/token?{query} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
             {headers}\r\n"
        );
        let reply = HttpReply::parse(&send_and_read(&address, &request).await.unwrap()).unwrap();
        (reply.status, reply.json())
    };
    let query = "api-version=2018-02-01&resource=https%3A%2F%2Fgraph.microsoft.com%2F";
    let (status, answer) = ask(query, "Metadata: true\r\n").await;
    assert_eq!(
        (status, &answer["token_type"], &answer["expires_in"]),
        (200, &json!("Bearer"), &json!("3599"))
    );
    let mut client = GraphClient::new(&sim);
    client.token = answer["access_token"].as_str().unwrap().to_owned();
    assert_eq!(client.get(&view("")).await.status, 200);
    let rows = [
        (query, ""),
        (query, "Metadata: true\r\nX-Forwarded-For: 10.0.0.1\r\n"),
        ("resource=https://graph.microsoft.com/", "Metadata: true\r\n"),
        ("api-version=2018-02-01", "Metadata: true\r\n"),
    ];
    for (query, headers) in rows {
        assert_eq!(ask(query, headers).await.0, 400, "{query} {headers}");
    }
}
