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
        "concurrency",
        "ews",
        "happy_eyeballs",
        "pinning",
        "setup",
        "shares",
        "limits",
        "network",
        "permissions",
        "printable",
        "text_file",
        "turns",
    ],
    &["access", "http_field", "json", "peer", "presence", "sim"],
    &["action"],
    &["journal", "web"],
    &["engine", "telemetry"],
    &["cleanup", "live"],
    &["exchange", "store"],
    &["doctor", "service"],
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
    ("engine", &["ews", "presence", "web"]),
    ("cleanup", &["ews", "web"]),
    ("live", &["ews", "journal", "presence", "web"]),
    ("exchange", &["cleanup", "journal", "presence"]),
    ("store", &["ews", "exchange", "web"]),
    ("service", &["doctor", "ews"]),
    ("api", &["ews", "exchange"]),
    ("access", &["http_field", "text_file", "web"]),
    ("doctor", &["ews", "journal", "store", "web"]),
    ("sim", &["ews", "http_field", "text_file"]),
    ("console", &["access", "calendar", "service", "store"]),
];

/// The modules of this crate that a source names.
fn named(text: &str) -> BTreeSet<String> {
    let tokens = sources::tokens(text);
    let paths = tokens.windows(3).filter(|words| words[0] == "crate" && words[1] == "::");
    let first = paths.map(|words| words[2].clone());
    first.filter(|module| module.starts_with(|letter: char| letter.is_ascii_lowercase())).collect()
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

/// Circles between files of one module that are still there. Open one by moving what its files share into a file of its own, and remove it
/// here. No circle may be added.
const CIRCLES: &[&[&str]] = &[];

#[test]
fn files_form_no_circles_but_the_known_ones() {
    let found = file_graph::FileGraph::read().circles();
    let known: BTreeSet<Vec<String>> =
        CIRCLES.iter().map(|circle| circle.iter().map(|file| (*file).to_owned()).collect()).collect();
    let is_part =
        |circle: &Vec<String>| known.iter().any(|known| circle.iter().all(|file| known.contains(file)));
    let new: Vec<_> = found.iter().filter(|circle| !is_part(circle)).collect();
    assert!(new.is_empty(), "these files of a module use each other in a circle: {new:?}");
    assert!(
        found == known,
        "circles were opened or became smaller: const CIRCLES is now\n{}",
        in_source(&found)
    );
}

fn in_source(circles: &BTreeSet<Vec<String>>) -> String {
    circles.iter().map(|circle| format!("    &{circle:?},\n")).collect()
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

#[test]
fn an_import_is_found_wherever_it_stands() {
    let text = "use crate::calendar::{A, B};\n// crate::cli\nfn f() { crate::ews::g(); }\n#[cfg(test)]\nmod tests {\n use crate::sim::S;\n}";
    assert_eq!(named(text), BTreeSet::from(["calendar".to_owned(), "ews".to_owned()]));
}
