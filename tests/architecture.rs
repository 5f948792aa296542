//! What ARCHITECTURE.md promises about imports: every module stands on a floor, imports point to floors below, and some modules
//! never know some others. Reads the sources; test code inside them is left out.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The floors from the ground up. Modules of one floor know nothing of each other.
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
        "client_prefix",
        "permissions",
        "printable",
        "text_file",
        "keyed_mutex",
    ],
    &["access", "http_field", "json", "net", "presence", "sim"],
    &["action"],
    &["journal", "https_client"],
    &["engine", "telemetry"],
    &["cleanup", "live"],
    &["exchange", "store"],
    &["doctor", "service"],
    &["console"],
    &["api"],
    &["config"],
    &["cli"],
];

/// The table "What each part must never know", as far as an import can break it: who, and what it never knows although it stands
/// on a floor below.
const NEVER: &[(&str, &[&str])] = &[
    ("action", &["clock", "ews"]),
    ("presence", &["clock", "text_file"]),
    ("journal", &["clock", "ews", "presence"]),
    ("engine", &["ews", "presence", "https_client"]),
    ("cleanup", &["ews", "https_client"]),
    ("live", &["ews", "journal", "presence", "https_client"]),
    ("exchange", &["cleanup", "journal", "presence"]),
    ("store", &["ews", "exchange", "https_client"]),
    ("service", &["doctor", "ews"]),
    ("api", &["ews", "exchange"]),
    ("access", &["http_field", "text_file", "https_client"]),
    ("doctor", &["ews", "journal", "store", "https_client"]),
    ("sim", &["ews", "http_field", "text_file"]),
    ("console", &["access", "calendar", "service", "store"]),
];

/// All files in a folder and in those below it.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path, files),
            false => files.push(path),
        }
    }
}

/// Every source file with the module that it belongs to.
fn sources() -> Vec<(String, PathBuf)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    let rust = files.into_iter().filter(|file| file.extension().is_some_and(|ext| ext == "rs"));
    let of_module = rust.map(|file| {
        let inside = file.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
        (inside.split('/').next().unwrap().trim_end_matches(".rs").to_owned(), file)
    });
    of_module.filter(|(module, _)| module != "lib" && module != "main").collect()
}

/// The modules of this crate that a source names, its test code and comments left out.
fn named(text: &str) -> BTreeSet<String> {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let lines = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code: String = lines.collect::<Vec<_>>().join("\n");
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let paths = code.split("crate::").skip(1);
    let first = paths.map(|path| path.chars().take_while(|letter| is_word(*letter)).collect::<String>());
    first.filter(|module| module.starts_with(|letter: char| letter.is_ascii_lowercase())).collect()
}

fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, file) in sources() {
        let is_test = file.file_stem().is_some_and(|stem| stem == "tests");
        let known = if is_test { BTreeSet::new() } else { named(&std::fs::read_to_string(&file).unwrap()) };
        imports.entry(module.clone()).or_default().extend(known.into_iter().filter(|other| *other != module));
    }
    imports
}

fn floor(module: &str) -> usize {
    let floor = FLOORS.iter().position(|floor| floor.contains(&module));
    floor.unwrap_or_else(|| {
        panic!("the module `{module}` stands on no floor: add it to tests/architecture.rs")
    })
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

#[test]
fn an_import_is_found_wherever_it_stands() {
    let text = "use crate::calendar::{A, B};\n// crate::cli\nfn f() { crate::ews::g(); }\n#[cfg(test)]\nmod tests {\n use crate::sim::S;\n}";
    assert_eq!(named(text), BTreeSet::from(["calendar".to_owned(), "ews".to_owned()]));
}

/// All Rust sources and browser tests of the project, as one text.
fn all_sources() -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = ["src", "tests"].map(|folder| root.join(folder));
    let mut files = Vec::new();
    folders.iter().for_each(|folder| walk(folder, &mut files));
    let rust = files.iter().filter(|file| file.extension().is_some_and(|ext| ext == "rs"));
    rust.map(|file| std::fs::read_to_string(file).unwrap()).collect()
}

#[test]
fn the_promises_of_security_name_files_and_tests_that_exist() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("docs/security.md")).unwrap();
    let sources = all_sources();
    let last_cells =
        page.lines().filter(|line| line.starts_with("| ")).filter_map(|line| line.rsplit(" | ").next());
    let names: Vec<&str> = last_cells.flat_map(|cell| cell.split('`').skip(1).step_by(2)).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names {
        let is_path = ["src/", "tests/", "deploy/", ".ci/"].iter().any(|folder| name.starts_with(folder));
        let path = name.split(' ').next().unwrap();
        if is_path {
            assert!(root.join(path).exists(), "docs/security.md names {path}, which is not there");
        } else if name.contains('_') && name.len() > 20 {
            let beginning = name.trim_end_matches('…');
            assert!(
                sources.contains(&format!("fn {beginning}")),
                "docs/security.md names the test `{name}`, which is not there"
            );
        }
    }
}
