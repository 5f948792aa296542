//! `adjourn health`, of a running service and of none.

use crate::installed::{configure, install};

#[tokio::test(flavor = "multi_thread")]
async fn health_reports_a_running_service_and_a_stopped_one() {
    let office = install(1).await;
    let mut served = office.serve();
    let url = format!("http://{}", served.at);
    let ready = office.run(&["health", "--server", &url]).await;
    assert_eq!((ready.code, ready.out.trim()), (0, "ready"), "{}", ready.err);
    let checks = office.run(&["health", "--server", &url, "--json"]).await;
    assert_eq!(checks.json()["ready"], true, "{}", checks.out);
    let live = office.run(&["health", "--live", "--server", &url, "--json"]).await;
    assert_eq!((live.code, live.json()), (0, serde_json::json!({ "live": true })));
    let wrong = office.run(&["health", "--server", &format!("{url}/console")]).await;
    assert!(wrong.code == 4 && wrong.err.contains("answered HTTP 404"), "{}", wrong.err);
    served.terminate();
    assert!(served.child.wait().unwrap().success());
    let stopped = office.run(&["health", "--server", &url]).await;
    assert!(stopped.code == 4 && stopped.err.contains("cannot reach the service"), "{}", stopped.err);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_trust_in_the_certificate_of_a_service_on_this_machine() {
    let office = install(1).await;
    let made = rcgen::generate_simple_self_signed(["rooms.example.com".to_owned()]).unwrap();
    office.write_secret("cert.pem", made.cert.pem());
    office.write_secret("key.pem", made.signing_key.serialize_pem());
    configure(&office, "[api]\ntls = { cert_file = \"cert.pem\", key_file = \"key.pem\" }\n");
    let mut served = office.serve();
    let at_url = office.run(&["health", "--server", &format!("https://{}", served.at)]).await;
    assert!(at_url.code == 4 && at_url.err.contains("certificate"), "{}", at_url.err);
    let ready = office.run(&["health"]).await;
    assert_eq!((ready.code, ready.out.trim()), (0, "ready"), "{}", ready.err);
    let checks = office.run(&["health", "--json"]).await;
    assert_eq!(checks.json()["ready"], true, "{}", checks.out);
    let live = office.run(&["health", "--live"]).await;
    assert_eq!((live.code, live.out.trim()), (0, "ok"), "{}", live.err);
    served.terminate();
    assert!(served.child.wait().unwrap().success());
    let stopped = office.run(&["health"]).await;
    assert!(stopped.code == 4 && stopped.err.contains("cannot reach the service"), "{}", stopped.err);
}
