//! Secret files and state directories that other users can read are refused with the command that fixes them. The tests look at
//! owners and mode bits, since CI runs as root, who can read everything.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use adjourn_test::{CommandOutput, Installation, room_name};

use crate::installed::{configure, install};

fn set(path: &Path, mode: u32) {
    std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// The same run with the override.
async fn insisting(office: &Installation, args: &[&str]) -> CommandOutput {
    let mut command = office.command(args);
    command.env("ADJOURN_ALLOW_INSECURE_PERMISSIONS", "1");
    office.finish(command).await
}

/// A configuration for every key that names a private file.
fn configurations() -> Vec<(&'static str, String)> {
    let server = "[server]\nurl = \"https://mail.example.com/EWS/Exchange.asmx\"\n";
    let account = format!("{server}username = 'EXAMPLE\\svc'\n");
    let tail = "[scope]\nrooms = [\"room0@example.com\"]\n";
    let oauth = format!("{server}[server.oauth]\ntenant = \"contoso.onmicrosoft.com\"\nclient_id = \"x\"\n");
    vec![
        ("password file", format!("{account}password = {{ file = \"private\" }}\n{tail}")),
        ("keytab", format!("{account}auth = \"negotiate\"\nkeytab_file = \"private\"\n{tail}")),
        ("token", format!("{server}token = {{ file = \"private\" }}\n{tail}")),
        ("client secret", format!("{oauth}secret = {{ file = \"private\" }}\n{tail}")),
        ("private key", format!("{oauth}certificate_file = \"c.pem\"\nkey_file = \"private\"\n{tail}")),
        (
            "private key",
            format!(
                "{server}auth = \"certificate\"\n\
                 client_certificate = {{ certificate_file = \"c.pem\", key_file = \"private\" }}\n{tail}"
            ),
        ),
        (
            "password file",
            format!(
                "{account}proxy = {{ url = \"http://proxy:3128\", username = \"u\", \
                 password = {{ file = \"private\" }} }}\n{tail}"
            ),
        ),
        ("private key", format!("{tail}[api.tls]\ncert_file = \"c.pem\"\nkey_file = \"private\"\n")),
        (
            "webhook secret",
            format!(
                "{tail}[[webhooks]]\nname = \"x\"\nurl = \"https://hooks.example.com/\"\nsecret = {{ file = \"private\" }}\n"
            ),
        ),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let office = install(1).await;
    office.write_secret("private", "x");
    for (what, text) in configurations() {
        std::fs::write(office.path("adjourn.toml"), &text).unwrap();
        set(&office.path("private"), 0o600);
        let fine = office.run(&["config", "explain", &room_name(0)]).await;
        assert_eq!(fine.code, 0, "{text}: {}", fine.err);
        for bits in [0o604, 0o644, 0o660, 0o622] {
            set(&office.path("private"), bits);
            let refused = office.run(&["config", "explain", &room_name(0)]).await;
            assert_eq!(refused.code, 2, "{text} {bits:o}");
            assert!(refused.err.contains(what), "{what}: {}", refused.err);
            assert!(refused.err.contains("run `chmod 600 private`"), "{}", refused.err);
        }
        let insisted = insisting(&office, &["config", "explain", &room_name(0)]).await;
        assert_eq!(insisted.code, 0, "{}", insisted.err);
        assert!(insisted.err.contains("warning: allow_insecure_permissions: "), "{}", insisted.err);
        std::fs::write(office.path("adjourn.toml"), format!("allow_insecure_permissions = true\n{text}"))
            .unwrap();
        assert_eq!(office.run(&["config", "explain", &room_name(0)]).await.code, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_its_owners_alone_under_any_umask() {
    let office = install(1).await;
    let mut command = std::process::Command::new("sh");
    let program = office.command(&[]);
    command.args(["-c", "umask 000; exec \"$0\" \"$@\""]).arg(program.get_program());
    command.args(["end", &room_name(0)]).current_dir(office.directory.path());
    command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let said = office.finish(command).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(mode(&office.state()), 0o700);
    let files: Vec<_> = std::fs::read_dir(office.state()).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(files.iter().any(|file| file.ends_with("journal.sqlite")), "{files:?}");
    files.iter().for_each(|file| assert_eq!(mode(file), 0o600, "{}", file.display()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_directory_that_others_can_enter_is_refused_with_the_command_that_mends_it() {
    let office = install(1).await;
    assert_eq!(office.run(&["end", &room_name(0)]).await.code, 0);
    let journal = office.state().join("journal.sqlite");
    for (path, open, shut) in [(office.state(), 0o755, 0o700), (journal, 0o640, 0o600)] {
        set(&path, open);
        let remedy = format!("run `chmod {shut:o} {}`", path.display());
        for args in
            [&["audit"][..], &["key", "list"], &["end", &room_name(0)], &["serve", "--listen", "127.0.0.1:0"]]
        {
            let refused = office.run(args).await;
            assert_eq!(refused.code, 8, "{args:?}: {}", refused.err);
            assert!(refused.err.contains(&remedy), "{args:?}: {}", refused.err);
        }
        assert_eq!(insisting(&office, &["audit"]).await.code, 0);
        let insisted = insisting(&office, &["end", &room_name(0)]).await;
        assert!(insisted.err.contains("warning: allow_insecure_permissions: "), "{}", insisted.err);
        let doctor = office.run(&["doctor"]).await;
        assert_eq!(doctor.code, 5, "{}", doctor.out);
        assert!(doctor.out.contains(&remedy), "{}", doctor.out);
        set(&path, shut);
        assert_eq!(office.run(&["audit"]).await.code, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_link_in_the_state_directory_is_followed() {
    let office = install(1).await;
    assert_eq!(office.run(&["end", &room_name(0)]).await.code, 0);
    assert_eq!(office.run(&["key", "add", "lobby"]).await.code, 0);
    let elsewhere = office.path("elsewhere");
    for name in ["journal.sqlite", "journal.sqlite-wal", "service.sqlite", "adjourn.lock"] {
        let (path, kept) = (office.state().join(name), office.path("kept"));
        let was_there = std::fs::rename(&path, &kept).is_ok();
        office.write_secret("elsewhere", "theirs");
        symlink(&elsewhere, &path).unwrap();
        let args: &[&str] =
            if name == "service.sqlite" { &["key", "list"] } else { &["delete", "room0@example.com"] };
        for said in [office.run(args).await, insisting(&office, args).await] {
            assert_eq!(said.code, 8, "{name}: {}{}", said.out, said.err);
            assert!(said.err.contains("symbolic link"), "{name}: {}", said.err);
        }
        assert_eq!(std::fs::read_to_string(&elsewhere).unwrap(), "theirs", "{name}");
        std::fs::remove_file(&path).unwrap();
        if was_there {
            std::fs::rename(&kept, &path).unwrap();
        }
    }
    assert_eq!(office.run(&["audit", "verify"]).await.code, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_state_directory_itself_may_be_a_link_as_systemd_makes_one() {
    let office = install(1).await;
    std::fs::create_dir(office.path("private")).unwrap();
    set(&office.path("private"), 0o700);
    symlink("private", office.state()).unwrap();
    let said = office.run(&["end", &room_name(0)]).await;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(office.path("private/journal.sqlite").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_of_nothing_but_white_space_is_refused() {
    let office = install(1).await;
    configure(
        &office,
        "[[webhooks]]\nname = \"x\"\nurl = \"https://hooks.example.com/\"\nsecret = { file = \"secret\" }\n",
    );
    for content in ["", "\n", "  \t \r\n", "\u{a0}\n"] {
        office.write_secret("secret", content);
        let mut command = office.command(&["events", &room_name(0)]);
        command.env("ADJOURN_PASSWORD", content);
        let password = office.finish(command).await;
        assert_eq!(password.code, 2, "{content:?}: {}", password.err);
        assert!(password.err.contains("ADJOURN_PASSWORD is empty"), "{}", password.err);
        let webhook = office.run(&["serve", "--listen", "127.0.0.1:0"]).await;
        assert_eq!(webhook.code, 2, "{content:?}: {}", webhook.err);
        assert!(webhook.err.contains("is empty"), "{}", webhook.err);
    }
    assert_eq!(office.sim.windows_sign_ins().len(), 0, "nothing was tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_that_others_can_write_is_refused() {
    let office = install(1).await;
    let path = office.path("adjourn.toml");
    for named in [false, true] {
        let args: &[&str] = if named {
            &["config", "explain", "room0@example.com", "--config", "adjourn.toml"]
        } else {
            &["config", "explain", "room0@example.com"]
        };
        set(&path, 0o666);
        let refused = office.run(args).await;
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert!(refused.err.contains("run `chmod o-w adjourn.toml`"), "{}", refused.err);
        assert_eq!(insisting(&office, args).await.code, 0);
        set(&path, 0o644);
        assert_eq!(office.run(args).await.code, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_of_somebody_else_in_the_working_directory_is_not_read() {
    // Only root can change a file's owner; without root, only the unit tests of the rule run.
    let office = install(1).await;
    let path = office.path("adjourn.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, format!("allow_insecure_permissions = true\n{text}")).unwrap();
    if std::os::unix::fs::chown(&path, Some(4_711), None).is_err() {
        return;
    }
    let found = office.run(&["config", "explain", &room_name(0)]).await;
    assert_eq!(found.code, 2, "{}", found.err);
    assert!(found.err.contains("belongs to another user (uid 4711)"), "{}", found.err);
    assert_eq!(
        office.run(&["config", "explain", &room_name(0), "--config", "adjourn.toml"]).await.code,
        0,
        "it was named"
    );
    assert_eq!(insisting(&office, &["config", "explain", &room_name(0)]).await.code, 0);
}
