//! Clients that we did not write sign in: curl, and Python's requests-ntlm, pyspnego and exchangelib, if
//! ADJOURN_EXCHANGELIB_PYTHON names a Python that has them.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;

use adjourn::sim::{Bound, ExtendedProtection, Options, Scheme, Simulator};

use crate::office::{ROOM, meeting, world};

/// Whether a way of `login.py` led in; `None` when this machine cannot go it.
async fn goes(python: &OsStr, sim: &Simulator, ca: &Path, way: &str, user: &str) -> Option<bool> {
    if let Some(pem) = sim.ca_pem() {
        std::fs::write(ca, pem).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/login.py");
    let status = tokio::process::Command::new(python)
        .arg(script)
        .arg(way)
        .arg(sim.url().replace("127.0.0.1", "localhost"))
        .arg(ca)
        .args([user, &Options::default().password, ROOM])
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
        let options = Options {
            tls: extended_protection != Off,
            schemes: vec![Scheme::Negotiate, Scheme::Ntlm],
            extended_protection,
            terminated_elsewhere,
            ..Options::default()
        };
        let sim = Simulator::start(office, options).await.unwrap();
        for (way, expected) in ways {
            let before = sim.logins().len();
            let came_in = goes(&python, &sim, &dir.path().join("ca.pem"), way, "EXAMPLE\\svc-adjourn").await;
            let logins = sim.logins().split_off(before);
            println!("{extended_protection:?} {terminated_elsewhere} {way}: {came_in:?} {logins:?}");
            assert!(came_in.is_none_or(|came_in| came_in == *expected), "{way}");
            assert!(!came_in.unwrap_or_default() || logins.iter().any(|login| login.admitted));
            assert!(
                extended_protection != Require
                    || logins.iter().all(|login| login.admitted == (login.bound == Bound::Right))
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
        let options = Options {
            tls: true,
            schemes: vec![Scheme::Ntlm],
            extended_protection: ExtendedProtection::Require,
            identity: Some(crate::login::identity(name)),
            ..Options::default()
        };
        let sim = Simulator::start(world(), options).await.unwrap();
        let way = "requests-ntlm";
        let came_in = goes(&python, &sim, &dir.path().join("ca.pem"), way, "EXAMPLE\\svc-adjourn").await;
        println!("{name}: {:?}", sim.logins());
        assert_eq!(came_in, Some(true), "{name}");
    }
}
