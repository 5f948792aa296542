//! Bearer tokens of an OpenID provider: rights by claims, key rotation, and an unavailable provider.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use adjourn::access::{Grant, Right, Rights, TrustedIssuer};
use adjourn::api::Provider;
use adjourn::journal::{AdminActor, AdminQuery};
use adjourn_test::now;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::fixture::{ApiFixture, BUSY, FREE};

/// The `iss` of AD FS access tokens, which differs from its issuer URL.
const ADFS_TRUST: &str = "http://fs.example.com/adfs/services/trust";

/// An OpenID provider on this machine.
struct TokenIssuer {
    issuer: String,
    shown: Arc<Mutex<Value>>,
    asked: Arc<AtomicUsize>,
}

struct SigningKey {
    id: &'static str,
    pair: EcdsaKeyPair,
}

impl SigningKey {
    fn new(id: &'static str) -> Self {
        let (algorithm, random) = (&ECDSA_P256_SHA256_FIXED_SIGNING, SystemRandom::new());
        let document = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Self { id, pair: EcdsaKeyPair::from_pkcs8(algorithm, document.as_ref(), &random).unwrap() }
    }

    fn shown(&self) -> Value {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({ "kty": "EC", "crv": "P-256", "use": "sig", "kid": self.id, "x": x, "y": y })
    }

    fn sign(&self, head: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(head), part(claims));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": "ES256", "kid": self.id }), claims)
    }
}

impl TokenIssuer {
    async fn open(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/tenant/v2.0", listener.local_addr().unwrap());
        let office = Self { issuer, shown: Arc::default(), asked: Arc::default() };
        office.show(keys);
        let (issuer, shown, asked) = (office.issuer.clone(), office.shown.clone(), office.asked.clone());
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 4096];
                let len = stream.read(&mut buffer).await.unwrap();
                let body = match &buffer[..len] {
                    head if head.starts_with(b"GET /tenant/v2.0/.well-known/openid-configuration ") => {
                        let trust = ADFS_TRUST;
                        let described = json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys"), "access_token_issuer": trust });
                        format!("\u{feff}{described}")
                    }
                    head if head.starts_with(b"GET /tenant/v2.0/keys ") => {
                        asked.fetch_add(1, Ordering::SeqCst);
                        shown.lock().unwrap().to_string()
                    }
                    head => panic!("{}", String::from_utf8_lossy(head)),
                };
                let len = body.len();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\nConnection: close\r\n\r\n{body}");
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
        });
        office
    }

    /// Publishes the keys with one of an unknown kind among them, as the standard allows.
    fn show(&self, keys: &[&SigningKey]) {
        let unknown = json!({ "kty": "ML-DSA", "kid": "tomorrow" });
        let keys: Vec<_> = keys.iter().map(|key| key.shown()).chain([unknown]).collect();
        *self.shown.lock().unwrap() = json!({ "keys": keys });
    }

    fn claims(&self, roles: &[&str]) -> Value {
        let exp = now().timestamp() + 600;
        let (aud, upn) = (["other", "api://adjourn"], "lobby@example.com");
        json!({ "iss": self.issuer, "aud": aud, "sub": "5d1f", "exp": exp, "roles": roles, "upn": upn })
    }

    fn provider(&self) -> Arc<Provider> {
        let grant = |value: &str, rooms: &str, rights: &[Right], per_minute| Grant {
            claim: "roles".to_owned(),
            value: value.to_owned(),
            rights: Rights::new([rooms.parse().unwrap()], rights.iter().copied()),
            per_minute,
        };
        let issuer = TrustedIssuer {
            issuer: self.issuer.clone(),
            audience: "api://adjourn".to_owned(),
            name_claim: Some("upn".to_owned()),
            grants: vec![
                grant("Operator", "*", &Right::ALL, 1000),
                grant("Display", FREE, &[Right::Read], 1000),
                grant("Slow", FREE, &[Right::Read], 3),
            ],
        };
        Arc::new(Provider::new(issuer, None).unwrap())
    }
}

/// The holder's id: a hash of issuer and subject.
fn id_of(issuer: &str, subject: &str) -> String {
    let hash = Sha256::digest(format!("{issuer}\0{subject}"));
    format!("oidc-{}", URL_SAFE_NO_PAD.encode(&hash[..10]))
}

async fn lobby(office: &TokenIssuer) -> ApiFixture {
    let lobby = ApiFixture::open().await;
    lobby.keys.set_provider(Some(office.provider()));
    lobby
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_worth_what_the_first_fitting_grant_says() {
    let key = SigningKey::new("one");
    let office = TokenIssuer::open(&[&key]).await;
    let lobby = lobby(&office).await;
    let display = key.token(&office.claims(&["Cook", "Display"]));
    let ask = async |token: &str, method: &str, room: &str, what: &str| {
        lobby.send_as(token, method, &format!("/v1/rooms/{room}{what}"), &[], "").await
    };
    assert_eq!(ask(&display, "GET", FREE, "").await.status, 200);
    assert_eq!(ask(&display, "GET", BUSY, "").await.status, 404, "outside its rooms");
    assert_eq!(ask(&display, "POST", FREE, "/end").await.status, 403, "outside its rights");
    let operator = key.token(&office.claims(&["Display", "Operator"]));
    let ended = ask(&operator, "POST", BUSY, "/end").await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    let listed = lobby.send_as(&operator, "GET", "/v1/actions", &[], "").await.json();
    assert_eq!(
        listed["actions"][0]["actor"],
        format!("{} (lobby@example.com)", id_of(&office.issuer, "5d1f")),
        "{listed}"
    );
    let cook = ask(&key.token(&office.claims(&["Cook"])), "GET", FREE, "").await;
    assert_eq!((cook.status, cook.problem().as_str()), (403, "forbidden"), "{}", cook.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_the_right_creates_keys_and_stands_in_the_journal() {
    let key = SigningKey::new("one");
    let office = TokenIssuer::open(&[&key]).await;
    let lobby = lobby(&office).await;
    let body = r#"{"name":"door","rights":["read"],"rooms":["*"]}"#;
    let display = key.token(&office.claims(&["Display"]));
    assert_eq!(lobby.send_as(&display, "POST", "/v1/keys", &[], body).await.status, 403);
    let operator = key.token(&office.claims(&["Operator"]));
    let created = lobby.send_as(&operator, "POST", "/v1/keys", &[], body).await;
    assert_eq!(created.status, 201, "{created:?}");
    lobby.service.write_admin_events().await.unwrap();
    let page = lobby.service.engine.journal().admin_events(&AdminQuery::default()).await.unwrap();
    let holder = id_of(&office.issuer, "5d1f");
    let name = Some(format!("{holder} (lobby@example.com)"));
    assert_eq!(page.events[0].1.by, AdminActor::Caller { key_id: holder, name });
    let path = format!("/v1/keys/{}", created.json()["id"].as_str().unwrap());
    assert_eq!(lobby.send_as(&operator, "DELETE", &path, &[], "").await.status, 204);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_signed_for_us_by_them_and_for_now_opens_nothing() {
    let (key, other) = (SigningKey::new("one"), SigningKey::new("one"));
    let office = TokenIssuer::open(&[&key]).await;
    let lobby = lobby(&office).await;
    let with = |name: &str, value: Value| {
        let mut claims = office.claims(&["Operator"]);
        claims[name] = value;
        key.token(&claims)
    };
    let good = office.claims(&["Operator"]);
    let soon = now().timestamp();
    let mut without_exp = good.clone();
    without_exp.as_object_mut().unwrap().remove("exp");
    let unsigned = key.sign(&json!({ "alg": "none" }), &good);
    let cases = [
        ("another key of the same name", other.token(&good)),
        ("another audience", with("aud", json!("api://elsewhere"))),
        ("no audience", with("aud", Value::Null)),
        ("another issuer", with("iss", json!("https://evil.example"))),
        ("over", with("exp", json!(soon - 120))),
        ("never over", key.token(&without_exp)),
        ("over at a time that is none", with("exp", json!("tomorrow"))),
        ("not yet", with("nbf", json!(soon + 120))),
        ("nobody's", with("sub", json!(""))),
        ("unsigned", unsigned.clone()),
        ("unsigned, and no signature", unsigned.rsplit_once('.').unwrap().0.to_owned() + "."),
        ("signed by a secret", key.sign(&json!({ "alg": "HS256", "kid": "one" }), &good)),
        ("signed as something else", key.sign(&json!({ "alg": "ES384", "kid": "one" }), &good)),
        ("too long", with("more", json!("x".repeat(10_000)))),
        ("nonsense", "a.b.c".to_owned()),
        ("for signing out", key.sign(&json!({ "alg": "ES256", "kid": "one", "typ": "logout+jwt" }), &good)),
        ("critical", key.sign(&json!({ "alg": "ES256", "kid": "one", "crit": ["b64"], "b64": true }), &good)),
        ("over after the end of all time", with("exp", json!(1e300))),
    ];
    for (what, token) in cases {
        let said = lobby.send_as(&token, "GET", "/v1/rooms", &[], "").await;
        assert_eq!((said.status, said.problem().as_str()), (401, "unauthenticated"), "{what}: {}", said.body);
    }
    assert_eq!(lobby.send_as(&key.token(&good), "GET", "/v1/rooms", &[], "").await.status, 200);
    // A minute of clock skew is accepted.
    assert_eq!(lobby.send_as(&with("exp", json!(soon - 30)), "GET", "/v1/rooms", &[], "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_fetched_once_and_strangers_bring_about_no_storm() {
    let (old, new) = (SigningKey::new("old"), SigningKey::new("new"));
    let office = TokenIssuer::open(&[&old]).await;
    let lobby = lobby(&office).await;
    let read = async |key: &SigningKey| {
        lobby.send_as(&key.token(&office.claims(&["Display"])), "GET", "/v1/rooms", &[], "").await.status
    };
    assert_eq!(office.asked.load(Ordering::SeqCst), 0);
    for _ in 0..20 {
        assert_eq!(read(&old).await, 200);
    }
    assert_eq!(office.asked.load(Ordering::SeqCst), 1);
    office.show(&[&new]);
    for _ in 0..20 {
        assert_eq!(read(&new).await, 401, "asked for less than half a minute ago");
    }
    assert_eq!(office.asked.load(Ordering::SeqCst), 1);
    // A provider that starts now knows the new key only.
    lobby.keys.set_provider(Some(office.provider()));
    assert_eq!((read(&new).await, read(&old).await), (200, 401));
    assert_eq!(office.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_provider_is_away_nobody_is_called_a_liar() {
    let key = SigningKey::new("one");
    let mut office = TokenIssuer::open(&[&key]).await;
    office.issuer = "http://127.0.0.1:9/tenant".to_owned();
    let lobby = lobby(&office).await;
    let said = lobby.send_as(&key.token(&office.claims(&["Display"])), "GET", "/v1/rooms", &[], "").await;
    assert_eq!((said.status, said.problem().as_str()), (503, "provider-unavailable"), "{}", said.body);
    assert_eq!(lobby.get("/v1/rooms").await.status, 200, "API keys open as ever");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_counted_by_holder_whatever_token_they_come_with() {
    let key = SigningKey::new("one");
    let office = TokenIssuer::open(&[&key]).await;
    let lobby = lobby(&office).await;
    let mut statuses = Vec::new();
    for round in 0..4 {
        let mut claims = office.claims(&["Slow"]);
        claims["round"] = json!(round);
        statuses.push(lobby.send_as(&key.token(&claims), "GET", "/v1/rooms", &[], "").await.status);
    }
    assert_eq!(statuses, [200, 200, 200, 429]);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_grants_hold_at_once_and_the_keys_stay_known() {
    let key = SigningKey::new("one");
    let office = TokenIssuer::open(&[&key]).await;
    let lobby = ApiFixture::open().await;
    let provider = office.provider();
    lobby.keys.set_provider(Some(provider.clone()));
    let token = key.token(&office.claims(&["Display"]));
    let read = async || lobby.send_as(&token, "GET", "/v1/rooms", &[], "").await.status;
    assert_eq!(read().await, 200);
    let none = TrustedIssuer {
        grants: Vec::new(),
        issuer: office.issuer.clone(),
        audience: "api://adjourn".to_owned(),
        name_claim: None,
    };
    lobby.keys.set_provider(Some(Arc::new(provider.with_issuer(none))));
    assert_eq!((read().await, office.asked.load(Ordering::SeqCst)), (403, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn access_tokens_bear_the_name_that_the_issuer_publishes_for_them() {
    let (key, other) = (SigningKey::new("one"), SigningKey::new("one"));
    let office = TokenIssuer::open(&[&key]).await;
    let lobby = lobby(&office).await;
    let mut claims = office.claims(&["Operator"]);
    let ours = lobby.send_as(&key.token(&claims), "GET", "/v1/actions", &[], "").await;
    assert_eq!(ours.status, 200, "its own name is as good");
    claims["iss"] = json!(ADFS_TRUST);
    let token = key.token(&claims);
    assert_eq!(lobby.send_as(&token, "GET", "/v1/rooms", &[], "").await.status, 200);
    let ended = lobby.send_as(&token, "POST", &format!("/v1/rooms/{BUSY}/end"), &[], "").await;
    assert_eq!(ended.status, 200, "{}", ended.body);
    let listed = lobby.send_as(&token, "GET", "/v1/actions", &[], "").await.json();
    let holder = id_of(&office.issuer, "5d1f");
    assert!(
        listed["actions"][0]["actor"].as_str().unwrap().starts_with(&holder),
        "the same person under both names: {listed}"
    );
    for iss in
        ["http://fs.example.com/adfs/services/trust/", "https://fs.example.com/adfs/services/trust", ""]
    {
        claims["iss"] = json!(iss);
        assert_eq!(
            lobby.send_as(&key.token(&claims), "GET", "/v1/rooms", &[], "").await.status,
            401,
            "{iss}"
        );
    }
    claims["iss"] = json!(ADFS_TRUST);
    assert_eq!(
        lobby.send_as(&other.token(&claims), "GET", "/v1/rooms", &[], "").await.status,
        401,
        "another's key"
    );
}
