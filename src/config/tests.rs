use super::*;
use crate::cleanup::{OnLastStrike, ReleaseMethod, Rules};
use crate::exchange::{Access, ExchangeLocation, ImpersonateBy};
use crate::login::{ChannelBinding, Windows, WindowsScheme};
use crate::service::{WEBHOOKS_MAX, WebhookKind};

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Some(Path::new("adjourn.toml")), text, Overrides::default())
}

/// The settings of the server, over EWS.
fn ews(config: Config) -> UnreadSettings {
    match config.server {
        Some(ConnectionSource::Ews(settings)) => settings,
        other => panic!("{other:?}"),
    }
}

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn an_empty_file_gives_the_defaults_and_no_server() {
    let config = parse("").unwrap();
    assert!(config.server.is_none() && config.scope.is_empty());
    assert_eq!(config.service.rules, Rules::default());
}

#[test]
fn a_full_file_is_understood() {
    let config = parse(
        r#"
        [server]
        url = "https://mail.example.com/EWS/Exchange.asmx"
        username = 'EXAMPLE\svc-rooms'
        impersonate_by = "primary-smtp-address"
        [scope]
        rooms = ["Room1@example.com"]
        domains = ["rooms.example.com"]
        [cleanup]
        cancelled_leftover = true
        [cleanup.no_check_in]
        grace_minutes = 15
        release_by = "end"
        [cleanup.organizer_gone]
        domains = ["Example.com"]
        [cleanup.exceptions]
        longer_than_hours = 0
        organizers = ["Boss@example.com"]
        "#,
    )
    .unwrap();
    let server = ews(config.clone());
    let password = SecretSource::Environment(PASSWORD_VARIABLE.to_owned());
    assert_eq!(server.sign_in, SignInSource::Basic { username: r"EXAMPLE\svc-rooms".to_owned(), password });
    assert_eq!(server.impersonate_by, ImpersonateBy::PrimarySmtpAddress);
    assert!(config.scope.contains(&"ROOM1@example.com".parse().unwrap()));
    assert_eq!(config.service.rules.no_check_in.unwrap().grace, TimeDelta::minutes(15));
    assert_eq!(config.service.rules.organizer_gone.unwrap().release_by, ReleaseMethod::Remove);
    assert_eq!(config.service.rules.exceptions.longer_than, None);
    assert!(config.service.rules.exceptions.organizers.contains("boss@example.com"));
}

#[test]
fn errors_name_file_line_and_key() {
    assert_eq!(
        error("[cleanup]\nmax_concurrent_rooms = 0\n"),
        "adjourn.toml:2: cleanup.max_concurrent_rooms: 0 is not between 1 and 1000"
    );
    assert!(
        error("[scope]\nrooms = [\n  \"room1\",\n]\n")
            .starts_with("adjourn.toml:3: scope.rooms: `room1` is not")
    );
    assert_eq!(
        error("[scope]\nrooms = [\"berlin-*@example.com\"]\n"),
        "adjourn.toml:2: scope.rooms: `berlin-*@example.com` is a pattern, and only addresses are allowed here"
    );
    assert!(error("[server]\nurl = 5\n").starts_with("adjourn.toml:2: server.url: invalid type"));
    assert!(
        error("[sever]\nurl = 5\n")
            .starts_with("adjourn.toml:1: sever: unknown key `sever`; did you mean `server`?")
    );
    assert!(
        error("[cleanup.limits]\nmax_fraction = 1.5\n")
            .starts_with("adjourn.toml:2: cleanup.limits.max_fraction: 1.5 is not between 0 and 1")
    );
    assert!(error("[server]\nurl = \"https://x/EWS\"\n").contains("server.username is missing"));
}

#[test]
fn a_key_of_the_old_spelling_is_answered_with_the_new_one() {
    assert_eq!(
        error("[cleanup]\ncame_back = \"report\"\n"),
        "adjourn.toml:2: cleanup.came_back: `came_back` is now `on_reappearance`"
    );
    for (text, sentence) in [
        ("[[places]]\nname = \"x\"\n", "adjourn.toml:1: places: `places` is now `room_groups`"),
        ("[live]\nby = \"streaming\"\n", "adjourn.toml:2: live.by: `by` is now `mode`"),
        ("[live]\nmode = \"asked\"\n", "adjourn.toml:2: live.mode: `asked` is now `on-demand`"),
        ("[cleanup]\non_reappearance = \"again\"\n", "`again` is now `repeat`"),
        ("[cleanup.watching]\n", "adjourn.toml:1: cleanup.watching: `watching` is now `evidence`"),
        ("[api]\nsubjects = true\n", "`subjects` is now `show_subjects`"),
        ("[journal]\nsubjects = true\n", "`subjects` is now `record_subjects`"),
        ("[[connections]]\nrequests_at_once = 1\n", "`requests_at_once` is now `max_concurrent_requests`"),
        ("[server]\nautodiscover = { hosts = [] }\n", "`hosts` is now `trusted_hosts`"),
    ] {
        assert!(error(text).contains(sentence), "{text}{}", error(text));
    }
}

#[test]
fn a_mistyped_key_or_value_is_answered_with_the_nearest() {
    assert_eq!(
        error("[cleanup.no_check_in]\nstrkies = 3\n"),
        "adjourn.toml:2: cleanup.no_check_in.strkies: unknown key `strkies`; did you mean `strikes`?"
    );
    assert!(error("[server]\nauth = \"ntml\"\n").contains("unknown value `ntml`; did you mean `ntlm`?"));
    assert!(error("[doctor]\nfee = 3\n").ends_with("unknown key `fee`; known here: out_of_scope"));
}

#[test]
fn a_password_never_crosses_the_network_readable() {
    let unsafe_url = "[server]\nusername = \"u\"\nurl = \"http://mail.example.com/EWS/Exchange.asmx\"\n";
    assert!(error(unsafe_url).contains("use https"));
    assert!(parse("[server]\nusername = \"u\"\nurl = \"http://127.0.0.1:80/EWS/Exchange.asmx\"\n").is_ok());
}

#[test]
fn rules_that_cannot_work_are_refused() {
    assert!(error("[cleanup.organizer_gone]\ndomains = []\n").contains("list your own mail domains"));
    let ended = "[cleanup.organizer_gone]\ndomains = [\"x.example\"]\nrelease_by = \"end\"\n";
    assert_eq!(
        error(ended),
        "adjourn.toml:3: cleanup.organizer_gone.release_by: `end` cannot apply to events that lie ahead; choose `remove` or `decline`"
    );
}

#[test]
fn places_change_what_holds_in_their_rooms() {
    let config = parse(
        r#"
        [cleanup.no_check_in]
        presence_after_minutes = 4
        [[room_groups]]
        name = "Berlin"
        rooms = ["berlin-*@example.com"]
        grace_minutes = 20
        [[room_groups]]
        name = "board room"
        rooms = ["berlin-board@example.com"]
        check_in = false
        "#,
    )
    .unwrap();
    let of = |room: &str| config.service.rules.check_in(&room.parse().unwrap());
    let berlin = of("berlin-1@example.com").unwrap();
    assert_eq!((berlin.grace, berlin.presence_after), (TimeDelta::minutes(20), TimeDelta::minutes(4)));
    assert_eq!(of("berlin-board@example.com"), None);
}

#[test]
fn a_service_is_described_and_what_cannot_be_is_named() {
    let config = parse(
        r#"
        [api]
        listen = "0.0.0.0:443"
        tls = { cert_file = "cert.pem", key_file = "key.pem" }
        [[webhooks]]
        name = "facility"
        url = "https://hooks.example.com/adjourn/T0/token"
        secret = { file = "secret" }
        kinds = ["release-warning", "action"]
        rooms = ["berlin-*@example.com"]
        [[schedules]]
        name = "night"
        cron = "30 2 * * *"
        time_zone = "Europe/Berlin"
        "#,
    )
    .unwrap();
    assert_eq!((config.api.listen.port(), config.service.schedules.len()), (443, 1));
    let [webhook] = &config.webhooks[..] else { panic!("{:?}", config.webhooks) };
    assert_eq!(
        (webhook.name.as_str(), webhook.shown_url()),
        ("facility", "https://hooks.example.com/…".into())
    );
    assert_eq!(webhook.filter.kinds, [WebhookKind::ReleaseWarning, WebhookKind::Action]);
    assert!(webhook.filter.rooms[0].matches(&"berlin-1@example.com".parse().unwrap()));
    assert!(
        error("[api]\nlisten = \"here\"\n")
            .starts_with("adjourn.toml:2: api.listen: `here` is no address with a port")
    );
    let schedule = |cron: &str, zone: &str| {
        error(&format!("[[schedules]]\nname = \"x\"\ncron = \"{cron}\"\ntime_zone = \"{zone}\"\n"))
    };
    assert!(schedule("whenever", "UTC").contains("invalid cron expression"));
    assert!(schedule("0 * * * *", "Berlin").contains("unknown time zone"));
}

/// The text of a webhook with this name and these further keys.
fn webhook(name: &str, more: &str) -> String {
    format!(
        "[[webhooks]]\nname = \"{name}\"\nurl = \"https://x.example/\"\nsecret = {{ env = \"S\" }}\n{more}\n"
    )
}

#[test]
fn a_webhook_that_cannot_be_is_named() {
    let plain_http = webhook("x", "").replace("https:", "http:");
    assert!(error(&plain_http).starts_with("adjourn.toml:3: webhooks.url: "), "{}", error(&plain_http));
    assert!(error(&plain_http).contains("https://host/path"));
    assert_eq!(
        error(&webhook("x", "kinds = [\"sweep\", \"acton\"]")),
        "adjourn.toml:5: webhooks.kinds: unknown value `acton`; did you mean `action`?"
    );
    let displays_only = error(&webhook("x", "kinds = [\"room\"]"));
    let known = "known here: action, check-in, display-found, display-lost, journal-head";
    assert!(displays_only.contains(known), "{displays_only}");
    for name in ["", "a b", "a/b", "b\u{fc}ro", &"x".repeat(65)] {
        assert!(error(&webhook(name, "")).contains("1 to 64 letters, digits"), "{name}");
    }
    let twice = error(&(webhook("x", "") + &webhook("x", "")));
    assert_eq!(twice, "adjourn.toml:7: webhooks.name: another webhook is named `x`");
    let many: String = (0..=WEBHOOKS_MAX).map(|number| webhook(&number.to_string(), "")).collect();
    assert!(error(&many).contains("more than 16 webhooks"));
    assert!(error(&webhook("x", "").replace("{ env = \"S\" }", "\"hunter2\"")).contains("{ file = "));
    let warned = |more: &str| parse(&webhook("x", more)).unwrap().warnings;
    assert_eq!(warned("rooms = [\"*@x.example\"]"), [""; 0]);
    assert!(warned("rooms = [\"berlin\"]")[0].contains("webhooks `x`: `berlin` matches no room"));
    let head = "kinds = [\"journal-head\"]\nrooms = [\"*\"]";
    assert!(warned(head)[0].contains("`journal-head` belongs to no room"), "{:?}", warned(head));
}

#[test]
fn the_former_table_of_the_one_webhook_is_answered_with_what_to_write() {
    let former = "[webhook]\nurl = \"https://x.example/\"\nsecret_file = \"s\"\n";
    let message = error(former);
    assert!(
        message.starts_with("adjourn.toml:1: webhook: `webhook` is now `webhooks`; write [[webhooks]]"),
        "{message}"
    );
    assert!(message.contains("name = \"default\""), "{message}");
    let half = error(&former.replace("[webhook]", "[[webhooks]]\nname = \"default\""));
    assert_eq!(
        half,
        "adjourn.toml:4: webhooks.secret_file: `secret_file` is now `secret`; write secret = { file = \"…\" }"
    );
}

#[test]
fn the_examples_of_the_documentation_are_configurations() {
    let blocks =
        |text: &'static str| text.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    // Each example of a connection is a configuration of its own.
    let connections: Vec<_> = blocks(include_str!("../../docs/exchange.md"))
        .map(|text| {
            Config::parse(None, text, Overrides::default()).unwrap_or_else(|why| panic!("{why}\n{text}"))
        })
        .collect();
    assert_eq!(connections.len(), 5);
    let sign_in = |one: usize| connections[one].server.as_ref().unwrap().sign_in();
    let negotiate = |windows: &Windows<_>| windows.scheme == WindowsScheme::Negotiate;
    assert!(matches!(sign_in(0), SignInSource::Windows(windows) if negotiate(windows)));
    assert!(matches!(sign_in(1), SignInSource::OAuth(_)));
    let (moving, machine) = (&connections[2], &connections[3]);
    assert!(matches!(moving.server, Some(ConnectionSource::Ews(_))));
    assert!(matches!(moving.connections[0].settings, ConnectionSource::Graph(_)));
    assert!(matches!(machine.server, Some(ConnectionSource::Graph(_))));
    assert!(matches!(sign_in(3), SignInSource::ManagedIdentity(_)));
    assert_eq!(connections[4].connections[0].settings.name(), "cloud");
    // The other pages are about one configuration.
    let pages = [
        include_str!("../../docs/cleanup.md"),
        include_str!("../../docs/operations.md"),
        include_str!("../../docs/http-api.md"),
    ];
    // The journal is in one place or the other.
    let (in_database, one): (Vec<_>, Vec<_>) =
        pages.into_iter().flat_map(blocks).partition(|text| text.contains("database-url"));
    let database = Config::parse(None, &in_database.concat(), Overrides::default()).unwrap();
    assert!(database.journal.database.is_some());
    let text = one.concat();
    let config = Config::parse(None, &text, Overrides::default()).unwrap();
    let issuer = &config.api.oidc.as_ref().unwrap().issuer;
    assert_eq!(
        (issuer.grants.len(), config.service.schedules.len(), config.service.rules.room_groups.len()),
        (1, 1, 1)
    );
    let wrong = text.replace(r#"["read", "end", "check-in"]"#, r#"["read", "rule"]"#);
    let error = Config::parse(None, &wrong, Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("unknown right \"rule\""), "{error}");
}

#[test]
fn strikes_and_those_who_need_not_check_in_are_set_for_all_and_by_place() {
    let text = "[cleanup.no_check_in]\nstrikes = 3\nauto_check_in = ['Boss@Example.com']\nwalk_in_grace_minutes = 20\n\
                [[room_groups]]\nname = 'lab'\nrooms = ['lab@x.example']\non_last_strike = 'delete'\nauto_check_in = []\n\
                walk_in_grace_minutes = 0\n";
    let rules = parse(text).unwrap().service.rules;
    let (all, lab) = (
        rules.check_in(&"a@x.example".parse().unwrap()).unwrap(),
        rules.check_in(&"lab@x.example".parse().unwrap()).unwrap(),
    );
    assert_eq!((all.strikes, all.on_last_strike), (3, OnLastStrike::Report));
    assert_eq!((lab.strikes, lab.on_last_strike), (3, OnLastStrike::Delete));
    assert!(all.auto_check_in.contains("boss@example.com") && lab.auto_check_in.is_empty());
    assert_eq!((all.walk_in_grace, lab.walk_in_grace), (Some(TimeDelta::minutes(20)), None));
    assert!(error("[cleanup.no_check_in]\nstrikes = 101\n").contains("101 is not between 0 and 100"));
}

#[test]
fn each_way_of_signing_in_is_understood() {
    let signed_in = |text: &str| ews(parse(text).unwrap());
    let ntlm = signed_in(
        "[server]\nurl = \"https://x/EWS\"\nauth = \"ntlm\"\nusername = \"u\"\npassword = { command = [\"pass\", \"x\"] }\n\
         channel_binding = \"require\"\naccess = \"delegate\"\n",
    );
    let password = SecretSource::Command(vec!["pass".to_owned(), "x".to_owned()]);
    let windows = Windows {
        scheme: WindowsScheme::Ntlm,
        username: "u".to_owned(),
        secret: WindowsSecretSource::Password(password),
        binding: ChannelBinding::Require,
        kdc: None,
    };
    assert_eq!(ntlm.sign_in, SignInSource::Windows(windows));
    assert_eq!(ntlm.access, Access::Delegate);
    let online = signed_in(
        "[server.oauth]\ntenant = \"contoso.example\"\nclient_id = \"app\"\nsecret = { credential = \"s\" }\ncloud = \"us-government\"\n",
    );
    assert_eq!(
        online.location,
        ExchangeLocation::Url("https://outlook.office365.us/EWS/Exchange.asmx".to_owned())
    );
    let SignInSource::OAuth(application) = &online.sign_in else { panic!("{:?}", online.sign_in) };
    assert_eq!(application.endpoint, "https://login.microsoftonline.us/contoso.example/oauth2/v2.0/token");
    assert_eq!(application.scope, "https://outlook.office365.us/.default");
    assert_eq!(online.sign_in.account(), Some("app"));
}

#[test]
fn what_signs_nobody_in_is_refused_with_its_place() {
    let of = |rest: &str| error(&format!("[server]\nurl = \"https://x/EWS\"\n{rest}"));
    assert!(of("auth = \"oauth\"\n").contains("server.oauth is missing"));
    assert!(of("auth = \"certificate\"\n").contains("server.client_certificate is missing"));
    assert!(of("token = { env = \"T\" }\n").contains("must come from a file or a command"));
    assert!(of("auth = \"kerberos\"\n").starts_with("adjourn.toml:3: server.auth: unknown value `kerberos`"));
    assert!(of("username = \"u\"\npassword = \"open\"\n").starts_with("adjourn.toml:4: server.password: "));
    assert!(of("rooms = [\"a@example.com\"]\nusername = \"u\"\n").contains("[[connections]]"));
    let in_url = error("[server]\nurl = \"https://u:hunter2@x/EWS\"\nusername = \"u\"\n");
    assert!(in_url.contains("keys of their own") && !in_url.contains("hunter2"), "{in_url}");
    let in_proxy = of("username = \"u\"\nproxy = { url = \"http://u:hunter2@p:1\" }\n");
    assert!(in_proxy.contains("beside the url") && !in_proxy.contains("hunter2"), "{in_proxy}");
    let delegate =
        "access = \"delegate\"\noauth = { tenant = \"a\", client_id = \"c\", secret = { env = \"S\" } }\n";
    assert!(of(delegate).contains("set access = \"impersonation\""));
    let oauth = "[server.oauth]\ntenant = \"a/b\"\nclient_id = \"c\"\nsecret = { env = \"S\" }\n";
    assert!(error(oauth).starts_with("adjourn.toml:2: server.oauth.tenant: a tenant is a domain or an id"));
}

#[test]
fn connections_have_names_and_rooms_of_their_own() {
    let one = "[[connections]]\nname = \"online\"\nrooms = [\"*@cloud.example.com\"]\nurl = \"https://x/EWS\"\nusername = \"u\"\n";
    let config = parse(one).unwrap();
    assert_eq!(config.connections[0].settings.name(), "online");
    assert!(config.connections[0].rooms[0].matches(&"r1@cloud.example.com".parse().unwrap()));
    assert!(error(&format!("{one}{one}")).contains("must be unique"));
    assert!(error("[[connections]]\nname = \"x\"\n").contains("connections.rooms is missing"));
}

#[test]
fn places_say_where_rooms_are_and_what_they_are_called() {
    let text = r#"
        [[room_groups]]
        name = "Berlin"
        rooms = ["berlin-*@example.com"]
        building = "Mitte"
        time_zone = "Europe/Berlin"
        language = "de-AT"
        names = { "Berlin-1@example.com" = "Spree" }
    "#;
    let about = parse(text).unwrap().service.rules.room_info(&"berlin-1@example.com".parse().unwrap());
    assert_eq!((about.name.as_deref(), about.time_zone.as_deref()), (Some("Spree"), Some("Europe/Berlin")));
    assert_eq!(about.language.as_deref(), Some("de-AT"));
    let place = "[[room_groups]]\nname = \"x\"\nrooms = []\n";
    assert_eq!(
        error(&format!("{place}language = \"tlh\"\n")),
        "adjourn.toml:4: room_groups.language: displays have no language `tlh`; they have ar, de, en, es, fr, he, ja, nl, pl"
    );
    assert_eq!(
        error(&format!("{place}time_zone = \"Middle/Earth\"\n")),
        "adjourn.toml:4: room_groups.time_zone: `Middle/Earth` is no time zone of the IANA database, such as Europe/Berlin"
    );
    assert!(
        error(&format!("{place}names = {{ spree = \"Spree\" }}\n"))
            .contains("`spree` is not an SMTP address")
    );
}

#[test]
fn the_console_is_a_client_of_the_provider_where_that_is_said() {
    let oidc =
        "[api.oidc]\nissuer = \"https://login.example.com\"\naudience = \"api://adjourn\"\ngrants = []\n";
    let console = |more: &str| parse(&format!("{oidc}{more}")).unwrap().api.oidc.unwrap().console;
    assert_eq!(console(""), None);
    let client = console("console = { client_id = \"one\", scope = \"openid\" }\n").unwrap();
    assert_eq!((client.id.as_str(), client.scope.as_str()), ("one", "openid"));
    assert!(error(&format!("{oidc}console = {{ client_id = \"one\" }}\n")).contains("scope"));
}

#[test]
fn a_secret_that_stands_in_the_file_is_not_printed() {
    let server = |line: &str| {
        format!(
            "[server]\nurl = \"https://mail.example.com/EWS/Exchange.asmx\"\nusername = \"svc\"\n{line}\n"
        )
    };
    for line in [
        "password = \"hunter2\"",
        "password = hunter2",
        "password = \"hunter2",
        "password = 'hunter2' x",
        "password = { \"hunter2\" }",
        "password = { value = \"hunter2\" }",
        "password = { command = \"echo hunter2\" }",
        "password = { file = [\"hunter2\"] }",
        "password = [\"hunter2\"]",
        "password = \"\"\"\nhunter2\\q\"\"\"",
        "passwrod = \"hunter2\"",
        "Password = \"hunter2\"",
        "token = \"hunter2\"",
        "oauth = { tenant = \"x\", client_id = \"y\", secret = \"hunter2\" }",
        "oauth = { tenant = \"x\", client_id = \"y\", client_secret = \"hunter2\" }",
        "proxy = { url = \"http://p:1\", username = \"u\", password = \"hunter2\" }",
        "proxy = \"http://u:hunter2@p:1\"",
        "channel_binding = \"require\"\n[server.password]\nfile = [\"hunter2\"]",
        "max_concurrent_requests_per_room = \"hunter2\"",
    ] {
        let error = Config::parse(None, &server(line), Overrides::default()).unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(!said.contains("hunter2"), "{line}: {said}");
        assert!(said.contains("configuration:"), "{said}");
    }
    let help =
        Config::parse(None, &server("password = \"hunter2\""), Overrides::default()).unwrap_err().to_string();
    assert!(help.contains("server.password") && help.contains("file = "), "{help}");
    let typo = Config::parse(None, &server("auth = \"ntml\""), Overrides::default()).unwrap_err().to_string();
    assert!(typo.contains("ntml") && typo.contains("ntlm"), "what is no secret is shown: {typo}");
}

#[test]
fn a_display_is_lost_after_ten_minutes_or_the_configured_ones() {
    let lost_after = |text: &str| parse(text).unwrap().service.display_lost_after.num_minutes();
    assert_eq!((lost_after(""), lost_after("[displays]\nlost_after_minutes = 3\n")), (10, 3));
    for minutes in [0, 1_441] {
        let refused = error(&format!("[displays]\nlost_after_minutes = {minutes}\n"));
        assert!(refused.contains(&format!("{minutes} is not between 1 and 1440")), "{refused}");
    }
}

#[test]
fn reports_name_organizers_only_where_that_is_configured() {
    assert!(!parse("").unwrap().service.report_organizers);
    assert!(parse("[report]\norganizers = true\n").unwrap().service.report_organizers);
    assert!(error("[report]\norganizer = true\n").contains("organizers"));
}

#[test]
fn a_file_from_windows_is_read() {
    let text = "[server]\r\nurl = \"https://mail.example.com/EWS/Exchange.asmx\"\r\nusername = \"svc-b\u{fc}ro\"\r\n";
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    for bytes in [text.as_bytes().to_vec(), [b"\xef\xbb\xbf", text.as_bytes()].concat(), utf16] {
        std::fs::write(file.path(), bytes).unwrap();
        let config = Config::load(Some(file.path()), Overrides::default()).unwrap();
        assert_eq!(config.server.unwrap().sign_in().account(), Some("svc-b\u{fc}ro"));
    }
    std::fs::write(file.path(), b"[server]\nusername = \"b\xfcro\"").unwrap();
    let error = Config::load(Some(file.path()), Overrides::default()).unwrap_err();
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("UTF-8"), "{error}: {cause}");
}

#[test]
fn an_issuer_whose_keys_are_elsewhere_is_a_name_only() {
    let oidc = |more: &str| {
        format!(
            "[api.oidc]\nissuer = \"http://fs.example.com/adfs/services/trust\"\naudience = \"a\"\ngrants = []\n{more}"
        )
    };
    let parse = |more: &str| Config::parse(None, &oidc(more), Overrides::default());
    assert!(parse("").is_err(), "its description would be fetched readable");
    assert!(parse("jwks_url = \"https://fs.example.com/adfs/discovery/keys\"\n").is_ok());
    let console = "jwks_url = \"https://fs.example.com/adfs/discovery/keys\"\nconsole = { client_id = \"x\", scope = \"openid\" }\n";
    assert!(parse(console).is_err(), "browsers sign in where its description says");
}

#[test]
fn settings_that_do_nothing_together_are_named() {
    let warned = |text: &str| parse(text).unwrap().warnings;
    let one = |text: &str, word: &str| {
        let warnings = warned(text);
        assert!(warnings.len() == 1 && warnings[0].contains(word), "{word}: {warnings:?}");
    };
    const RULE: &str = "[cleanup.no_check_in]\n";
    assert_eq!(warned(""), [""; 0], "a service for displays alone needs no rule");
    assert_eq!(warned(RULE), [""; 0]);
    assert_eq!(
        warned("[[room_groups]]\nname = \"b\"\nrooms = [\"*\"]\ncheck_in = true\n[cleanup]\n"),
        [""; 0]
    );
    one("[cleanup]\n", "nothing is ever released");
    one(
        "[[schedules]]\nname = \"n\"\ncron = \"0 * * * *\"\ntime_zone = \"UTC\"\n",
        "nothing is ever released",
    );
    one(
        &format!("{RULE}[cleanup.exceptions]\nlonger_than_hours = 1\nshorter_than_minutes = 60\n"),
        "exempts every",
    );
    one(&format!("{RULE}[cleanup.limits]\nmax_actions = 0\n"), "max_actions");
    one(&format!("{RULE}[cleanup.limits]\nmax_fraction = 0.0\n"), "max_fraction");
    one(&format!("{RULE}presence_after_minutes = 10\n"), "presence_after_minutes");
    one(&format!("{RULE}grace_minutes = 2\n"), "release_warning_minutes");
    one(&format!("{RULE}[engine]\nforbid_irreversible = true\n"), "forbid_irreversible");
}

#[test]
fn a_pattern_that_matches_no_room_is_named_and_the_others_hold() {
    let config = parse(
        "[scope]\nrooms = [\"b1@x.example\", \"b2@x.example\"]\n\
         [[room_groups]]\nname = \"berlin\"\nrooms = [\"b*@x.example\", \"berlin\", \"c1@x.example\"]\nbuilding = \"B\"\n",
    )
    .unwrap();
    let [no_address, unlisted] = config.warnings.as_slice() else { panic!("{:?}", config.warnings) };
    assert!(no_address.contains("`berlin`") && no_address.contains("write an address"), "{no_address}");
    assert!(unlisted.contains("`c1@x.example`") && unlisted.contains("[scope]"), "{unlisted}");
    assert_eq!(
        config.service.rules.room_info(&"b1@x.example".parse().unwrap()).building.as_deref(),
        Some("B")
    );
    let domain =
        "[scope]\ndomains = [\"x.example\"]\n[[room_groups]]\nname = \"c\"\nrooms = [\"c1@x.example\"]\n";
    assert!(parse(domain).unwrap().warnings.is_empty(), "a domain may hold it");
}

#[test]
fn a_password_in_a_url_is_refused_and_never_printed() {
    let rest = [
        "user:hunter2@x.example:443/EWS",
        "user:hunter2/hunter2@x.example/EWS",
        "user:hunter2?hunter2@x.example/EWS",
        "user:hunter2#hunter2@x.example/EWS",
        "user:a@hunter2@x.example/EWS",
    ];
    let server = "[server]\nusername = \"u\"\nurl = \"https://x.example/EWS\"\n";
    let oauth =
        "oauth = { tenant = \"t\", client_id = \"c\", secret = { env = \"S\" }, endpoint = \"https://URL\" }";
    let oidc = "[api.oidc]\naudience = \"a\"\ngrants = []\n";
    let places = [
        "[server]\nusername = \"u\"\nurl = \"https://URL\"\n".to_owned(),
        format!("{server}proxy = {{ url = \"http://URL\" }}\n"),
        format!("[server]\nurl = \"https://x.example/EWS\"\nauth = \"oauth\"\n{oauth}\n"),
        format!("{server}auth = \"negotiate\"\nkdc = \"tcp://URL\"\n"),
        format!("{oidc}issuer = \"https://URL\"\n"),
        format!("{oidc}issuer = \"https://URL\"\njwks_url = \"https://x.example/keys\"\n"),
        format!("{oidc}issuer = \"https://x.example\"\njwks_url = \"https://URL\"\n"),
        "[[webhooks]]\nname = \"x\"\nsecret = { env = \"S\" }\nurl = \"https://URL\"\n".to_owned(),
        "[api]\npublic_url = \"https://URL\"\n".to_owned(),
    ];
    for (place, rest) in places.iter().flat_map(|place| rest.map(|rest| (place, rest))) {
        let error = error(&place.replace("URL", rest));
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn how_long_names_stay_is_the_operators_decision() {
    let journal =
        |text: &str| parse(&format!("[journal]\n{text}\n")).map(|config| config.journal.maintenance);
    let by_default = journal("").unwrap();
    assert_eq!(by_default.erase_personal_after, None);
    assert_eq!(by_default.head_interval, Duration::from_secs(3600));
    let chosen = journal("erase_personal_after_days = 90\nhead_interval_s = 60").unwrap();
    assert_eq!(chosen.erase_personal_after, Some(TimeDelta::days(90)));
    assert_eq!(chosen.head_interval, Duration::from_secs(60));
    for wrong in
        ["erase_personal_after_days = 0", "erase_personal_after_days = 36501", "head_interval_s = 59"]
    {
        let text = journal(wrong).unwrap_err().to_string();
        assert!(text.contains("is not between"), "{wrong}: {text}");
    }
}

#[test]
fn the_address_for_phones_is_an_origin_whose_links_nobody_on_the_way_reads() {
    let public_url = |url: &str| parse(&format!("[api]\npublic_url = \"{url}\"\n"));
    let shown = |url: &str| public_url(url).unwrap().api.options.public_url.unwrap().to_string();
    assert_eq!(shown("https://adjourn.example.com"), "https://adjourn.example.com");
    assert_eq!(shown("https://adjourn.example.com:8443/"), "https://adjourn.example.com:8443");
    assert_eq!(shown("http://127.0.0.1:8480"), "http://127.0.0.1:8480");
    assert_eq!(parse("").unwrap().api.options.public_url, None);
    let long = format!("https://{}.example.com", "a".repeat(300));
    for wrong in ["http://adjourn.example.com", "https://a.example.com/adjourn", "adjourn.example.com", &long]
    {
        let text = public_url(wrong).unwrap_err().to_string();
        assert!(text.starts_with("adjourn.toml:2: api.public_url: "), "{wrong}: {text}");
    }
}

#[test]
fn the_journal_may_be_in_a_database_whose_url_is_a_secret() {
    let config =
        parse("[journal]\nurl = { file = \"/etc/adjourn/database-url\" }\naccept_loss = true").unwrap();
    let url = SecretSource::File("/etc/adjourn/database-url".into());
    let database = config.journal.database.clone().unwrap();
    assert_eq!(database, DatabaseSource { url, ca_file: None, accept_loss: true });
    assert!(config.private_files().iter().any(|(what, _)| *what == "database URL"));
    assert_eq!(parse("").unwrap().journal.database, None);
    for needs_url in ["accept_loss = true", "ca_file = \"/etc/ca.pem\""] {
        let error = parse(&format!("[journal]\n{needs_url}")).unwrap_err().to_string();
        assert!(error.contains("journal.url is missing"), "{error}");
    }
    let error = parse("[journal]\nurl = \"postgres://u:hunter2@h/d\"").unwrap_err().to_string();
    assert!(!error.contains("hunter2"), "{error}");
}
