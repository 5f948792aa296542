//! Other clients sign in: curl, and Python's requests-ntlm, pyspnego and exchangelib, if ADJOURN_EXCHANGELIB_PYTHON
//! names a Python that has them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use adjourn::sim::{
    AuthScheme, Authority, AuthorityOptions, ClientBinding, ExtendedProtection, Simulator, SimulatorOptions,
};
use adjourn_test::{AURORA, meeting, simulator_with, world};

/// Whether `login.py` signs in this way; `None` if this machine lacks the client.
async fn signs_in(python: &OsStr, sim: &Simulator, ca: &Path, way: &str, oauth: &[&str]) -> Option<bool> {
    if let Some(pem) = sim.ca_pem() {
        std::fs::write(ca, pem).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/login.py");
    let status = tokio::process::Command::new(python)
        .arg(script)
        .arg(way)
        .arg(sim.url().replace("127.0.0.1", "localhost"))
        .arg(ca)
        .args(["EXAMPLE\\svc-adjourn", &SimulatorOptions::default().password, AURORA])
        .args(oauth)
        .stdin(Stdio::null())
        .status()
        .await
        .unwrap();
    match status.code() {
        Some(0) => Some(true),
        Some(10) => Some(false),
        Some(77) => None,
        _ => panic!("{way} failed: {status}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn curl_requests_ntlm_pyspnego_and_exchangelib_come_in_where_they_should() {
    use ExtendedProtection::{Allow, None as Off, Require};
    let Some(python) = std::env::var_os("ADJOURN_EXCHANGELIB_PYTHON") else {
        return println!("ADJOURN_EXCHANGELIB_PYTHON is not set: no stranger signed in");
    };
    let dir = tempfile::tempdir().unwrap();
    let plain: &[(&str, bool)] = &[
        ("curl-ntlm", true),
        ("curl-negotiate", true),
        ("requests-ntlm", true),
        ("negotiate-unbound", true),
        ("ntlm-unbound", true),
        ("kerberos-first", true),
        ("kerberos-first-unsigned", false),
        ("exchangelib", true),
    ];
    let allow: &[(&str, bool)] = &[
        ("curl-ntlm", true),
        ("requests-ntlm", true),
        ("requests-ntlm-unbound", true),
        ("ntlm", true),
        ("ntlm-wrong", false),
        ("negotiate", true),
        ("negotiate-bare", true),
        ("negotiate-wrong", false),
        ("negotiate-unbound", true),
        ("curl-negotiate", true),
    ];
    let require: &[(&str, bool)] = &[
        ("curl-ntlm", false),
        ("requests-ntlm", true),
        ("requests-ntlm-unbound", false),
        ("ntlm", true),
        ("ntlm-wrong", false),
        ("negotiate", true),
        ("negotiate-bare", true),
        ("negotiate-unbound", false),
        ("exchangelib", true),
    ];
    let elsewhere: &[(&str, bool)] =
        &[("requests-ntlm", false), ("negotiate", false), ("ntlm-unbound", true)];
    let rows =
        [(Off, false, plain), (Allow, false, allow), (Require, false, require), (Allow, true, elsewhere)];
    for (extended_protection, terminated_elsewhere, ways) in rows {
        let mut office = world();
        office.add_meeting(meeting());
        let options = SimulatorOptions {
            tls: extended_protection != Off,
            schemes: vec![AuthScheme::Negotiate, AuthScheme::Ntlm],
            extended_protection,
            tls_ends_at_proxy: terminated_elsewhere,
            ..SimulatorOptions::default()
        };
        let sim = simulator_with(office, options).await;
        for (way, expected) in ways {
            let before = sim.windows_sign_ins().len();
            let came_in = signs_in(&python, &sim, &dir.path().join("ca.pem"), way, &[]).await;
            let logins = sim.windows_sign_ins().split_off(before);
            println!("{extended_protection:?} {terminated_elsewhere} {way}: {came_in:?} {logins:?}");
            assert!(came_in.is_none_or(|came_in| came_in == *expected), "{way}");
            assert!(!came_in.unwrap_or_default() || logins.iter().any(|login| login.admitted));
            assert!(
                extended_protection != Require
                    || logins.iter().all(|login| login.admitted == (login.binding == ClientBinding::Correct))
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_ntlm_binds_itself_to_every_kind_of_certificate_as_we_expect() {
    let Some(python) = std::env::var_os("ADJOURN_EXCHANGELIB_PYTHON") else {
        return println!("ADJOURN_EXCHANGELIB_PYTHON is not set: no stranger signed in");
    };
    let dir = tempfile::tempdir().unwrap();
    for name in crate::login::CERTIFICATES {
        let options = SimulatorOptions {
            tls: true,
            schemes: vec![AuthScheme::Ntlm],
            extended_protection: ExtendedProtection::Require,
            identity: Some(crate::login::identity(name)),
            ..SimulatorOptions::default()
        };
        let sim = simulator_with(world(), options).await;
        let way = "requests-ntlm";
        let came_in = signs_in(&python, &sim, &dir.path().join("ca.pem"), way, &[]).await;
        println!("{name}: {:?}", sim.windows_sign_ins());
        assert_eq!(came_in, Some(true), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn exchangelib_and_a_foreign_signature_get_tokens() {
    let Some(python) = std::env::var_os("ADJOURN_EXCHANGELIB_PYTHON") else {
        return println!("ADJOURN_EXCHANGELIB_PYTHON is not set: no foreign client requested a token");
    };
    let fixture = |name: &str| format!("{}/fixtures/certificates/{name}.pem", env!("CARGO_MANIFEST_DIR"));
    let (certificate, key) = (fixture("rsa-sha256"), fixture("worthless-rsa.key"));
    let options = AuthorityOptions {
        certificate_pem: Some(std::fs::read_to_string(&certificate).unwrap()),
        ..AuthorityOptions::default()
    };
    let client = options.client_id.clone();
    let authority = Authority::start(options).await.unwrap();
    let options = SimulatorOptions {
        schemes: vec![AuthScheme::Bearer],
        tokens: authority.tokens(),
        ..SimulatorOptions::default()
    };
    let mut office = world();
    office.add_meeting(meeting());
    let sim = simulator_with(office, options).await;
    let url = authority.url();
    let by_secret = [url.as_str(), &client, "simulated"];
    assert_eq!(signs_in(&python, &sim, Path::new("-"), "exchangelib-oauth", &by_secret).await, Some(true));
    let by_certificate = [url.as_str(), &client, &certificate, &key];
    assert_eq!(signs_in(&python, &sim, Path::new("-"), "certificate", &by_certificate).await, Some(true));
    assert!(authority.issued() >= 2);
}
