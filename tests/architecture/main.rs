//! Holds what ARCHITECTURE.md promises about imports: a module imports from floors below its own, some modules never import some others,
//! and files form no circles. Reads the sources; test code in them is left out. Runs nothing of the crate.
#![allow(clippy::unwrap_used, clippy::panic)]

mod file_graph;
mod sources;

use std::collections::{BTreeMap, BTreeSet};

/// The floors from the ground up. Modules of one floor do not import each other, so no circle between modules is possible.
const FLOORS: &[&[&str]] = &[
    &[
        "calendar",
        "clock",
        "client_prefix",
        "concurrency",
        "ews",
        "setup",
        "before_send",
        "shares",
        "color",
        "suggestion",
        "keyed_mutex",
        "limits",
        "os_user",
        "permissions",
        "printable",
        "progress",
        "secret",
        "text_file",
        "timestamp",
    ],
    &["access", "connection_metrics", "json", "presence", "sim", "throttle"],
    &["action", "http"],
    &["autodiscover", "journal", "login"],
    &["engine", "telemetry"],
    &["cleanup", "live", "migration"],
    &["exchange", "graph", "report", "store"],
    &["doctor", "router", "service"],
    &["console"],
    &["api"],
    &["config"],
    &["cli"],
];

/// The table "What each part must never know", as far as an import can break it: a module, and the modules on floors below that it
/// never imports.
const NEVER: &[(&str, &[&str])] = &[
    ("action", &["clock", "ews"]),
    ("presence", &["clock", "text_file"]),
    ("journal", &["clock", "ews", "presence"]),
    ("engine", &["ews", "presence", "http"]),
    ("cleanup", &["ews", "http"]),
    ("live", &["ews", "journal", "presence", "http"]),
    ("migration", &["clock", "ews", "http", "presence"]),
    ("exchange", &["cleanup", "journal", "presence"]),
    ("graph", &["autodiscover", "cleanup", "ews", "journal", "presence"]),
    ("router", &["cleanup", "ews", "http", "journal", "login", "presence"]),
    ("report", &["clock", "engine", "ews", "http", "live", "presence"]),
    ("store", &["ews", "exchange", "http"]),
    ("service", &["doctor", "ews"]),
    ("api", &["ews", "exchange"]),
    ("access", &["text_file"]),
    ("doctor", &["ews", "journal", "store", "http"]),
    ("sim", &["ews", "secret", "text_file"]),
    ("console", &["access", "calendar", "service", "store"]),
];

/// The modules of this crate that a source names.
fn named(text: &str) -> BTreeSet<String> {
    let paths = file_graph::paths(text);
    let inside =
        paths.into_iter().filter(|path| path.len() > 1 && path[0] == "crate").map(|path| path[1].clone());
    inside.filter(|module| module.starts_with(|letter: char| letter.is_ascii_lowercase())).collect()
}

fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in sources::modules() {
        let module = &path[0];
        let others = named(&text).into_iter().filter(|other| other != module);
        imports.entry(module.clone()).or_default().extend(others);
    }
    imports
}

fn floor(module: &str) -> usize {
    let floor = FLOORS.iter().position(|floor| floor.contains(&module));
    floor
        .unwrap_or_else(|| panic!("the module `{module}` has no floor: add it to tests/architecture/main.rs"))
}

#[test]
fn imports_point_to_floors_below() {
    for (module, known) in imports() {
        for other in known {
            assert!(floor(&other) < floor(&module), "`{module}` imports `{other}`, which is not below it");
        }
    }
}

#[test]
fn no_module_knows_what_it_must_not_know() {
    let imports = imports();
    for (module, never) in NEVER {
        let known = imports.get(*module).unwrap_or_else(|| panic!("there is no module `{module}`"));
        for other in *never {
            assert!(imports.contains_key(*other), "there is no module `{other}`");
            assert!(!known.contains(*other), "`{module}` must not know `{other}` (ARCHITECTURE.md)");
        }
    }
}

#[test]
fn the_simulator_shares_no_line_with_the_client() {
    let known = imports().remove("sim").unwrap();
    assert_eq!(known, BTreeSet::from(["clock".to_owned()]));
}

/// What two files of a module share belongs in a file of its own.
#[test]
fn files_form_no_circles() {
    let circles = file_graph::FileGraph::read().circles();
    assert!(circles.is_empty(), "these files of a module use each other in a circle: {circles:?}");
}

/// Reading the wall clock elsewhere would escape `clock`'s doubts. Durations are measured by the monotonic clock.
#[test]
fn the_wall_clock_is_read_in_one_file() {
    let reads = |text: &str| {
        let tokens = sources::tokens(text).join(" ");
        tokens.contains("Utc :: now")
            || tokens.contains("Local :: now")
            || tokens.contains("SystemTime :: now")
    };
    let files =
        sources::modules().into_iter().filter(|(_, text)| reads(text)).map(|(path, _)| path.join("/"));
    assert_eq!(files.collect::<Vec<_>>(), ["clock"]);
}

/// `#[expect]` reports a reason that no longer holds; `#[allow]` would hide it. Only documentation may be left out: of variants and
/// fields whose names say everything.
#[test]
fn lints_are_silenced_by_expectations() {
    for (path, text) in sources::modules() {
        let (file, tokens) = (path.join("/"), sources::tokens(&text));
        let is_attribute = |words: &[String]| {
            ["[", ","].contains(&words[0].as_str()) && words[1] == "allow" && words[2] == "("
        };
        for words in tokens.windows(4).filter(|words| is_attribute(words)) {
            let lint = words[3].as_str();
            assert!(
                lint == "missing_docs",
                "{file} has #[allow({lint}…)]: write #[expect(…, reason = \"…\")]"
            );
        }
    }
}

#[test]
fn an_import_is_found_wherever_it_stands() {
    let text = "use crate::calendar::{A, B};\nuse crate::{action::C, clock};\n// crate::cli\nfn f() { crate::ews::g(); }\n#[cfg(test)]\nmod tests {\n use crate::sim::S;\n}";
    assert_eq!(named(text), ["action", "calendar", "clock", "ews"].map(str::to_owned).into());
}
