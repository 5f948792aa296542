//! The simulated authority: who gets a token, the errors of rejected requests, and that the simulator accepts the
//! tokens.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use adjourn::clock::{Clock as _, SystemClock};
use adjourn::sim::{AuthScheme, Authority, AuthorityOptions, SimulatorOptions, TokenFault};
use adjourn_test::{HttpReply, send_and_read, simulator_with, world};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::login::identity;
use crate::socket::Socket;

const SCOPE: &str = "https%3A%2F%2Foutlook.office365.com%2F.default";

/// Status, head and body.
async fn post(url: &str, form: &str) -> Option<(u16, String, Value)> {
    let (address, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let request = format!(
        "POST /{path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = HttpReply::parse(&send_and_read(address, &request).await.ok()?)?;
    let body = serde_json::from_str(&answer.body).unwrap_or(Value::Null);
    Some((answer.status, answer.head.to_lowercase(), body))
}

fn by_secret(secret: &str) -> String {
    let client = AuthorityOptions::default().client_id;
    format!("grant_type=client_credentials&client_id={client}&scope={SCOPE}&client_secret={secret}")
}

#[tokio::test]
async fn a_secret_buys_a_token_and_the_token_opens_exchange() {
    let authority = Authority::start(AuthorityOptions::default()).await.unwrap();
    let options = SimulatorOptions {
        schemes: vec![AuthScheme::Bearer],
        tokens: authority.tokens(),
        ..SimulatorOptions::default()
    };
    let sim = simulator_with(world(), options).await;
    let (status, head, answer) = post(&authority.url(), &by_secret("simulated")).await.unwrap();
    assert_eq!(
        (status, &answer["token_type"], &answer["expires_in"]),
        (200, &json!("Bearer"), &json!(3_599))
    );
    assert!(head.contains("content-type: application/json") && head.contains("no-store"), "{head}");
    let bearer = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    let mut socket = Socket::open(&sim).await;
    assert_eq!(socket.get_room_lists(Some(&bearer)).await.status, 200);
    authority.expire();
    assert_eq!(socket.get_room_lists(Some(&bearer)).await.status, 401);
    authority.set_lifetime(Duration::ZERO);
    let (_, _, answer) = post(&authority.url(), &by_secret("simulated")).await.unwrap();
    let stale = format!("Bearer {}", answer["access_token"].as_str().unwrap());
    assert_eq!(socket.get_room_lists(Some(&stale)).await.status, 401);
    assert_eq!((authority.issued(), authority.requests()), (2, 2));
}

#[tokio::test]
async fn it_says_no_as_entra_id_does() {
    let authority = Authority::start(AuthorityOptions::default()).await.unwrap();
    let right = by_secret("simulated");
    let rows = [
        (by_secret("guessed"), 401, "invalid_client", 7_000_215),
        (right.replace("5ad0", "5ad1"), 400, "unauthorized_client", 700_016),
        (right.replace("outlook", "graph"), 400, "invalid_scope", 1_002_012),
        (right.replace("client_credentials", "password"), 400, "unsupported_grant_type", 70_003),
        (right.replace("scope=", "score="), 400, "invalid_request", 900_144),
        (right.replace("client_secret=", "secret="), 401, "invalid_client", 7_000_218),
        ("%".to_owned(), 400, "invalid_request", 90_014),
    ];
    for (form, expected, error, code) in rows {
        let (status, _, answer) = post(&authority.url(), &form).await.unwrap();
        assert_eq!((status, &answer["error"]), (expected, &json!(error)), "{form}: {answer}");
        assert_eq!(answer["error_codes"], json!([code]));
        assert!(answer["error_description"].as_str().unwrap().starts_with(&format!("AADSTS{code}: ")));
    }
    let elsewhere = authority.url().replace("example.onmicrosoft.com", "other");
    assert_eq!(post(&elsewhere, &right).await.unwrap().2["error_codes"], json!([90_002]));
    authority.change_secret("new");
    assert_eq!(post(&authority.url(), &right).await.unwrap().0, 401);
    assert_eq!(post(&authority.url(), &by_secret("new")).await.unwrap().0, 200);
    assert_eq!(authority.issued(), 1);
}

/// A JWT, signed with the key of `fixtures/certificates/rsa-sha256.pem`.
fn assertion(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(head), part(claims));
    let key = PrivatePkcs8KeyDer::from_pem_slice(identity("rsa-sha256").key_pem.as_bytes()).unwrap();
    let key = ring::signature::RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()).unwrap();
    let mut signature = vec![0; key.public().modulus_len()];
    let random = ring::rand::SystemRandom::new();
    key.sign(&ring::signature::RSA_PSS_SHA256, &random, signed.as_bytes(), &mut signature).unwrap();
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}

#[tokio::test]
async fn a_certificate_buys_a_token_with_each_assertion_once() {
    let pem = identity("rsa-sha256").certificates_pem;
    let options = AuthorityOptions {
        client_secret: None,
        certificate_pem: Some(pem.clone()),
        ..AuthorityOptions::default()
    };
    let client = options.client_id.clone();
    let authority = Authority::start(options).await.unwrap();
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let thumbprint = BASE64_URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(&der));
    let head = json!({ "alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint });
    let now = SystemClock.now().timestamp();
    let count = AtomicUsize::new(0);
    let claims = || {
        let id = format!("id-{}", count.fetch_add(1, Ordering::Relaxed));
        json!({
            "aud": authority.url(), "iss": client, "sub": client, "jti": id, "nbf": now, "exp": now + 600,
        })
    };
    let with = |name: &str, value: Value| {
        let mut changed = claims();
        changed[name] = value;
        changed
    };
    let form = |assertion: &str| {
        format!(
            "grant_type=client_credentials&client_id={client}&scope={SCOPE}&client_assertion={assertion}\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
        )
    };
    let first = assertion(&head, &claims());
    let (status, _, answer) = post(&authority.url(), &form(&first)).await.unwrap();
    assert_eq!(status, 200, "{answer}");
    let mut other = head.clone();
    other["x5t#S256"] = json!("AAAA");
    let mut rs256 = head.clone();
    rs256["alg"] = json!("RS256");
    let (signed, _) = first.rsplit_once('.').unwrap();
    let mut flipped = assertion(&head, &claims()).into_bytes();
    let at = flipped.len() - 20;
    flipped[at] = if flipped[at] == b'A' { b'B' } else { b'A' };
    let rows = [
        (first.clone(), 70_002),
        (assertion(&head, &with("jti", Value::Null)), 70_002),
        (assertion(&other, &claims()), 700_027),
        (assertion(&rs256, &claims()), 700_027),
        (String::from_utf8(flipped).unwrap(), 700_027),
        (format!("{signed}."), 700_027),
        (assertion(&head, &with("aud", json!("https://elsewhere/token"))), 700_023),
        (assertion(&head, &with("iss", json!("somebody"))), 700_021),
        (assertion(&head, &with("sub", json!("somebody"))), 700_021),
        (assertion(&head, &with("exp", json!(now - 3_600))), 700_024),
        (assertion(&head, &with("nbf", json!(now + 3_600))), 700_024),
        ("no.jwt".to_owned(), 50_027),
        ("a.b.c".to_owned(), 50_027),
    ];
    for (assertion, code) in rows {
        let (_, _, answer) = post(&authority.url(), &form(&assertion)).await.unwrap();
        assert_eq!(answer["error_codes"], json!([code]), "{answer}");
    }
    assert_eq!(authority.issued(), 1);
}

#[tokio::test]
async fn its_bad_days_can_be_had_too() {
    let authority = Authority::start(AuthorityOptions::default()).await.unwrap();
    let ask = async || post(&authority.url(), &by_secret("simulated")).await;
    authority.inject_fault(TokenFault::Throttled(Some(7)), 1);
    let (status, head, _) = ask().await.unwrap();
    assert!(status == 429 && head.contains("retry-after: 7"), "{head}");
    assert_eq!(ask().await.unwrap().0, 200);
    authority.inject_fault(TokenFault::Unavailable, usize::MAX);
    assert_eq!([ask().await.unwrap().0, ask().await.unwrap().0], [503, 503]);
    authority.inject_fault(TokenFault::Garbage, 1);
    assert_eq!(ask().await.unwrap().2, Value::Null);
    authority.inject_fault(TokenFault::Down, 1);
    assert_eq!(ask().await, None);
    assert_eq!(ask().await.unwrap().0, 200);
    authority.stop().await;
}
