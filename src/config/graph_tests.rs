use super::*;
use crate::login::ManagedIdentity;

const APPLICATION: &str = "oauth = { tenant = \"t\", client_id = \"c\", secret = { env = \"S\" } }\n";

fn parse(keys: &str, overrides: Overrides) -> Result<Config, ConfigError> {
    let text = format!("[server]\nprotocol = \"graph\"\n{keys}");
    Config::parse(Some(Path::new("adjourn.toml")), &text, overrides)
}

fn graph(keys: &str) -> GraphSource {
    match parse(keys, Overrides::default()).unwrap().server {
        Some(ConnectionSource::Graph(graph)) => graph,
        other => panic!("{other:?}"),
    }
}

fn error(keys: &str) -> String {
    parse(keys, Overrides::default()).unwrap_err().to_string()
}

fn scope_of(graph: &GraphSource) -> &str {
    match &graph.sign_in {
        SignInSource::OAuth(application) => &application.scope,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_application_is_enough() {
    let graph = graph(APPLICATION);
    assert_eq!((graph.name.as_str(), graph.root.as_str()), ("default", "https://graph.microsoft.com"));
    assert_eq!(scope_of(&graph), "https://graph.microsoft.com/.default");
    assert_eq!((graph.max_concurrent_requests_per_room.get(), graph.max_concurrent_requests.get()), (4, 16));
    let seconds = Duration::from_secs;
    assert_eq!((graph.poll_intervals.busy, graph.poll_intervals.idle), (seconds(30), seconds(300)));
    assert_eq!((graph.timeouts.connect, graph.timeouts.operation), (seconds(10), seconds(600)));
}

#[test]
fn each_key_is_taken_over() {
    let graph = graph(&format!(
        "{APPLICATION}url = \"https://graph.example/\"\nca_file = \"/ca.pem\"\nmax_concurrent_requests_per_room = 4\n\
         max_concurrent_requests = 5\npoll_interval_busy_s = 10\npoll_interval_idle_s = 10\nconnect_timeout_s = 1\n\
         first_byte_timeout_s = 2\nresponse_timeout_s = 3\noperation_timeout_s = 4\nproxy = {{ url = \"http://p:1\" }}\n"
    ));
    assert_eq!(
        (graph.root.as_str(), scope_of(&graph)),
        ("https://graph.example", "https://graph.example/.default")
    );
    assert_eq!((graph.max_concurrent_requests_per_room.get(), graph.max_concurrent_requests.get()), (4, 5));
    let seconds = [graph.poll_intervals.busy, graph.poll_intervals.idle, graph.timeouts.connect];
    assert_eq!(seconds.map(|time| time.as_secs()), [10, 10, 1]);
    let seconds = [graph.timeouts.first_byte, graph.timeouts.response, graph.timeouts.operation];
    assert_eq!(seconds.map(|time| time.as_secs()), [2, 3, 4]);
    assert_eq!(graph.proxy.unwrap().url, "http://p:1");
    assert_eq!(graph.ca_file.as_deref(), Some(Path::new("/ca.pem")));
}

#[test]
fn the_addresses_follow_from_the_cloud() {
    for (cloud, root, authority) in [
        ("worldwide", "https://graph.microsoft.com", "https://login.microsoftonline.com/"),
        ("us-government", "https://graph.microsoft.us", "https://login.microsoftonline.us/"),
        ("us-government-dod", "https://dod-graph.microsoft.us", "https://login.microsoftonline.us/"),
        ("china", "https://microsoftgraph.chinacloudapi.cn", "https://login.partner.microsoftonline.cn/"),
        ("bleu", "https://graph.svc.sovcloud.fr", "https://login.sovcloud-identity.fr/"),
        ("delos", "https://graph.svc.sovcloud.de", "https://login.sovcloud-identity.de/"),
        ("gov-sg", "https://graph.svc.sovcloud.sg", "https://login.sovcloud-identity.sg/"),
    ] {
        let graph = graph(&APPLICATION.replace("tenant", &format!("cloud = \"{cloud}\", tenant")));
        assert_eq!(graph.root, root);
        assert_eq!(scope_of(&graph), format!("{root}/.default"));
        let SignInSource::OAuth(application) = graph.sign_in else { panic!("{cloud}") };
        assert_eq!(application.endpoint, format!("{authority}t/oauth2/v2.0/token"));
    }
    let ews =
        "[server.oauth]\ntenant = \"t\"\nclient_id = \"c\"\nsecret = { env = \"S\" }\ncloud = \"bleu\"\n";
    let error = Config::parse(None, ews, Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("Microsoft documents no EWS in this cloud"), "{error}");
}

#[test]
fn a_managed_identity_and_a_token_sign_in_too() {
    let machine = graph("oauth = { managed_identity = true }\n");
    let identity = ManagedIdentity {
        endpoint: "http://169.254.169.254/metadata/identity/oauth2/token".to_owned(),
        resource: "https://graph.microsoft.com".to_owned(),
        client_id: None,
    };
    assert_eq!(machine.sign_in, SignInSource::ManagedIdentity(identity));
    let token = graph("token = { file = \"/run/token\" }\n");
    assert_eq!(token.sign_in, SignInSource::Token(SecretSource::File("/run/token".into())));
}

#[test]
fn keys_of_ews_are_refused_at_their_place() {
    for (keys, at, why) in [
        ("access = \"impersonation\"", "server.access", "remove access"),
        ("impersonate_by = \"smtp-address\"", "server.impersonate_by", "remove impersonate_by"),
        ("autodiscover = { trusted_hosts = [] }", "server.autodiscover", "remove autodiscover"),
        ("url = \"autodiscover\"", "server.url", "not the root of Graph"),
        ("url = \"https://x.example/EWS/Exchange.asmx\"", "server.url", "not the root of Graph"),
        ("url = \"https://graph.microsoft.com/v1.0/\"", "server.url", "without a version"),
        ("url = \"http://graph.microsoft.com\"", "server.url", "use https"),
        ("auth = \"ntlm\"", "server.auth", "OAuth tokens alone"),
        ("auth = \"negotiate\"", "server.auth", "OAuth tokens alone"),
        ("auth = \"basic\"", "server.auth", "OAuth tokens alone"),
        ("auth = \"certificate\"", "server.auth", "OAuth tokens alone"),
        ("channel_binding = \"off\"", "server.channel_binding", "OAuth tokens alone"),
        ("password = { env = \"P\" }", "server.password", "OAuth tokens alone"),
        ("kdc = \"tcp://dc1:88\"", "server.kdc", "OAuth tokens alone"),
        (
            "max_concurrent_requests_per_room = 5",
            "server.max_concurrent_requests_per_room",
            "serves 4 requests",
        ),
        ("poll_interval_busy_s = 301", "server.poll_interval_busy_s", "may not exceed poll_interval_idle_s"),
    ] {
        let error = error(&format!("{keys}\n{APPLICATION}"));
        assert!(
            error.starts_with(&format!("adjourn.toml:3: {at}: ")) && error.contains(why),
            "{keys}: {error}"
        );
    }
    for keys in [
        "username = \"u\"",
        "keytab_file = \"k\"",
        "client_certificate = { certificate_file = \"c\", key_file = \"k\" }",
    ] {
        let error = error(&format!("{keys}\n{APPLICATION}"));
        assert!(
            error.starts_with("adjourn.toml:2: server.protocol: Graph accepts OAuth tokens alone"),
            "{error}"
        );
    }
    assert!(error("").contains("set [server.oauth] or token"));
}

#[test]
fn flags_count_for_graph_as_for_ews() {
    let flags = |url: &str| Overrides { url: Some(url.to_owned()), ..Overrides::default() };
    let server = parse(APPLICATION, flags("http://127.0.0.1:8080")).unwrap().server;
    assert!(matches!(server, Some(ConnectionSource::Graph(graph)) if graph.root == "http://127.0.0.1:8080"));
    let error = parse(APPLICATION, flags("https://x.example/EWS/Exchange.asmx")).unwrap_err().to_string();
    assert!(error.starts_with("--url: ") && error.contains("not the root of Graph"), "{error}");
    let username = Overrides { username: Some("u".to_owned()), ..Overrides::default() };
    let error = parse(APPLICATION, username).unwrap_err().to_string();
    assert!(error.starts_with("--username: Graph accepts OAuth tokens alone"), "{error}");
}

#[test]
fn an_application_proves_itself_in_one_way() {
    let oauth = |keys: &str| error(&format!("oauth = {{ {keys} }}\n"));
    let one =
        "set one of: secret; certificate_file and key_file; federated_token_file; managed_identity = true";
    for proof in [
        "",
        ", certificate_file = \"c\"",
        ", key_file = \"k\"",
        ", secret = { env = \"S\" }, federated_token_file = \"f\"",
        ", federated_token_file = \"f\", certificate_file = \"c\", key_file = \"k\"",
    ] {
        let error = oauth(&format!("tenant = \"t\", client_id = \"c\"{proof}"));
        assert!(error.ends_with(one), "{error}");
    }
    assert!(oauth("client_id = \"c\", federated_token_file = \"f\"").ends_with("tenant is missing"));
    assert!(oauth("tenant = \"t\", federated_token_file = \"f\"").ends_with("client_id is missing"));
    for key in ["tenant", "certificate_file", "key_file", "federated_token_file"] {
        let error = oauth(&format!("managed_identity = true, {key} = \"x\""));
        assert!(error.contains(&format!("a managed identity needs no `{key}`")), "{error}");
    }
    assert!(oauth("managed_identity = true, secret = { env = \"S\" }").contains("needs no `secret`"));
    assert!(oauth("managed_identity = true, endpoint = \"http://10.0.0.1/token\"").contains("use https"));
    assert!(oauth("managed_identity = true, endpoint = \"https://x.example/\"").contains("remove endpoint"));
}

#[test]
fn what_polls_over_graph_is_refused_over_ews() {
    let server = "[server]\nurl = \"https://x.example/EWS\"\nusername = \"u\"\npoll_interval_idle_s = 60\n";
    let error = Config::parse(None, server, Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("server.poll_interval_idle_s: this key is for protocol = \"graph\""), "{error}");
}

#[test]
fn rooms_of_one_site_are_reached_over_both() {
    let hybrid = "[server]\nurl = \"https://x.example/EWS\"\nusername = \"u\"\n\
                  [[connections]]\nname = \"cloud\"\nprotocol = \"graph\"\nrooms = [\"cloud-*@example.com\"]\n";
    let config = Config::parse(None, &format!("{hybrid}{APPLICATION}"), Overrides::default()).unwrap();
    let names: Vec<_> = config.exchanges().map(ConnectionSource::name).collect();
    assert_eq!(names, ["cloud", "default"]);
    assert!(
        matches!(&config.connections[0].settings, ConnectionSource::Graph(graph) if graph.name == "cloud")
    );
    let of = |room: &str| config.connection_name(&room.parse().unwrap()).map(str::to_owned);
    assert_eq!(of("cloud-1@example.com").as_deref(), Some("cloud"));
    assert_eq!(of("room1@example.com").as_deref(), Some("default"));
}
