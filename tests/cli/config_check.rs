//! `adjourn config check` and `adjourn config schema`: every error with its line, and what editors know of the file.

use crate::installed::{configure, install};

#[tokio::test(flavor = "multi_thread")]
async fn a_valid_file_is_valid_with_its_secrets() {
    let office = install(1).await;
    let checked = office.run(&["config", "check"]).await;
    assert_eq!(checked.code, 0, "{}", checked.err);
    assert!(checked.out.starts_with("adjourn.toml is valid: 1 connection"), "{}", checked.out);
    let quiet = office.run(&["config", "check", "--quiet"]).await;
    assert_eq!((quiet.code, quiet.out.as_str(), quiet.err.as_str()), (0, "", ""));
    let json = office.run(&["config", "check", "--json"]).await.json();
    assert_eq!((json["valid"].as_bool(), json["errors"].as_array().map(Vec::len)), (Some(true), Some(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_error_is_listed_with_its_line_and_the_command_ends_with_2() {
    let office = install(1).await;
    let text = "[server]\nurll = \"https://m.example\"\n[live]\npoll_interval_s = 1\n[[schedules]]\nname = \"x\"\ncron = \"never\"\ntime_zone = \"UTC\"\n";
    std::fs::write(office.path("wrong.toml"), text).unwrap();
    let checked = office.run(&["config", "check", "wrong.toml"]).await;
    assert_eq!(checked.code, 2, "{}", checked.out);
    for part in [
        "adjourn: wrong.toml:2: server.urll: unknown key `urll`; did you mean `url`?",
        "adjourn: wrong.toml:4: live.poll_interval_s: 1 is not between 5 and 3600",
        "adjourn: wrong.toml:7: schedules.cron: ",
    ] {
        assert!(checked.err.contains(part), "{part} is not in {}", checked.err);
    }
    assert_eq!(checked.out, "wrong.toml has 3 errors\n");
    let json = office.run(&["config", "check", "wrong.toml", "--json"]).await.json();
    assert_eq!((json["valid"].as_bool(), json["errors"].as_array().map(Vec::len)), (Some(false), Some(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_is_an_error_unless_secrets_are_left_out() {
    let office = install(1).await;
    configure(
        &office,
        "[[webhooks]]\nname = \"a\"\nurl = \"https://h.example\"\nsecret = { file = \"absent\" }\n",
    );
    let checked = office.run(&["config", "check"]).await;
    assert_eq!(checked.code, 2, "{}", checked.out);
    assert!(
        checked.err.contains("cannot use the webhook a") && checked.err.contains("absent"),
        "{}",
        checked.err
    );
    let text_alone = office.run(&["config", "check", "--without-secrets"]).await;
    assert_eq!(text_alone.code, 0, "{}", text_alone.err);

    office.configure("password = { env = \"NOT_SET_ANYWHERE\" }\n");
    let checked = office.run(&["config", "check"]).await;
    assert_eq!(checked.code, 2);
    assert!(checked.err.contains("NOT_SET_ANYWHERE"), "{}", checked.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_file_or_an_exchange_the_error_names_the_remedy() {
    let office = install(1).await;
    std::fs::remove_file(office.path("adjourn.toml")).unwrap();
    let absent = office.run(&["config", "check"]).await;
    assert_eq!(absent.code, 2);
    assert!(absent.err.contains("adjourn init"), "{}", absent.err);
    std::fs::write(office.path("adjourn.toml"), "").unwrap();
    let empty = office.run(&["config", "check"]).await;
    assert_eq!(empty.code, 2);
    assert!(empty.err.contains("no Exchange is configured"), "{}", empty.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schema_is_json_with_descriptions_and_limits() {
    let office = install(1).await;
    let schema = office.run(&["config", "schema"]).await.json();
    assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
    let interval = &schema["properties"]["live"]["properties"]["poll_interval_s"];
    assert_eq!((interval["minimum"].as_i64(), interval["maximum"].as_i64()), (Some(5), Some(3_600)));
    assert!(interval["description"].as_str().is_some_and(|text| text.contains("two polls")), "{interval}");
}
