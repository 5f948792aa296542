//! `adjourn setup` with a configuration, and without one.

use adjourn_test::room_name;

use crate::installed::{configure, install};

#[tokio::test(flavor = "multi_thread")]
async fn the_script_names_whom_the_configuration_names() {
    let office = install(1).await;
    configure(&office, "");
    let script = office.run(&["setup", "--in-scope", &room_name(0)]).await;
    assert_eq!(script.code, 0, "{}", script.err);
    let account = adjourn::sim::SimulatorOptions::default().username;
    assert!(
        script.out.contains(&format!("-User '{account}' -CustomRecipientWriteScope 'Adjourn'")),
        "{}",
        script.out
    );
    assert!(script.out.contains(&format!("adjourn events {}", room_name(0))), "{}", script.out);
    let json = office.run(&["setup", "--scope", "everyone", "--json"]).await.json();
    assert!(
        json["warnings"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().starts_with("WARNING"))
    );
    configure(&office, "[doctor]\nout_of_scope = [\"ceo@example.com\"]\n");
    let proven = office.run(&["setup"]).await;
    assert!(proven.out.contains("ceo@example.com") && !proven.out.contains("somebody@"), "{}", proven.out);
    let given = office.run(&["setup", "--out-of-scope", "cfo@example.com"]).await;
    assert!(given.out.contains("cfo@example.com") && !given.out.contains("ceo@"), "{}", given.out);
    let nameless = office.run(&["setup", "--scope", "group"]).await;
    assert_eq!(nameless.code, 2, "{}", nameless.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_for_exchange_online_names_the_application() {
    let office = install(1).await;
    configure(&office, "");
    let (app, object) = ("11111111-2222-4333-8444-555555555555", "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee");
    let online = ["setup", "--deployment", "online", "--in-scope", &room_name(0)];
    let named = office.run(&[&online[..], &["--app-id", app, "--object-id", object]].concat()).await;
    assert_eq!(named.code, 0, "{}", named.err);
    for line in [
        format!("$app = ([guid]'{app}').ToString()"),
        format!("$object = ([guid]'{object}').ToString()"),
        format!("-Resource '{}' | Format-Table", room_name(0)),
        "-Role 'Application EWS.AccessAsApp' -CustomResourceScope 'Adjourn'".to_owned(),
    ] {
        assert!(named.out.contains(&line), "{line}\n{}", named.out);
    }
    let nameless = office.run(&[&online[..], &["--json"]].concat()).await.json();
    assert!(nameless.to_string().contains("[guid]'APPLICATION-CLIENT-ID'"), "{nameless}");
    assert!(nameless["warnings"][0].as_str().unwrap().contains("1 April 2027"), "{nameless}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_script_follows_the_protocol() {
    let office = install(1).await;
    configure(&office, "");
    let (ews, graph) = ("'Application EWS.AccessAsApp'", "'Application Calendars.ReadWrite'");
    for (protocol, has) in [("ews", [true, false]), ("graph", [false, true]), ("both", [true, true])] {
        let script = office.run(&["setup", "--deployment", "online", "--protocol", protocol]).await;
        assert_eq!(script.code, 0, "{}", script.err);
        assert_eq!([script.out.contains(ews), script.out.contains(graph)], has, "{protocol}: {}", script.out);
    }
    let connection = "[[connections]]\nname = \"cloud\"\nprotocol = \"graph\"\nrooms = [\"cloud-*@example.com\"]\n\
                      oauth = { tenant = \"t\", client_id = \"11111111-2222-4333-8444-555555555555\", \
                      federated_token_file = \"/run/token\" }\n";
    configure(&office, connection);
    let script = office.run(&["setup", "--deployment", "online", "--connection", "cloud"]).await;
    assert_eq!(script.code, 0, "{}", script.err);
    assert!(script.out.contains(graph) && !script.out.contains(ews), "{}", script.out);
    assert!(script.out.contains("[guid]'11111111-2222-4333-8444-555555555555'"), "{}", script.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_the_site_is_refused() {
    let office = install(1).await;
    configure(&office, "");
    let id = "11111111-2222-4333-8444-555555555555";
    for (args, says) in [
        (&["--deployment", "online", "--scope", "role-group", "--group", "Room engine"][..], "--scope rooms"),
        (&["--protocol", "graph"], "on premises has no Microsoft Graph"),
        (&["--protocol", "both"], "--deployment online"),
        (&["--deployment", "online", "--account", "svc-rooms"], "--app-id"),
        (&["--app-id", id], "--account"),
        (&["--object-id", id], "--account"),
        (&["--deployment", "online", "--app-id", "'; Remove-Mailbox *"], "--app-id"),
    ] {
        let refused = office.run(&[&["setup"], args].concat()).await;
        assert_eq!(refused.code, 2, "{args:?}: {}", refused.err);
        assert!(refused.err.contains(says), "{args:?}: {}", refused.err);
    }
}
