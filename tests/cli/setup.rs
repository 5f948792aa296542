//! `adjourn setup` as an administrator runs it: with a configuration, and with none.

use crate::office::{Office, room};

#[tokio::test(flavor = "multi_thread")]
async fn the_script_names_whom_the_configuration_names() {
    let office = Office::open(1).await;
    office.configure("");
    let script = office.run(&["setup", "--in-scope", &room(0)]).await;
    assert_eq!(script.code, 0, "{}", script.err);
    let account = adjourn::sim::Options::default().username;
    assert!(
        script.out.contains(&format!("-User '{account}' -CustomRecipientWriteScope 'Adjourn'")),
        "{}",
        script.out
    );
    assert!(script.out.contains(&format!("adjourn events {}", room(0))), "{}", script.out);
    let json = office.run(&["setup", "--scope", "everyone", "--json"]).await.json();
    assert!(
        json["warnings"].as_array().unwrap().iter().any(|line| line.as_str().unwrap().starts_with("WARNING"))
    );
    let nameless = office.run(&["setup", "--scope", "group"]).await;
    assert_eq!(nameless.code, 2, "{}", nameless.err);
}
