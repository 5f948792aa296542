//! Commands that act while the service runs: they reach it by its Unix socket, or at its URL with a key.

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::time::Duration;

use adjourn::sim::{FaultRule, InjectedFault};
use adjourn_test::{CommandOutput, Installation, ServedProcess, room_name};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};

use crate::installed::install;

/// What `id` prints.
fn id(args: &[&str]) -> String {
    let output = std::process::Command::new("id").args(args).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The account that signed in to this machine; containers have none.
fn login() -> Option<String> {
    let uid = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    (uid != u32::MAX.to_string()).then_some(uid)
}

/// The person and the account of this process, as the audit names them.
fn me() -> (String, String) {
    let (uid, account) = (id(&["-u"]), id(&["-un"]));
    match login().filter(|login| *login != uid) {
        Some(login) => (id(&["-un", &login]), format!("uid {uid} ({account})")),
        None => (account, format!("uid {uid}")),
    }
}

/// Requests of this operation that the simulator received.
fn count(office: &Installation, operation: &str) -> usize {
    office.sim.requests().iter().filter(|request| request.operation == operation).count()
}

/// What differs from run to run: ids, times and words about them.
fn shape(output: &CommandOutput) -> (i32, Vec<String>) {
    let value = output.json();
    (output.code, value.as_object().unwrap().keys().cloned().collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_acts_is_performed_by_the_running_service_under_the_callers_name() {
    let office = install(3).await;
    let before = office.end_of(0);
    // Without a service first: the other room shows what the command prints.
    let alone = office.run(&["--json", "end", &room_name(1)]).await;
    let served = office.serve();
    let ended = office.run(&["--json", "end", &room_name(0), "--reason", "Nobody came."]).await;
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    assert_eq!(shape(&ended), shape(&alone), "the same members, and the same exit code");
    assert_eq!(ended.out.lines().count(), alone.out.lines().count(), "indented alike");
    assert_ne!(office.end_of(0), before);
    let id = ended.json()["id"].as_str().unwrap().to_owned();
    let undone = office.run(&["undo", &id]).await;
    assert_eq!(undone.code, 0, "{}{}", undone.out, undone.err);
    assert!(undone.out.starts_with(&format!("{}: ", room_name(0))), "{}", undone.out);
    assert_eq!(office.end_of(0), before);
    let extended = office.run(&["--json", "extend", &room_name(0), "--minutes", "5"]).await;
    assert_eq!((extended.code, &extended.json()["change"]["kind"]), (0, &"extended".into()));
    let removed = office.run(&["--json", "delete", &room_name(2), "--silent"]).await;
    assert_eq!(removed.code, 0, "{}", removed.err);
    let booked = office.run(&["--json", "book", &room_name(2), "--minutes", "5"]).await;
    assert_eq!((booked.code, &booked.json()["change"]["kind"]), (0, &"booked".into()), "{}", booked.out);

    let audit = office.run(&["audit", "--json"]).await.lines();
    let (name, origin) = me();
    assert_eq!(audit.len(), 6);
    for line in &audit {
        assert_eq!(
            (line["actor_kind"].as_str(), line["actor"].as_str(), line["origin"].as_str()),
            (Some("user"), Some(&*name), Some(&*origin)),
            "beside the service and without it"
        );
    }
    drop(served);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_beside_the_service_are_those_of_the_command_alone() {
    let office = install(1).await;
    let commands: [&[&str]; 5] = [
        &["--json", "end", "stranger@elsewhere.example"],
        &["--json", "end", "room0@example.com", "--event", "AAMkunknown"],
        &["--json", "undo", "00000000-0000-0000-0000-000000000000"],
        &["--json", "book", "room0@example.com", "--minutes", "15"],
        &["--json", "end", "room0@example.com", "--dry-run"],
    ];
    let mut alone = Vec::new();
    for command in commands {
        alone.push(office.run(command).await);
    }
    let served = office.serve();
    for (command, alone) in commands.iter().zip(&alone) {
        let beside = office.run(command).await;
        assert_eq!(beside.code, alone.code, "{command:?} {} {}", beside.out, beside.err);
        let parts = |output: &CommandOutput| {
            let value = output.json();
            ["type", "title", "status", "fault", "next", "state"].map(|member| value[member].clone())
        };
        assert_eq!(parts(&beside), parts(alone), "{command:?}");
        let text = office.run(&command[1..]).await;
        assert_eq!(text.code, alone.code);
        assert!(text.out.is_empty() || text.out.contains(": "), "{}", text.out);
    }
    drop(served);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gives_the_same_answer_with_the_service_and_without_it() {
    let office = install(1).await;
    let end = ["--json", "end", &room_name(0), "--idempotency-key", "door-1"];
    let first = office.run(&end).await;
    let mut served = office.serve();
    let again = office.run(&end).await;
    assert_eq!((again.code, &again.json()["repeated"]), (0, &Value::Bool(true)), "{}", again.err);
    assert_eq!(again.json()["id"], first.json()["id"]);
    served.terminate();
    assert!(served.child.wait().unwrap().success());
    assert!(!office.state().join("adjourn.sock").exists());
    assert_eq!(office.run(&end).await.json()["id"], first.json()["id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_killed_leaves_the_action_to_the_command() {
    let office = install(1).await;
    let before = office.end_of(0);
    let mut served = office.serve();
    office.sim.inject_fault(FaultRule::new(InjectedFault::Slow(Duration::from_secs(3))).on("UpdateItem"));
    let command = office.command(&["--json", "end", &room_name(0)]);
    let command = tokio::spawn(async move {
        let mut command = command;
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    });
    // The command has seconds to reach Exchange through the service.
    for _ in 0..1_000 {
        if count(&office, "UpdateItem") > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    served.child.kill().unwrap();
    served.child.wait().unwrap();
    let ended: CommandOutput = command.await.unwrap().into();
    assert_eq!(ended.code, 0, "{} {}", ended.out, ended.err);
    assert!(ended.err.contains("the service stopped before it answered"), "{}", ended.err);
    assert_ne!(office.end_of(0), before);
    let audit = office.run(&["audit", "--json"]).await.lines();
    assert_eq!((audit.len(), &audit[0]["state"]), (1, &"done".into()), "one action, once");
    // The socket of the killed service is still there, and hinders neither the next command nor the next service.
    assert!(office.state().join("adjourn.sock").exists());
    let served = office.serve();
    let again = office.run(&["--json", "end", &room_name(0)]).await;
    assert_eq!((again.code, &again.json()["state"]), (0, &"already-done".into()), "{}", again.err);
    drop(served);
}

/// Sends a request to the socket, and reads the answer.
async fn send(office: &Installation, request: &str, headers: &str) -> String {
    let mut stream = UnixStream::connect(office.state().join("adjourn.sock")).await.unwrap();
    let text =
        format!("{request} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n{headers}\r\n");
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_believes_the_kernel_and_takes_no_name_from_variables() {
    let office = install(2).await;
    let served = office.serve();
    let mut command = office.command(&["end", &room_name(0)]);
    command.env("USER", "mallory").env("SUDO_USER", "mallory").env("SUDO_UID", "4000000");
    command.env("SSH_CONNECTION", "192.0.2.66 1 192.0.2.1 22").env("LOGNAME", "mallory");
    let ended = office.finish(command).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let sent = send(
        &office,
        &format!("POST /v1/rooms/{}/end", room_name(1)),
        "Adjourn-Login: {\"uid\":4000000,\"ssh_host\":\"192.0.2.7\"}\r\nAuthorization: Bearer adj_x_y\r\n",
    )
    .await;
    assert!(sent.starts_with("HTTP/1.1 200"), "{sent}");
    let audit = office.run(&["audit", "--json"]).await;
    assert!(!audit.out.contains("mallory") && !audit.out.contains("192.0.2.66"), "{}", audit.out);
    let lines = audit.lines();
    let (name, origin) = me();
    assert_eq!((lines[1]["actor"].as_str(), lines[1]["origin"].as_str()), (Some(&*name), Some(&*origin)));
    // Another process of this user may name the person that signed in, where the kernel does not know it: it is marked.
    let (person, origin) = match login() {
        Some(_) => (name, format!("{origin}, ssh from 192.0.2.7")),
        None => ("uid 4000000".to_owned(), format!("{origin} ({name}), ssh from 192.0.2.7 (claimed)")),
    };
    assert_eq!((lines[0]["actor"].as_str(), lines[0]["origin"].as_str()), (Some(&*person), Some(&*origin)));
    let shown = office.run(&["audit"]).await.out;
    assert!(shown.contains(&format!("user {person} ({origin})")), "{shown}");
    drop(served);
    let erased = office.run(&["audit", "erase", "--person", &person]).await;
    assert_eq!(erased.code, 0, "{}", erased.err);
    let line = &office.run(&["audit", "--json"]).await.lines()[0];
    assert_eq!((&line["actor"], &line["origin"]), (&"erased".into(), &Value::Null));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_another_user_is_refused_at_the_socket_even_where_the_files_would_let_it_in() {
    let office = install(1).await;
    let served = office.serve();
    let socket = office.state().join("adjourn.sock");
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(&office.state())), (0o600, 0o700));
    if id(&["-u"]) != "0" {
        println!("not run as root: the refusal of another user was not tried");
        return;
    }
    let before = office.end_of(0);
    for path in [office.directory.path(), &office.state(), &socket] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)).unwrap();
    }
    let mut other = std::process::Command::new("curl");
    other.args(["-sS", "-m", "10", "-X", "POST", "--unix-socket"]).arg(&socket);
    other.arg(format!("http://localhost/v1/rooms/{}/end", room_name(0))).uid(65_534).gid(65_534);
    let said = other.output().unwrap();
    assert!(!said.status.success() && said.stdout.is_empty(), "{said:?}");
    assert_eq!(office.end_of(0), before);
    let log = std::fs::read_to_string(office.path("log")).unwrap();
    assert!(log.contains("refused a process of another user"), "{log}");
    let own = std::process::Command::new("curl")
        .args(["-sS", "-m", "10", "--unix-socket"])
        .arg(&socket)
        .arg("http://localhost/v1/me")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&own.stdout).contains("\"all_rooms\":true"), "{own:?}");
    drop(served);
}

/// Runs a command at the service's URL, with this key.
async fn at_url(office: &Installation, served: &ServedProcess, key: &str, args: &[&str]) -> CommandOutput {
    let url = format!("http://{}", served.at);
    let mut command = office.command_in(&office.path("elsewhere"), &[args, &["--server", &url]].concat());
    command.env("ADJOURN_KEY", key);
    office.finish(command).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_at_a_url_acts_for_the_key_and_its_rights() {
    let office = install(2).await;
    let all = office.add_key("operator", &[]).await;
    let narrow = office.run(&["--json", "key", "add", "narrow", "--rooms", "room1@example.com"]).await;
    let narrow = narrow.json()["token"].as_str().unwrap().to_owned();
    let served = office.serve();
    let ended = at_url(&office, &served, &all, &["--json", "end", &room_name(0)]).await;
    assert_eq!((ended.code, &ended.json()["actor"]), (0, &"operator".into()), "{}", ended.err);
    let id = ended.json()["id"].as_str().unwrap().to_owned();
    let undone = at_url(&office, &served, &all, &["undo", &id]).await;
    assert_eq!(undone.code, 0, "{} {}", undone.out, undone.err);
    let unseen = at_url(&office, &served, &narrow, &["--json", "end", &room_name(0)]).await;
    assert_eq!((unseen.code, &unseen.json()["type"]), (1, &"urn:adjourn:problem:no-such-room".into()));
    let wrong = at_url(&office, &served, "adj_0123456789_x", &["end", &room_name(0)]).await;
    assert!(wrong.code == 1 && wrong.err.contains("not valid"), "{}", wrong.err);
    let keyless = at_url(&office, &served, "", &["end", &room_name(0)]).await;
    assert!(keyless.code == 2 && keyless.err.contains("--key-file"), "{}", keyless.err);
    assert!(!office.path("elsewhere").exists(), "a command for another machine makes no state directory");
    drop(served);
    let nowhere =
        office.run(&["end", &room_name(0), "--server", "http://127.0.0.1:1", "--key-file", "k"]).await;
    assert_eq!(nowhere.code, 2, "the file with the key is missing: {}", nowhere.err);
    office.write_secret("k", &all);
    let nowhere =
        office.run(&["end", &room_name(0), "--server", "http://127.0.0.1:1", "--key-file", "k"]).await;
    assert_eq!(nowhere.code, 4, "{}", nowhere.err);
    assert!(
        nowhere.err.contains("cannot reach the service") && nowhere.err.contains("--idempotency-key cli-")
    );
}

/// A process that listens at the socket of the state directory. It answers the first requests with these bodies, and breaks every
/// connection after.
fn listen_as_service(office: &Installation, bodies: Vec<String>) -> tokio::task::JoinHandle<()> {
    let state = office.state();
    std::fs::create_dir_all(&state).unwrap();
    std::fs::set_permissions(&state, std::fs::Permissions::from_mode(0o700)).unwrap();
    let listener = UnixListener::bind(state.join("adjourn.sock")).unwrap();
    tokio::spawn(async move {
        let mut bodies = bodies.into_iter();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4_096];
            // A connection without a request asks whether a service listens.
            if stream.read(&mut request).await.unwrap_or(0) == 0 {
                continue;
            }
            let Some(body) = bodies.next() else {
                if request.starts_with(b"POST") {
                    std::fs::remove_file(state.join("adjourn.sock")).unwrap();
                    return;
                }
                continue;
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).await.unwrap();
        }
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_after_the_service_was_lost_names_the_key_for_a_repetition() {
    let office = install(1).await;
    let service = listen_as_service(&office, Vec::new());
    // Another process has the journal, and does not listen.
    office.write_secret("state/adjourn.lock", "");
    let lock = std::fs::File::open(office.state().join("adjourn.lock")).unwrap();
    lock.lock().unwrap();
    let lost = office.run(&["end", &room_name(0)]).await;
    assert_eq!(lost.code, 8, "{}", lost.err);
    assert!(lost.err.contains("--idempotency-key cli-"), "{}", lost.err);
    service.await.unwrap();
    let never_sent = office.run(&["end", &room_name(0)]).await;
    assert!(never_sent.code == 8 && !never_sent.err.contains("--idempotency-key"), "{}", never_sent.err);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_of_a_silent_service_is_named_in_the_error() {
    let office = install(1).await;
    let id = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    let planning = format!(r#"{{"id":"{id}","state":"planning","unread_rooms":0,"applied":[]}}"#);
    let service = listen_as_service(&office, vec![planning.clone(), planning]);
    let lost = office.run(&["cleanup", "--apply"]).await;
    assert_eq!(lost.code, 4, "{}", lost.err);
    assert!(lost.err.contains("cannot reach the service") && lost.err.contains(id), "{}", lost.err);
    service.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_configuration_reaches_no_service_of_the_default_directory() {
    let office = install(1).await;
    let before = office.end_of(0);
    let by_default = |args: &[&str]| {
        let mut command = office.command(args);
        command.env_remove("ADJOURN_STATE_DIR").env_remove("STATE_DIRECTORY");
        command.env("XDG_STATE_HOME", office.path("home"));
        command
    };
    let served = office.serve_by(by_default(&["serve", "--listen", "127.0.0.1:0"]));
    let named = ["end", "room0@example.com", "--config", "adjourn.toml"];
    for args in [&named[..], &["cleanup", "--apply", "--config", "adjourn.toml"]] {
        let refused = office.finish(by_default(args)).await;
        assert!(refused.code == 2 && refused.err.contains("--state-dir"), "{}", refused.err);
    }
    let mut by_variable = by_default(&named[..2]);
    by_variable.env("ADJOURN_CONFIG", "adjourn.toml");
    let refused = office.finish(by_variable).await;
    assert!(refused.code == 2 && refused.err.contains("--state-dir"), "{}", refused.err);
    assert_eq!(office.end_of(0), before);
    let directory = office.path("home/adjourn");
    let mut stated = by_default(&[&named[..], &["--state-dir", directory.to_str().unwrap()]].concat());
    stated.env("ADJOURN_URL", "https://other.example.com/EWS/Exchange.asmx");
    let ended = office.finish(stated).await;
    assert!(ended.code == 0 && ended.err.contains("ADJOURN_URL has no effect"), "{}", ended.err);
    let again = office.finish(by_default(&["--json", "end", "room0@example.com"])).await;
    assert_eq!((again.code, &again.json()["state"]), (0, &"already-done".into()), "{}", again.err);
    assert!(!again.err.contains("ADJOURN_URL"), "{}", again.err);
    drop(served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_at_the_socket_is_logged_as_authenticated_and_its_key_has_the_length_of_a_command() {
    let office = install(1).await;
    let mut command = office.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("ADJOURN_LOG", "info");
    let served = office.serve_by(command);
    let key = "k".repeat(200);
    let ended = office.run(&["end", &room_name(0), "--idempotency-key", &key]).await;
    assert_eq!(ended.code, 0, "{}", ended.err);
    let log = std::fs::read_to_string(office.path("log")).unwrap();
    let line = log.lines().find(|line| line.contains("/v1/rooms/{room}/end")).unwrap();
    assert!(line.contains("key_id") && line.contains("local"), "{line}");
    drop(served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_without_effect_is_refused() {
    let office = install(1).await;
    let served = office.serve();
    let elsewhere = office.run(&["end", &room_name(0), "--url", "https://other.example.com/"]).await;
    assert!(elsewhere.code == 2 && elsewhere.err.contains("leave --url out"), "{}", elsewhere.err);
    drop(served);
    for args in [
        &["display", "pair", "123456", "--room", "r@example.com", "--url", "https://mail.example.com"][..],
        &["key", "list", "--username", "x"],
        &["limits", "--state-dir", "x"],
    ] {
        let said = office.run(args).await;
        assert!(said.code == 2 && said.err.contains("leave --"), "{args:?} {}", said.err);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_alone_on_stdout_and_its_rooms_are_compared_with_the_known_ones() {
    let office = install(1).await;
    let rooms = "[scope]\nrooms = [\"room0@example.com\"]\n";
    let text = std::fs::read_to_string(office.path("adjourn.toml")).unwrap();
    std::fs::write(
        office.path("adjourn.toml"),
        text.replace("[scope]\ndomains = [\"example.com\"]\n", rooms),
    )
    .unwrap();
    let served = office.serve();
    let added = office.run(&["key", "add", "door", "--rooms", "room0@example.com", "--expires", "90d"]).await;
    assert_eq!(added.code, 0, "{}", added.err);
    let token = added.out.trim();
    assert!(token.starts_with("adj_") && token.lines().count() == 1, "{}", added.out);
    assert!(added.err.contains("shown only this once") && !added.err.contains("warning"), "{}", added.err);
    let mistyped =
        office.run(&["key", "add", "other", "--rooms", "room0@exampel.com,room*@example.com"]).await;
    assert_eq!(mistyped.code, 0, "{}", mistyped.err);
    assert!(
        mistyped
            .err
            .contains("no configured room matches room0@exampel.com; did you mean room0@example.com?")
    );
    assert_eq!(mistyped.err.matches("no configured room").count(), 1, "{}", mistyped.err);
    let same = office.run(&["key", "add", "door"]).await;
    assert!(same.code == 1 && same.out.is_empty(), "{} {}", same.out, same.err);
    let listed = office.run(&["key", "list", "--json"]).await.json();
    let members =
        |member: &str| listed.as_array().unwrap().iter().filter(|key| key[member].is_string()).count();
    assert_eq!((members("created_at"), members("expires_at"), members("last_used_at")), (2, 1, 0));
    drop(served);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_beside_the_service_is_the_services() {
    let office = install(2).await;
    let served = office.serve();
    let own = office.run(&["cleanup", "--apply", "--accept-no-evidence"]).await;
    assert!(own.code == 2 && own.err.contains("leave --accept-no-evidence out"), "{}", own.err);
    // Nothing watches the rooms, so the service keeps their meetings.
    std::fs::write(office.path("rooms.txt"), format!("{}\n{}\n", room_name(0), room_name(1))).unwrap();
    let swept = office.run(&["cleanup", "--apply", "--rooms", "rooms.txt", "--json"]).await;
    assert_eq!(swept.code, 0, "{} {}", swept.out, swept.err);
    let sweep = swept.json();
    assert_eq!((&sweep["state"], &sweep["unread_rooms"]), (&"applied".into(), &0.into()));
    assert_eq!(sweep["events"].as_array().map(Vec::len), Some(2), "{sweep}");
    assert!(office.end_of(0).is_some() && office.end_of(1).is_some());
    let text = office.run(&["cleanup", "--apply", "--rooms", "rooms.txt"]).await;
    assert!(text.code == 0 && text.out.contains("0 actions, 0 done, 0 rooms not read"), "{}", text.out);
    drop(served);
}
