//! What an operator watches: the lines of the log, the variable that filters them, and the metrics that docs/metrics.md explains.

use std::collections::{BTreeMap, BTreeSet};

use adjourn_test::{HttpReply, Installation, ServedProcess, room_name, send_and_read, wait_until};
use serde_json::Value;

use crate::installed::{configure, install};
use crate::served::{SERVE, serve_with};

const REQUEST: &str = "adjourn::request";
const ACTION: &str = "adjourn::action";
/// Words that no line may contain: a caller's name, and what a caller wrote.
const CALLER: &str = "Zebra door";
const REASON: &str = "Geheimprojekt Wal";

async fn send(served: &ServedProcess, token: &str, line: &str, headers: &str, body: &str) -> HttpReply {
    let length = body.len();
    let request = format!(
        "{line} HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    );
    HttpReply::parse(&send_and_read(&served.at, &request).await.unwrap()).unwrap()
}

fn log(office: &Installation) -> String {
    std::fs::read_to_string(office.path("log")).unwrap()
}

/// The fields of the lines of a target. Beside the log, stderr has the console's address alone.
fn lines(office: &Installation, target: &str) -> Vec<Value> {
    let text = log(office);
    let lines = text.lines().filter(|line| !line.starts_with("console: "));
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap_or_else(|_| panic!("{line}")));
    lines.filter(|line| line["target"] == target).map(|line| line["fields"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_request_and_each_action_has_one_line_that_names_no_person() {
    let office = install(2).await;
    let token = office.add_key(CALLER, &[]).await;
    let key_id = office.run(&["--json", "key", "list"]).await.json()[0]["id"].clone();
    let served = serve_with(&office, &[]);
    let (room, body) = (room_name(0), format!("{{\"reason\":\"{REASON}\"}}"));
    let ended =
        send(&served, &token, &format!("POST /v1/rooms/{room}/end"), "X-Request-Id: press-7\r\n", &body)
            .await;
    assert_eq!(ended.status, 200, "{ended:?}");
    let action = ended.json()["id"].clone();
    let undone =
        send(&served, &token, &format!("POST /v1/actions/{}/undo", action.as_str().unwrap()), "", "").await;
    assert_eq!(undone.status, 200, "{undone:?}");
    wait_until("both actions are logged", || lines(&office, ACTION).len() >= 2).await;

    let requests = lines(&office, REQUEST);
    let presses: Vec<_> = requests.iter().filter(|line| line["request_id"] == "press-7").collect();
    let [press] = presses[..] else { panic!("{requests:?}") };
    assert_eq!((&press["method"], &press["route"]), (&"POST".into(), &"/v1/rooms/{room}/end".into()));
    assert_eq!(
        (&press["status"], &press["key_id"], &press["room"]),
        (&200.into(), &key_id, &room.clone().into())
    );
    assert_eq!(press["bytes"], ended.body.len(), "{press}");
    assert!(press["duration_ms"].is_u64(), "{press}");
    assert_eq!(requests[1]["id"], action, "{requests:?}");
    let actions = lines(&office, ACTION);
    let [end, undo] = &actions[..] else { panic!("{actions:?}") };
    assert_eq!((&end["action"], &end["kind"], &end["room"]), (&action, &"end".into(), &room.into()));
    assert_eq!(
        (&end["outcome"], &end["change"], &end["notified"]),
        (&"done".into(), &"ended".into(), &"nobody".into())
    );
    assert_eq!((&end["actor"], &end["key_id"], &end["writes"]), (&"program".into(), &key_id, &1.into()));
    assert_eq!(
        (&undo["kind"], &undo["undid"], &undo["change"]),
        (&"undo".into(), &action, &"end-restored".into())
    );

    let text = log(&office);
    for secret in [CALLER, REASON, "calc", "ada@", "Ada", token.as_str()] {
        assert!(!text.contains(secret), "the log has `{secret}`: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_client_sends_forges_a_line_or_fills_the_log() {
    let office = install(1).await;
    let token = office.add_key(CALLER, &[]).await;
    let served = serve_with(&office, &[]);
    for path in ["/v1/rooms/a%0aWARN%20forged@example.com", "/forged%1b[2J", "/v1/actions/forged"] {
        let said = send(&served, &token, &format!("GET {path}"), "X-Request-Id: a\"b\\n\r\n", "").await;
        assert!((400..500).contains(&said.status), "{said:?}");
    }
    for _ in 0..60 {
        assert_eq!(send(&served, "forged", "GET /v1/rooms", "", "").await.status, 401);
    }
    let requests = lines(&office, REQUEST);
    assert_eq!(requests.iter().filter(|line| line["request_id"] == "a\"b\\n").count(), 3, "{requests:?}");
    assert_eq!(requests.iter().filter(|line| line["status"] == 401).count(), 20, "{requests:?}");
    assert!(!log(&office).contains("forged"), "{}", log(&office));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_streams_are_logged_for_those_who_look_for_them() {
    let office = install(1).await;
    let token = office.add_key(CALLER, &[]).await;
    let served = serve_with(&office, &[("ADJOURN_LOG", "warn,adjourn::request=debug")]);
    for path in ["/healthz", "/readyz", "/metrics"] {
        assert_eq!(send(&served, &token, &format!("GET {path}"), "", "").await.status, 200, "{path}");
    }
    let mut stream = tokio::net::TcpStream::connect(&served.at).await.unwrap();
    let request = format!("GET /v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {token}\r\n\r\n");
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let of_stream = || -> Vec<Value> {
        let streams = lines(&office, REQUEST).into_iter().filter(|line| line["route"] == "/v1/events");
        streams.map(|line| line["message"].clone()).collect()
    };
    wait_until("the stream is open", || of_stream() == ["event stream opened"]).await;
    drop(stream);
    wait_until("the stream is closed", || of_stream() == ["event stream opened", "event stream closed"])
        .await;
    let routes: Vec<_> = lines(&office, REQUEST).into_iter().map(|line| line["route"].clone()).collect();
    assert_eq!(routes[..3], ["/healthz", "/readyz", "/metrics"], "{routes:?}");
    assert!(lines(&office, "adjourn::cli::serve").is_empty(), "the level of everything else is warn");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_in_the_filter_of_the_log_is_named_before_anything_starts() {
    let office = install(1).await;
    for (filter, named) in [("info,adjourn::api=loud", "`adjourn::api=loud`"), ("verbose", "`verbose`")] {
        let mut command = office.command(&SERVE);
        command.env("ADJOURN_LOG", filter);
        let ended = office.finish(command).await;
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{}", ended.err);
        assert!(ended.err.contains("ADJOURN_LOG") && ended.err.contains(named), "{}", ended.err);
    }
}

/// What /metrics or the documentation has of one metric.
#[derive(Debug, Default, PartialEq, Eq)]
struct Described {
    kind: String,
    labels: BTreeSet<String>,
}

/// The names of the labels in `{a="x",b="y"}`; of a bucket's own bound, none.
fn label_names(labels: &str) -> impl Iterator<Item = String> {
    let names = labels.split(',').filter_map(|label| label.split('=').next()).map(str::trim);
    names.filter(|name| !name.is_empty() && *name != "le").map(str::to_owned).collect::<Vec<_>>().into_iter()
}

/// The metrics of a scrape, by family, with the labels that their samples have.
fn scraped(text: &str) -> BTreeMap<String, Described> {
    let mut all: BTreeMap<String, Described> = BTreeMap::new();
    let mut family = String::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
            Some((name, kind)) => {
                family = match kind {
                    "counter" => format!("{name}_total"),
                    "info" => format!("{name}_info"),
                    _ => name.to_owned(),
                };
                all.entry(family.clone()).or_default().kind = kind.to_owned();
            }
            None if line.starts_with('#') => {}
            None => {
                let labels = line.split_once('{').and_then(|(_, rest)| rest.rsplit_once('}'));
                let labels = labels.into_iter().flat_map(|(labels, _)| label_names(labels));
                all.entry(family.clone()).or_default().labels.extend(labels);
            }
        }
    }
    all
}

/// The rows of docs/metrics.md: `name{label,label}` and the type.
fn documented() -> BTreeMap<String, Described> {
    let page = include_str!("../../docs/metrics.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `adjourn_"));
    let rows = rows.map(|row| {
        let mut cells = row.split(" | ");
        let name = cells.next().unwrap().trim_end_matches('`');
        let (name, labels) = name.split_once('{').unwrap_or((name, ""));
        let labels = label_names(labels.trim_end_matches('}')).collect();
        (format!("adjourn_{name}"), Described { kind: cells.next().unwrap().to_owned(), labels })
    });
    rows.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_is_documented_and_every_documented_metric_exists() {
    let office = install(1).await;
    office.write_secret("secret", "shared\n");
    // Nothing listens there.
    configure(
        &office,
        "[[webhooks]]\nname = \"desk\"\nurl = \"http://127.0.0.1:9/\"\nsecret = { file = \"secret\" }\n",
    );
    let token = office.add_key(CALLER, &[]).await;
    let served = serve_with(&office, &[]);
    let ended = send(&served, &token, &format!("POST /v1/rooms/{}/end", room_name(0)), "", "").await;
    assert_eq!(ended.status, 200, "{ended:?}");
    let scrape = send(&served, &token, "GET /metrics", "", "").await;
    let (scraped, documented) = (scraped(&scrape.body), documented());
    let names = |all: &BTreeMap<String, Described>| all.keys().cloned().collect::<BTreeSet<_>>();
    let (real, written) = (names(&scraped), names(&documented));
    let (missing, too_many): (Vec<_>, Vec<_>) =
        (real.difference(&written).collect(), written.difference(&real).collect());
    assert_eq!((missing, too_many), (vec![], vec![]), "not in docs/metrics.md; not in /metrics");
    for (name, found) in scraped {
        let row = &documented[&name];
        assert_eq!(found.kind, row.kind, "{name}");
        // A metric without a value has no labels yet.
        assert!(found.labels.is_empty() || found.labels == row.labels, "{name}: {found:?}, {row:?}");
    }
    assert!(!scrape.body.contains("@example.com"), "{}", scrape.body);
}
