//! No secret leaves the process except to its server: everything that verbose runs printed, logged, served and stored is searched
//! for each secret.

use std::time::Duration;

use adjourn::sim::{
    AuthScheme, Authority, AuthorityOptions, ExtendedProtection, FaultRule, InjectedFault, ProxyOptions,
    ProxyServer, SimulatorOptions,
};
use adjourn_test::{Installation, room_name, simulator_with};

use crate::installed::{PROGRAM, install, world_of_formulas};

const PASSWORD: &str = "Correct-Horse-4711";
const PROXY_PASSWORD: &str = "Battery-Staple-0815";
const CLIENT_SECRET: &str = "Client~Secret~Value~42";

/// A secret in clear, and as authentication schemes encode it.
fn forms() -> Vec<String> {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    let pairs = [format!("svc-adjourn@example.com:{PASSWORD}"), format!("proxy:{PROXY_PASSWORD}")];
    let plain = [PASSWORD, PROXY_PASSWORD, CLIENT_SECRET].map(str::to_owned);
    let utf16 = PASSWORD.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let mut all: Vec<String> = pairs.iter().map(|pair| BASE64_STANDARD.encode(pair)).collect();
    all.extend(plain);
    all.push(BASE64_STANDARD.encode(utf16));
    all.push(CLIENT_SECRET.replace('~', "%7E"));
    all
}

struct CapturedOutput(String);

impl CapturedOutput {
    fn is_clean(&self, more: &[String]) {
        for secret in forms().iter().chain(more) {
            assert!(!self.0.contains(secret.as_str()), "{secret} got out");
        }
        // There was output to search.
        assert!(self.0.len() > 1_000, "{}", self.0);
    }
}

async fn run(office: &Installation, config: &str) -> CapturedOutput {
    office.write_secret("password", PASSWORD);
    office.write_secret("proxy-password", PROXY_PASSWORD);
    office.write_secret("client-secret", CLIENT_SECRET);
    if let Some(pem) = office.sim.ca_pem() {
        std::fs::write(office.path("ca.pem"), pem).unwrap();
    }
    let text = format!(
        "[server]\nurl = \"{}\"\nca_file = \"ca.pem\"\noperation_timeout_s = 3\n{config}\n[scope]\nrooms = {:?}\n",
        office.sim.url(),
        [room_name(0), room_name(1)]
    );
    std::fs::write(office.path("adjourn.toml"), text).unwrap();
    let mut noise = String::new();
    for args in [
        &["doctor"][..],
        &["doctor", "--json"],
        &["events", &room_name(0)],
        &["end", &room_name(0)],
        &["delete", &room_name(1), "--silent", "--json"],
        &["audit", "--json"],
        &["config", "explain", &room_name(0)],
        &["setup"],
    ] {
        let mut command = office.command(args);
        command.env("RUST_LOG", "trace").env("RUST_BACKTRACE", "full").env("ADJOURN_LOG", "trace");
        let said = office.finish(command).await;
        noise.push_str(&said.out);
        noise.push_str(&said.err);
    }
    noise.push_str(&served(office).await);
    // The socket of the killed service has no content.
    let files = std::fs::read_dir(office.state()).unwrap().map(|file| file.unwrap().path());
    for file in files.filter(|file| file.is_file()) {
        noise.push_str(&String::from_utf8_lossy(&std::fs::read(file).unwrap()));
    }
    CapturedOutput(noise)
}

/// The service's most verbose log of one second.
async fn served(office: &Installation) -> String {
    let mut command = office.command(&["serve", "--listen", "127.0.0.1:0"]);
    command.env("RUST_LOG", "trace").env("ADJOURN_LOG", "trace");
    let mut child = command.spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

async fn office(options: SimulatorOptions) -> Installation {
    let sim = simulator_with(world_of_formulas(2), SimulatorOptions { tls: true, ..options }).await;
    Installation::new(PROGRAM, sim)
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_basic_account_through_a_proxy_nothing_gets_out() {
    let login = Some(("proxy".to_owned(), PROXY_PASSWORD.to_owned()));
    let proxy =
        ProxyServer::start(ProxyOptions { credentials: login, ..ProxyOptions::default() }).await.unwrap();
    let office =
        office(SimulatorOptions { password: PASSWORD.to_owned(), ..SimulatorOptions::default() }).await;
    office
        .sim
        .inject_fault(FaultRule::new(InjectedFault::Fault("ErrorInternalServerError")).on("UpdateItem"));
    let config = format!(
        "username = \"svc-adjourn@example.com\"\npassword = {{ file = \"password\" }}\n\
         proxy = {{ url = \"{}\", username = \"proxy\", password = {{ file = \"proxy-password\" }} }}\n",
        proxy.url()
    );
    run(&office, &config).await.is_clean(&[]);
    assert!(!proxy.tunnels().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_windows_account_nothing_gets_out_accepted_or_refused() {
    for right in [true, false] {
        let office = office(SimulatorOptions {
            password: if right { PASSWORD.to_owned() } else { "another".to_owned() },
            schemes: vec![AuthScheme::Negotiate, AuthScheme::Ntlm],
            extended_protection: ExtendedProtection::Allow,
            ..SimulatorOptions::default()
        })
        .await;
        let config = "auth = \"negotiate\"\nusername = 'EXAMPLE\\svc-adjourn'\npassword = { command = [\"cat\", \"password\"] }\n";
        run(&office, config).await.is_clean(&[]);
        assert_eq!(office.sim.windows_sign_ins().is_empty(), !right);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_an_application_neither_secret_nor_token_gets_out() {
    let authority = Authority::start(AuthorityOptions {
        client_secret: Some(CLIENT_SECRET.to_owned()),
        ..AuthorityOptions::default()
    })
    .await
    .unwrap();
    let tokens = authority.tokens();
    let office =
        office(SimulatorOptions { schemes: vec![AuthScheme::Bearer], tokens, ..SimulatorOptions::default() })
            .await;
    let AuthorityOptions { tenant, client_id, .. } = AuthorityOptions::default();
    let oauth = format!(
        "[server.oauth]\ntenant = \"{tenant}\"\nclient_id = \"{client_id}\"\nsecret = {{ file = \"client-secret\" }}\n\
         endpoint = \"{}\"\n",
        authority.url()
    );
    let noise = run(&office, &oauth).await;
    assert!(authority.issued() > 0);
    noise.is_clean(&[]);
    // A token of the simulator's is `sim.`, 32 hexadecimal digits, and as many more.
    let is_token = |rest: &str| rest.chars().take(32).filter(char::is_ascii_hexdigit).count() == 32;
    assert!(!noise.0.split("sim.").skip(1).any(is_token), "a token got out");
}

/// Kills a service as a crash would, and returns its exit status and its core dump limit. It may dump as much as it wants.
#[cfg(target_os = "linux")]
async fn crashed(office: &Installation, args: &str) -> (std::process::ExitStatus, String) {
    let shell = format!(
        "ulimit -c unlimited; exec {} serve --listen 127.0.0.1:0 {args}",
        env!("CARGO_BIN_EXE_adjourn")
    );
    let command = office.command(&[]);
    let mut with_room = std::process::Command::new("sh");
    with_room.args(["-c", &shell]).current_dir(office.directory.path()).stdout(std::process::Stdio::piped());
    with_room.stderr(std::process::Stdio::null());
    with_room.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut child = with_room.spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    assert!(line.starts_with("http://"), "{line}");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let limit = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
    let id = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-ABRT", &id]).status().unwrap().success());
    (child.wait().unwrap(), limit)
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_crash_leaves_no_core_dump_unless_a_developer_wants_one() {
    use std::os::unix::process::ExitStatusExt as _;
    let office = install(1).await;
    let (status, limit) = crashed(&office, "").await;
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    let words: Vec<_> = limit.split_whitespace().skip(4).collect();
    assert_eq!(words, ["0", "0", "bytes"], "{limit}");
    let left: Vec<_> = std::fs::read_dir(office.directory.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("core"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
    let (_, limit) = crashed(&office, "--keep-core-dumps").await;
    assert!(limit.contains("unlimited"), "{limit}");
}
