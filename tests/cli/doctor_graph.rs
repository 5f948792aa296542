//! `adjourn doctor` on a connection over Microsoft Graph, set up right and wrong in one way at a time: the first line names the cause.

use std::collections::BTreeSet;

use adjourn::sim::{
    AuthScheme, Authority, AuthorityOptions, GraphOptions, GraphPermission, Person, ProxyOptions,
    ProxyServer, SimulatorOptions, TokenFault, World,
};
use adjourn_test::{CommandOutput, Installation, now, room_name, simulator_with};
use chrono::TimeDelta;
use serde_json::Value;

use crate::installed::{PROGRAM, world_of_formulas};

const OUTSIDER: &str = "ceo@example.com";
const OPTIONAL: [&str; 4] = ["Mail.ReadBasic", "MailboxItem.Read", "Place.Read.All", "User.ReadBasic.All"];

/// Three rooms in Exchange Online that the application may use, one mailbox that it may not, and the configuration.
struct Tenant {
    graph: GraphOptions,
    /// The management scope; `None` is a consent in Entra, which opens every mailbox.
    in_scope: Option<Vec<String>>,
    clock_ahead: TimeDelta,
    token_fault: Option<TokenFault>,
    is_secret_expired: bool,
    is_behind_closed_proxy: bool,
    config: Config,
    args: Vec<String>,
}

/// What the configuration says.
struct Config {
    /// `None` is the right one.
    root: Option<Root>,
    trusts_server: bool,
    tenant: String,
    client_id: String,
    secret_variable: &'static str,
    scope: &'static str,
    optional_permissions: Vec<&'static str>,
    rooms: Vec<String>,
    room_lists: Vec<&'static str>,
    out_of_scope: &'static str,
}

enum Root {
    Url(&'static str),
    /// Another server, which is not Graph.
    OfAuthority,
}

impl Default for Tenant {
    fn default() -> Self {
        let AuthorityOptions { tenant, client_id, .. } = AuthorityOptions::default();
        let rooms: Vec<String> = (0..3).map(room_name).collect();
        let config = Config {
            root: None,
            trusts_server: true,
            tenant,
            client_id,
            secret_variable: "ADJOURN_PASSWORD",
            scope: "https://graph.microsoft.com/.default",
            optional_permissions: Vec::new(),
            rooms: rooms.clone(),
            room_lists: Vec::new(),
            out_of_scope: OUTSIDER,
        };
        Self {
            graph: GraphOptions::default(),
            in_scope: Some(rooms),
            clock_ahead: TimeDelta::zero(),
            token_fault: None,
            is_secret_expired: false,
            is_behind_closed_proxy: false,
            config,
            args: Vec::new(),
        }
    }
}

impl Tenant {
    fn writing(&mut self) -> &mut Self {
        self.args = vec!["--write-test".to_owned(), room_name(0)];
        self
    }

    fn world(&self) -> World {
        let mut world = world_of_formulas(3);
        world.add_user(&Person::new("Cleo", OUTSIDER));
        if let Some(rooms) = &self.in_scope {
            world.allow_impersonation_of(rooms.iter().map(String::as_str));
        }
        world
    }

    /// Runs the doctor, and asserts that it left no test event and caused no message, however it ended.
    async fn examined(&self, args: &[&str]) -> CommandOutput {
        let authority = Authority::start(AuthorityOptions::default()).await.unwrap();
        if let Some(fault) = self.token_fault {
            authority.inject_fault(fault, usize::MAX);
        }
        if self.is_secret_expired {
            authority.expire_secret();
        }
        let options = SimulatorOptions {
            tls: true,
            schemes: vec![AuthScheme::Bearer],
            tokens: authority.tokens(),
            clock_ahead: self.clock_ahead,
            graph: self.graph.clone(),
            ..SimulatorOptions::default()
        };
        let office = Installation::new(PROGRAM, simulator_with(self.world(), options).await);
        let closed = ProxyOptions { allowed: Some(Vec::new()), ..ProxyOptions::default() };
        let proxy = ProxyServer::start(closed).await.unwrap();
        std::fs::write(office.path("ca.pem"), office.sim.ca_pem().unwrap()).unwrap();
        let proxy = self.is_behind_closed_proxy.then(|| proxy.url());
        std::fs::write(office.path("adjourn.toml"), self.config.text(&office, &authority, proxy)).unwrap();
        let own: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let said = office.run(&[&["doctor"], own.as_slice(), args].concat()).await;
        let far = now() + TimeDelta::days(390);
        let left = office.sim.world(|world| world.events(&room_name(0), far, far + TimeDelta::days(30)));
        assert!(left.is_empty(), "{left:?}\n{}", said.out);
        assert!(office.sim.outbox().is_empty());
        said
    }
}

impl Config {
    fn text(&self, office: &Installation, authority: &Authority, proxy: Option<String>) -> String {
        let root = match self.root {
            None => office.sim.graph_root(),
            Some(Root::Url(url)) => url.to_owned(),
            Some(Root::OfAuthority) => authority.root(),
        };
        let endpoint = authority.url().replace(&AuthorityOptions::default().tenant, &self.tenant);
        let ca = if self.trusts_server { "ca_file = \"ca.pem\"\n" } else { "" };
        let proxy = proxy.map_or(String::new(), |url| format!("proxy = {{ url = \"{url}\" }}\n"));
        format!(
            "[server]\nprotocol = \"graph\"\nurl = \"{root}\"\n{ca}{proxy}connect_timeout_s = 2\nfirst_byte_timeout_s = 3\n\
             operation_timeout_s = 4\noptional_permissions = {:?}\n\
             [server.oauth]\ntenant = \"{}\"\nclient_id = \"{}\"\nsecret = {{ env = \"{}\" }}\nendpoint = \"{endpoint}\"\n\
             scope = \"{}\"\n\
             [scope]\nrooms = {:?}\nroom_lists = {:?}\n[doctor]\nout_of_scope = [\"{}\"]\n",
            self.optional_permissions,
            self.tenant,
            self.client_id,
            self.secret_variable,
            self.scope,
            self.rooms,
            self.room_lists,
            self.out_of_scope
        )
    }
}

/// One way to set a connection up wrong, the id of its finding, and how the doctor's first line begins.
type WrongWay = (fn(&mut Tenant), &'static str, &'static str);

const WRONG_WAYS: &[WrongWay] = &[
    // The token.
    (
        |it| it.config.secret_variable = "PATH",
        "client-secret-rejected",
        "FAIL  default: token: the token endpoint rejects the client secret",
    ),
    (
        |it| it.is_secret_expired = true,
        "client-secret-expired",
        "FAIL  default: token: the client secret has expired",
    ),
    (
        |it| it.config.tenant = "unknown.onmicrosoft.com".to_owned(),
        "tenant-not-found",
        "FAIL  default: token: the token endpoint knows no such tenant",
    ),
    (
        |it| it.config.client_id = "5ad0c11e-6d1c-4e02-9f3b-0000000000ff".to_owned(),
        "application-not-found",
        "FAIL  default: token: the tenant has no application with this client_id",
    ),
    (
        |it| it.config.scope = "https://graph.example.com/.default",
        "token-scope-rejected",
        "FAIL  default: token: the token endpoint does not accept the scope",
    ),
    (
        |it| it.config.scope = "https://outlook.office365.com/.default",
        "token-rejected",
        "FAIL  default: token: Microsoft Graph rejects the token",
    ),
    (
        |it| it.token_fault = Some(TokenFault::Down),
        "token-endpoint-unreachable",
        "FAIL  default: token: the token endpoint cannot be reached",
    ),
    // The way to Graph.
    (
        |it| it.config.root = Some(Root::Url("https://no-such-host.invalid")),
        "name-not-resolved",
        "FAIL  default: name resolution: https://no-such-host.invalid: cannot connect to Microsoft Graph",
    ),
    (
        |it| it.config.root = Some(Root::Url("https://127.0.0.1:1")),
        "connection-failed",
        "FAIL  default: connection: https://127.0.0.1:1: cannot connect to Microsoft Graph",
    ),
    (|it| it.is_behind_closed_proxy = true, "proxy-failed", "FAIL  default: proxy: "),
    (|it| it.config.trusts_server = false, "certificate-unknown-issuer", "FAIL  default: certificate: "),
    (
        |it| it.config.root = Some(Root::OfAuthority),
        "graph-wrong-root",
        "FAIL  default: Graph: the response is not from Microsoft Graph (HTTP 405)",
    ),
    (
        |it| it.clock_ahead = TimeDelta::minutes(11),
        "clock-skew",
        "FAIL  default: clock: the server's clock and this machine's differ by 6",
    ),
    // Rights and scopes.
    (
        |it| it.graph.permissions = BTreeSet::new(),
        "no-room-accessible",
        "FAIL  default: calendars: the application may open none of the 3 configured rooms",
    ),
    (
        |it| it.in_scope = Some(Vec::new()),
        "no-room-accessible",
        "FAIL  default: calendars: the application may open none of the 3 configured rooms",
    ),
    (
        |it| it.in_scope = Some(vec![room_name(0), room_name(2)]),
        "room-access-denied",
        "FAIL  room1@example.com: calendars: Exchange Online denies the application this room",
    ),
    (
        |it| it.graph = GraphOptions::default().block_by_policy(&room_name(1)),
        "room-blocked-by-policy",
        "FAIL  room1@example.com: calendars: an application access policy excludes this room",
    ),
    (
        |it| it.graph = GraphOptions::default().place_on_premises(&room_name(1)),
        "room-on-premises",
        "FAIL  room1@example.com: mailbox: Exchange Online does not hold this mailbox",
    ),
    (
        |it| it.config.rooms.push("nobody@example.com".to_owned()),
        "room-not-found",
        "FAIL  nobody@example.com: mailbox: there is no mailbox of this address",
    ),
    (
        |it| it.in_scope = None,
        "scope-too-wide",
        "FAIL  default: scope: the application can open ceo@example.com, which must be out of its scope: a consent in Entra",
    ),
    (
        |it| it.config.out_of_scope = "nobody@example.com",
        "scope-unclear",
        "WARN  default: scope: cannot determine whether nobody@example.com is out of scope",
    ),
    (
        |it| it.config.optional_permissions = vec!["Mail.ReadBasic"],
        "optional-right-refused",
        "FAIL  default: optional right: optional_permissions names Mail.ReadBasic, and Graph refuses it",
    ),
    (
        |it| {
            it.config.optional_permissions = vec!["Place.Read.All"];
            it.config.room_lists = vec!["floor1@example.com"];
        },
        "optional-right-refused",
        "FAIL  default: optional right: optional_permissions names Place.Read.All, and Graph refuses it",
    ),
    // Writing.
    (
        |it| it.writing().graph.permissions = BTreeSet::from([GraphPermission::CalendarsRead]),
        "write-denied",
        "FAIL  room0@example.com: write: cannot create an event",
    ),
    (
        |it| it.writing().graph.ignores_if_match = true,
        "stale-update-accepted",
        "FAIL  room0@example.com: write: Graph changed an event although If-Match named a stale version",
    ),
    (
        |it| it.writing().graph.repeats_transactions = true,
        "repeated-booking-duplicated",
        "FAIL  room0@example.com: write: Graph created a second event for a repeated request",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_wrong_way_is_named_first() {
    assert!(WRONG_WAYS.len() >= 15);
    let mut failures = Vec::new();
    for (set_wrong, id, first_line) in WRONG_WAYS {
        let mut tenant = Tenant::default();
        set_wrong(&mut tenant);
        let said = tenant.examined(&["--json"]).await;
        let report = said.json();
        let headline = report["headline"].as_str().unwrap();
        let findings = report["findings"].as_array().unwrap();
        let remedy = findings.iter().find(|finding| finding["id"] == *id).map(|cause| &cause["remedy"]);
        let is_named = headline.starts_with(first_line) && headline.ends_with(&format!("[{id}]"));
        let has_remedy = remedy.and_then(Value::as_str).is_some_and(|remedy| remedy.len() > 10);
        if !is_named || !has_remedy || said.code != if headline.starts_with("FAIL") { 5 } else { 0 } {
            failures.push(format!("wanted: {first_line} [{id}]\n{}{}", said.out, said.err));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// The right set-up, with every optional right granted.
fn all_rights() -> Tenant {
    let mut tenant = Tenant { graph: GraphOptions::with_all_permissions(), ..Tenant::default() };
    tenant.config.optional_permissions = OPTIONAL.to_vec();
    tenant.writing();
    tenant
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_up_right_passes_and_its_rights_to_write_are_proven() {
    let said = all_rights().examined(&[]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.starts_with("pass  everything is set up ("), "{}", said.out);
    for line in [
        "pass  default: token: a token was issued, and Microsoft Graph accepts it",
        "pass  default: calendars: the application may read the calendars of all 3 configured rooms",
        "pass  default: scope: ceo@example.com is refused, as it must be (ErrorAccessDenied",
        "pass  default: optional right: Mail.ReadBasic is granted: ",
        "pass  default: optional right: MailboxItem.Read is granted: ",
        "pass  default: optional right: Place.Read.All is granted: ",
        "pass  default: optional right: User.ReadBasic.All is granted: ",
        "skip  default: native auto-release: Graph does not show",
        "pass  room0@example.com: write: created an event, got the same one for the repeated request, shortened it, was refused \
         with a stale If-Match, and removed it; Graph no longer finds it by its id",
        "pass  room0@example.com: end on an attendee copy: Exchange accepts a new end alone",
    ] {
        assert!(said.out.contains(line), "{line}\n{}", said.out);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_event_may_still_be_found_by_its_id() {
    let mut tenant = all_rights();
    tenant.graph.shows_deleted_events = true;
    let said = tenant.examined(&[]).await;
    assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    assert!(said.out.contains("Graph still finds it by its id, in Deleted Items"), "{}", said.out);
}

#[tokio::test(flavor = "multi_thread")]
async fn rights_that_are_not_used_are_named_and_fail_nothing() {
    let granted = Tenant { graph: GraphOptions::with_all_permissions(), ..Tenant::default() };
    let said = granted.examined(&["--json"]).await;
    let about = |said: &CommandOutput| -> Vec<Value> {
        let findings = said.json()["findings"].as_array().unwrap().clone();
        findings.into_iter().filter(|finding| finding["check"] == "optional right").collect()
    };
    for (name, finding) in OPTIONAL.iter().zip(about(&said)) {
        assert_eq!(finding["status"], "pass", "{finding}");
        let message = finding["message"].as_str().unwrap();
        assert!(
            message.starts_with(&format!("{name} is granted, and optional_permissions does not name it"))
        );
        assert!(finding["remedy"].as_str().unwrap().starts_with(&format!("add {name}")), "{finding}");
    }
    let said = Tenant::default().examined(&["--json"]).await;
    let found = about(&said);
    assert_eq!((said.code, found.len()), (0, 4), "{}", said.out);
    for (name, finding) in OPTIONAL.iter().zip(found) {
        assert_eq!(finding["status"], "skip", "{finding}");
        assert!(finding["message"].as_str().unwrap().starts_with(&format!("{name} is not used: ")));
    }
}
