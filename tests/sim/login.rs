//! Authentication, leg by leg over sockets: what each scheme accepts, on which connection, and with which channel
//! binding.

use adjourn::sim::{
    AuthScheme, ClientBinding, ExtendedProtection, FaultRule, InjectedFault, ServerIdentity, Simulator,
    SimulatorOptions,
};
use adjourn_test::{AURORA, simulator_with, world};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use md5::Digest as _;

use crate::socket::{Socket, WindowsClient, negotiate};

const WINDOWS: [AuthScheme; 3] = [AuthScheme::Negotiate, AuthScheme::Ntlm, AuthScheme::Basic];

/// The certificates that current clients accept; `fixtures/certificates` has more.
pub const CERTIFICATES: [&str; 7] = [
    "rsa-sha256",
    "rsa-sha384",
    "rsa-sha512",
    "rsa-pss-sha256",
    "rsa-pss-sha384",
    "ecdsa-sha256",
    "ecdsa-sha384",
];

async fn sim(options: SimulatorOptions) -> Simulator {
    simulator_with(world(), options).await
}

async fn windows() -> Simulator {
    sim(SimulatorOptions { schemes: WINDOWS.to_vec(), ..SimulatorOptions::default() }).await
}

/// A certificate of `fixtures/certificates`.
pub fn identity(name: &str) -> ServerIdentity {
    let read = |name: &str| {
        let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/certificates");
        std::fs::read_to_string(format!("{dir}/{name}.pem")).unwrap()
    };
    let (key, ca) = match name.starts_with("rsa") {
        true => ("worthless-rsa.key", "rsa-ca"),
        false => ("worthless-p384.key", "ec-ca"),
    };
    ServerIdentity { certificates_pem: read(name), key_pem: read(key), ca_pem: read(ca) }
}

/// The channel binding to a certificate signed with this hash.
fn binding(certificate: &[u8], hash: &str) -> [u8; 16] {
    let hash = match hash {
        "sha512" => sha2::Sha512::digest(certificate).to_vec(),
        "sha384" => sha2::Sha384::digest(certificate).to_vec(),
        _ => sha2::Sha256::digest(certificate).to_vec(),
    };
    let data = [b"tls-server-end-point:".as_slice(), &hash].concat();
    let head = [&[0; 16][..], &u32::try_from(data.len()).unwrap().to_le_bytes()].concat();
    md5::Md5::digest([head, data].concat()).into()
}

#[tokio::test]
async fn a_stranger_is_told_every_way_in_and_in_which_order() {
    let sim = windows().await;
    let answer = Socket::open(&sim).await.get_room_lists(None).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.offers, ["Negotiate", "NTLM", "Basic realm=\"sim\""]);
}

#[tokio::test]
async fn ntlm_lets_in_the_connection_and_no_other() {
    for (scheme, by) in [("NTLM", AuthScheme::Ntlm), ("Negotiate", AuthScheme::Negotiate)] {
        let sim = windows().await;
        let mut socket = Socket::open(&sim).await;
        let answer = socket.sign_in(scheme, &WindowsClient::default()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert_eq!(sim.requests().len(), 1, "the bodies of the other legs were not carried out");
        assert_eq!(socket.get_room_lists(None).await.status, 200);
        assert_eq!(Socket::open(&sim).await.get_room_lists(None).await.status, 401);
        let asked = sim.requests();
        assert_eq!(asked.len(), 2);
        assert!(asked.iter().all(|asked| asked.scheme == by && asked.connection == 1));
        let [login] = sim.windows_sign_ins().try_into().unwrap();
        assert_eq!((login.scheme, login.name.as_str()), (by, "EXAMPLE\\svc-adjourn"));
        sim.invalidate_sign_ins();
        assert_eq!(socket.get_room_lists(None).await.status, 401);
        assert_eq!(socket.sign_in(scheme, &WindowsClient::default()).await.status, 200);
    }
}

#[tokio::test]
async fn only_the_account_and_its_password_come_in() {
    let sim = windows().await;
    let who = |domain: &str, user: &str, password: &str| WindowsClient {
        user: user.to_owned(),
        domain: domain.to_owned(),
        password: password.to_owned(),
        binding: None,
    };
    let right = SimulatorOptions::default().password;
    let rows = [
        (who("EXAMPLE", "SVC-adjourn", &right), 200),
        (who("example.com", "svc-adjourn", &right), 200),
        (who("", "svc-adjourn@example.com", &right), 200),
        (who("OTHER", "svc-adjourn", &right), 401),
        (who("EXAMPLE", "ada", &right), 401),
        (who("EXAMPLE", "svc-adjourn", "guessed"), 401),
        (who("", "", ""), 401),
    ];
    for (who, status) in rows {
        let answer = Socket::open(&sim).await.sign_in("NTLM", &who).await;
        assert_eq!(answer.status, status, "{}\\{}", who.domain, who.user);
        if status == 401 {
            assert_eq!(answer.offers.len(), 3, "everything is offered again");
        }
    }
    let mut socket = Socket::open(&sim).await;
    socket.sign_in("NTLM", &WindowsClient::default()).await;
    sim.change_password("new");
    assert_eq!(socket.get_room_lists(None).await.status, 200);
    assert_eq!(Socket::open(&sim).await.sign_in("NTLM", &WindowsClient::default()).await.status, 401);
    let pair = BASE64_STANDARD.encode("EXAMPLE\\svc-adjourn:new");
    assert_eq!(Socket::open(&sim).await.get_room_lists(Some(&format!("Basic {pair}"))).await.status, 200);
}

#[tokio::test]
async fn what_is_no_login_is_answered_with_401_and_costs_nothing() {
    let sim = windows().await;
    let mut socket = Socket::open(&sim).await;
    let three = BASE64_STANDARD.encode([b"NTLMSSP\0\x03\0\0\0".as_slice(), &[255; 60]].concat());
    let authenticate = format!("NTLM {three}");
    let wrapped = format!("NTLM {}", BASE64_STANDARD.encode([0x60, 0x03, 1, 2, 3]));
    for wrong in ["NTLM", "NTLM ", "NTLM !!", "Negotiate YIID", "Bearer x", "", &authenticate, &wrapped] {
        let answer = socket.get_room_lists(Some(wrong)).await;
        assert_eq!((answer.status, answer.offers.len()), (401, 3), "{wrong}");
    }
    let plain = sim_basic().await;
    let answer = Socket::open(&plain).await.get_room_lists(Some(&format!("NTLM {}", negotiate()))).await;
    assert_eq!((answer.status, answer.offers.len()), (401, 1), "a scheme that is not offered is rejected");
    assert!(sim.requests().is_empty() && sim.windows_sign_ins().is_empty());
}

async fn sim_basic() -> Simulator {
    sim(SimulatorOptions::default()).await
}

#[tokio::test]
async fn extended_protection_is_that_of_iis() {
    use ExtendedProtection::{Allow, None as Off, Require};
    // The client's channel binding: none, zeros, the certificate it saw, another one.
    let rows = [
        (Off, false, [200, 200, 200, 200]),
        (Allow, false, [200, 401, 200, 401]),
        (Require, false, [401, 401, 200, 401]),
        (Allow, true, [200, 401, 401, 401]),
        (Require, true, [401, 401, 401, 401]),
    ];
    for (extended_protection, terminated_elsewhere, expected) in rows {
        let options = SimulatorOptions {
            tls: true,
            schemes: WINDOWS.to_vec(),
            extended_protection,
            tls_ends_at_proxy: terminated_elsewhere,
            ..SimulatorOptions::default()
        };
        let sim = sim(options).await;
        let mut statuses = Vec::new();
        for sends in
            [ClientBinding::Missing, ClientBinding::Zeros, ClientBinding::Correct, ClientBinding::Incorrect]
        {
            let mut socket = Socket::open(&sim).await;
            let binding = match sends {
                ClientBinding::Missing => None,
                ClientBinding::Zeros => Some([0; 16]),
                ClientBinding::Correct => Some(binding(&socket.certificate, "sha256")),
                ClientBinding::Incorrect => Some([7; 16]),
            };
            statuses.push(
                socket.sign_in("NTLM", &WindowsClient { binding, ..WindowsClient::default() }).await.status,
            );
        }
        assert_eq!(statuses, expected, "{extended_protection:?}, elsewhere: {terminated_elsewhere}");
        let seen: Vec<_> = sim.windows_sign_ins().into_iter().map(|login| login.binding).collect();
        let right = if terminated_elsewhere { ClientBinding::Incorrect } else { ClientBinding::Correct };
        assert_eq!(seen, [ClientBinding::Missing, ClientBinding::Zeros, right, ClientBinding::Incorrect]);
    }
}

#[tokio::test]
async fn each_kind_of_certificate_is_bound_to_by_its_own_hash() {
    for name in CERTIFICATES {
        let sim = sim(SimulatorOptions {
            tls: true,
            schemes: vec![AuthScheme::Ntlm],
            extended_protection: ExtendedProtection::Require,
            identity: Some(identity(name)),
            ..SimulatorOptions::default()
        })
        .await;
        let mut socket = Socket::open(&sim).await;
        let binding = binding(&socket.certificate, name.rsplit('-').next().unwrap());
        let answer = socket
            .sign_in("NTLM", &WindowsClient { binding: Some(binding), ..WindowsClient::default() })
            .await;
        assert_eq!(answer.status, 200, "{name}");
    }
}

#[tokio::test]
async fn a_clients_certificate_can_be_all_that_is_asked_for() {
    let made = |name: &str| {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut certificate = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        certificate.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        (certificate, key)
    };
    let (ca, ca_key) = made("ca");
    let ca_pem = ca.self_signed(&ca_key).unwrap().pem();
    let issuer = rcgen::Issuer::new(ca, ca_key);
    let (_, key) = made("client");
    let client = rcgen::CertificateParams::new(vec!["client".to_owned()]).unwrap();
    let certificate = client.signed_by(&key, &issuer).unwrap().pem();
    let (stranger, strange_key) = made("stranger");
    let strange = stranger.self_signed(&strange_key).unwrap().pem();
    let sim = sim(SimulatorOptions {
        tls: true,
        schemes: vec![AuthScheme::Anonymous],
        client_ca_pem: Some(ca_pem),
        ..SimulatorOptions::default()
    })
    .await;
    let key = key.serialize_pem();
    let mut socket = Socket::open_as(&sim, Some((&certificate, &key))).await.unwrap();
    assert_eq!(socket.get_room_lists(None).await.status, 200);
    assert_eq!(sim.requests()[0].scheme, AuthScheme::Anonymous);
    let strange_key = strange_key.serialize_pem();
    for client in [None, Some((strange.as_str(), strange_key.as_str()))] {
        // In TLS 1.3 a client learns only afterwards that its certificate was rejected.
        let refused = match Socket::open_as(&sim, client).await {
            Ok(mut socket) => socket.post(None, "").await.is_err(),
            Err(_) => true,
        };
        assert!(refused);
    }
}

#[tokio::test]
async fn tokens_open_the_door_until_they_expire() {
    let options = SimulatorOptions { schemes: vec![AuthScheme::Bearer], ..SimulatorOptions::default() };
    let tokens = options.tokens.clone();
    let sim = sim(options).await;
    let mut socket = Socket::open(&sim).await;
    assert!(socket.get_room_lists(None).await.offers[0].starts_with("Bearer "));
    let token = format!("Bearer {}", tokens.issue(std::time::Duration::from_secs(60)));
    assert_eq!(socket.get_room_lists(Some(&token)).await.status, 200);
    assert_eq!(socket.get_room_lists(None).await.status, 401, "a token is for one request");
    tokens.expire();
    let answer = socket.get_room_lists(Some(&token)).await;
    assert_eq!(answer.status, 401);
    assert!(answer.offers[0].ends_with("error=\"invalid_token\""), "{:?}", answer.offers);
    let old = format!("Bearer {}", tokens.issue(std::time::Duration::ZERO));
    assert_eq!(socket.get_room_lists(Some(&old)).await.status, 401);
}

#[tokio::test]
async fn ews_can_be_switched_off_for_a_mailbox_or_for_all() {
    for (disabled, status) in [(AURORA, 403), ("*", 403), ("other@example.com", 200)] {
        let sim =
            sim(SimulatorOptions { disabled: vec![disabled.to_owned()], ..SimulatorOptions::default() })
                .await;
        let SimulatorOptions { username, password, .. } = SimulatorOptions::default();
        let basic = format!("Basic {}", BASE64_STANDARD.encode(format!("{username}:{password}")));
        let answer = Socket::open(&sim).await.get_room_lists(Some(&basic)).await;
        assert_eq!(answer.status, status, "{disabled}");
        assert!(status == 200 || !answer.body.contains("Envelope"));
    }
}

#[tokio::test]
async fn a_scripted_401_offers_what_the_server_offers() {
    let sim = windows().await;
    let mut socket = Socket::open(&sim).await;
    socket.sign_in("NTLM", &WindowsClient::default()).await;
    sim.inject_fault(FaultRule::new(InjectedFault::Page(401)));
    let answer = socket.get_room_lists(None).await;
    assert_eq!((answer.status, answer.offers.len()), (401, 3));
    assert_eq!(socket.get_room_lists(None).await.status, 200);
}
