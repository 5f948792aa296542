//! Holds the documentation against the code: configurations are parsed, commands are known, links lead somewhere, and the lists of problem
//! types, exit codes and doctor findings are complete. Changes nothing.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use adjourn::api::PROBLEM_TYPES;
use adjourn::cli::exit;
use adjourn::config::{Config, Overrides};
use adjourn::doctor::FINDINGS;

/// README is for strangers: everything that does not fit has a page in docs/.
const README_LINES_MAX: usize = 150;
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All files in a folder and in the folders below it.
fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => walk(&path, files),
            false => files.push(path),
        }
    }
}

/// All Rust sources in these folders, as one text.
fn rust_in(folders: &[&str]) -> String {
    let mut files = Vec::new();
    folders.iter().for_each(|folder| walk(&root().join(folder), &mut files));
    let rust = files.into_iter().filter(|file| file.extension().is_some_and(|ext| ext == "rs"));
    rust.map(read).collect()
}

/// README and every page of docs/, with their names.
fn pages() -> Vec<(PathBuf, String)> {
    let mut files = vec![root().join("README.md")];
    walk(&root().join("docs"), &mut files);
    let pages = files.into_iter().filter(|file| file.extension().is_some_and(|ext| ext == "md"));
    pages.map(|file| (file.clone(), read(&file))).collect()
}

/// The blocks of one language in a page.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}");
    let mut blocks = Vec::new();
    let mut block: Option<Vec<&str>> = None;
    for line in page.lines() {
        match &mut block {
            None if line.trim_start() == fence => block = Some(Vec::new()),
            None => {}
            Some(lines) if line.trim_start() == "```" => {
                blocks.push(lines.join("\n"));
                block = None;
            }
            Some(lines) => lines.push(line),
        }
    }
    blocks
}

#[test]
fn readme_is_short_and_names_the_repository() {
    let readme = read("README.md");
    assert!(readme.lines().count() <= README_LINES_MAX, "{} lines", readme.lines().count());
    let cargo = read("Cargo.toml");
    let repository =
        cargo.lines().find_map(|line| line.strip_prefix("repository = ")).unwrap().trim_matches('"');
    assert!(
        readme.contains(&format!("git clone {repository} ")),
        "README clones another address than {repository}"
    );
}

#[test]
fn every_configuration_in_the_documentation_is_one() {
    let mut parsed = 0;
    for (file, page) in pages() {
        // The examples of the reference are the tables of one file; the others stand alone.
        let is_reference = file.ends_with("configuration.md");
        let examples = blocks(&page, "toml");
        for text in if is_reference { vec![examples.join("\n")] } else { examples } {
            let config = Config::parse(None, &text, Overrides::default());
            config.unwrap_or_else(|error| panic!("{}: {error}\n{text}", file.display()));
            parsed += 1;
        }
    }
    assert!(parsed >= 10, "{parsed}");
}

#[test]
fn the_examples_of_programs_are_the_code_that_ci_runs() {
    let page = read("docs/http-api.md");
    for (language, files) in
        [("python", &["webhook_verify.py", "lamp.py"][..]), ("js", &["webhook_verify.mjs"])]
    {
        let shown = blocks(&page, language);
        assert_eq!(shown.len(), files.len(), "{language} in docs/http-api.md");
        for (file, shown) in files.iter().zip(shown) {
            let published = read(format!("tests/clients/{file}"));
            assert!(published.contains(&shown), "docs/http-api.md, tests/clients/{file}");
        }
    }
}

/// A command of the documentation up to redirections, pipes and comments; `None` for other programs.
fn arguments(line: &str) -> Option<Vec<String>> {
    let line = line.trim_start();
    let command = line.strip_prefix("sudo -u adjourn ").unwrap_or(line).strip_prefix("adjourn ")?;
    let mut words = Vec::new();
    let mut quoted = None;
    let mut word = String::new();
    for letter in command.chars() {
        match (quoted, letter) {
            (None, '\'' | '"') => quoted = Some(letter),
            (Some(quote), letter) if letter == quote => quoted = None,
            (None, '>' | '|' | '#' | '&') => break,
            (None, letter) if letter.is_whitespace() => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)))
            }
            _ => word.push(letter),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    Some(words)
}

/// Code between backticks outside of blocks.
fn inline(page: &str) -> impl Iterator<Item = &str> {
    let outside = page.split("```").step_by(2);
    outside.flat_map(|text| text.split('`').skip(1).step_by(2))
}

#[test]
fn every_command_in_the_documentation_is_known() {
    let mut known = BTreeSet::new();
    for (file, page) in pages() {
        let blocks: Vec<String> =
            ["sh", "console"].iter().flat_map(|language| blocks(&page, language)).collect();
        for line in blocks.iter().flat_map(|block| block.lines()).chain(inline(&page)) {
            let Some(words) = arguments(line) else { continue };
            // With --help, the program refuses unknown options and subcommands, and runs nothing. A value may be a placeholder.
            let run =
                Command::new(env!("CARGO_BIN_EXE_adjourn")).args(&words).arg("--help").output().unwrap();
            let why = String::from_utf8_lossy(&run.stderr);
            let is_known = run.status.success() || why.contains("invalid value");
            assert!(is_known, "{}: {line}\n{why}", file.display());
            known.insert(words.first().cloned());
        }
    }
    assert!(known.len() >= 10, "{known:?}");
}

#[test]
fn links_between_pages_lead_to_files_and_headings() {
    let anchor = |heading: &str| -> String {
        let kept = heading.trim_start_matches('#').trim().to_lowercase();
        let letters = kept.chars().filter(|letter| letter.is_alphanumeric() || " -".contains(*letter));
        letters.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
    };
    for (file, page) in pages() {
        for link in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(target.exists(), "{} links to {link}, which is not there", file.display());
            let has_heading =
                || read(&target).lines().any(|line| line.starts_with('#') && anchor(line) == heading);
            assert!(
                heading.is_empty() || has_heading(),
                "{} links to {link}: no such heading",
                file.display()
            );
        }
    }
}

#[test]
fn every_metric_in_the_documentation_is_registered() {
    let program = rust_in(&["src"]);
    for (file, page) in pages() {
        let metrics = inline(&page).filter(|code| !code.ends_with(".deb"));
        for code in metrics.filter_map(|code| code.strip_prefix("adjourn_")) {
            let name = code.split('{').next().unwrap();
            // The registry adds the prefix, and these endings by the kind of a metric.
            let stem = name.trim_end_matches("_total").trim_end_matches("_info");
            let is_known = [name, stem].iter().any(|name| program.contains(&format!("\"{name}\"")));
            assert!(is_known, "{} names the metric adjourn_{code}, which is not registered", file.display());
        }
    }
}

#[test]
fn every_key_in_the_documentation_is_in_the_reference() {
    const SECTIONS: &[&str] = &[
        "api",
        "cleanup",
        "connections",
        "doctor",
        "engine",
        "journal",
        "live",
        "report",
        "room_groups",
        "schedules",
        "scope",
        "server",
        "webhooks",
    ];
    let reference = read("docs/configuration.md");
    for (file, page) in pages() {
        for code in inline(&page) {
            let key = code.split([' ', '=']).next().unwrap();
            let mut words = key.split('.');
            let is_key = words.next().is_some_and(|section| SECTIONS.contains(&section))
                && key.contains('.')
                && key.bytes().all(|byte| byte.is_ascii_lowercase() || b"._".contains(&byte))
                && !["rs", "toml", "sqlite", "head", "md"].contains(&key.rsplit('.').next().unwrap());
            let name = words.next_back().unwrap_or_default();
            assert!(
                !is_key || reference.contains(name),
                "{} names the key {key}, which is not there",
                file.display()
            );
        }
    }
}

/// The part of docs/troubleshooting.md under a heading.
fn troubleshooting(heading: &str) -> String {
    let page = read("docs/troubleshooting.md");
    let begin = format!("\n## {heading}\n");
    let rest = page.split_once(&begin).unwrap_or_else(|| panic!("no heading {heading}")).1;
    rest.split("\n## ").next().unwrap().to_owned()
}

/// The words in the first cells of a page's tables, without their backticks.
fn first_cells(page: &str) -> BTreeSet<String> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next());
    let words =
        cells.filter(|cell| cell.starts_with('`')).flat_map(|cell| cell.split('`').skip(1).step_by(2));
    words.map(str::to_owned).collect()
}

#[test]
fn every_problem_type_has_a_cause_and_a_cure() {
    let types: BTreeSet<String> = PROBLEM_TYPES.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(
        first_cells(&troubleshooting("Problem types")),
        types,
        "docs/troubleshooting.md, src/api/problem_type.rs"
    );
}

#[test]
fn every_exit_code_has_a_cause_and_a_cure() {
    let number = |line: &str| -> Option<u8> { line.trim_start().split("  ").next()?.parse().ok() };
    let codes: Vec<u8> = exit::EXIT_CODES.lines().filter_map(number).collect();
    let section = troubleshooting("Exit codes");
    let rows = section.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()?.parse().ok());
    assert_eq!((rows.collect::<Vec<u8>>(), codes.len()), (codes, 10));
}

#[test]
fn every_finding_of_the_doctor_has_a_cause_and_a_cure() {
    let findings: BTreeSet<String> = FINDINGS.iter().map(|finding| finding.as_str().to_owned()).collect();
    assert_eq!(
        first_cells(&troubleshooting("Doctor findings")),
        findings,
        "docs/troubleshooting.md, adjourn::doctor::FINDINGS"
    );
}

#[test]
fn the_promises_of_security_name_files_and_tests_that_exist() {
    let root = root();
    let page = read("docs/security.md");
    let sources = rust_in(&["src", "tests"]);
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

#[test]
fn binstall_and_the_page_about_installing_name_the_files_that_the_release_has() {
    let cargo: toml::Table = read("Cargo.toml").parse().unwrap();
    let package = &cargo["package"];
    let binstall = &package["metadata"]["binstall"];
    for target in ["x86_64-unknown-linux-gnu", "aarch64-unknown-linux-musl"] {
        let filled = |key: &str| {
            let template = binstall[key].as_str().unwrap().replace("{ version }", env!("CARGO_PKG_VERSION"));
            template
                .replace("{ repo }", package["repository"].as_str().unwrap())
                .replace("{ target }", target)
        };
        let build = ["deploy/release/build.sh", "--target", target, "names"];
        let printed = Command::new("bash").args(build).current_dir(root()).output().unwrap();
        let names = String::from_utf8(printed.stdout).unwrap();
        let (archive, others) = names.split_once('\n').unwrap();
        assert!(
            filled("pkg-url").ends_with(&format!("/v{}/{archive}", env!("CARGO_PKG_VERSION"))),
            "{names}"
        );
        let folder = archive.strip_suffix(".tar.gz").unwrap();
        assert_eq!(filled("bin-dir"), format!("{folder}/{{ bin }}{{ binary-ext }}"));
        let page = read("docs/install.md");
        for name in [archive].into_iter().chain(others.lines()) {
            let form = name.replace(env!("CARGO_PKG_VERSION"), "VERSION").replace(target, "TARGET");
            assert!(page.contains(&format!("`{form}`")), "docs/install.md does not name {form}");
        }
    }
}

#[test]
fn every_alert_has_a_heading_that_says_what_to_do() {
    let cargo = read("Cargo.toml");
    let repository =
        cargo.lines().find_map(|line| line.strip_prefix("repository = ")).unwrap().trim_matches('"');
    let page = read("docs/operations.md");
    let section = page.split_once("\n## What to do about an alert\n").unwrap().1;
    let section = section.split("\n## ").next().unwrap();
    let rules = read("deploy/monitoring/adjourn.rules.yaml");
    let alerts: Vec<&str> = rules.split("- alert: ").skip(1).collect();
    let names: Vec<&str> = alerts.iter().map(|alert| alert.lines().next().unwrap()).collect();
    for (alert, name) in alerts.iter().zip(&names) {
        let url = format!("{repository}/blob/main/docs/operations.md#{}", name.to_lowercase());
        let given = alert.lines().find_map(|line| line.trim().strip_prefix("runbook_url: "));
        assert_eq!(given.map(|given| given.trim_matches('"')), Some(url.as_str()), "{name}");
        let severity = ["{ severity: page }", "{ severity: ticket }"];
        assert!(severity.iter().any(|severity| alert.contains(severity)), "{name}");
    }
    let headings: BTreeSet<&str> = section.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(headings, names.into_iter().collect(), "docs/operations.md, adjourn.rules.yaml");
}
