//! `adjourn completions` and `adjourn man`: scripts for shells and manual pages, made of the definitions of the command line.

use std::path::Path;
use std::process::{Command, Stdio};

use adjourn::cli::command_line::command;

use crate::installed::PROGRAM;

/// Output of the program without any configuration.
fn printed(args: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(args).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all commands, as in `adjourn key add`: `["key", "add"]`.
fn commands(of: &clap::Command, above: &[String]) -> Vec<Vec<String>> {
    let below = of.get_subcommands().filter(|one| !one.is_hide_set());
    below
        .flat_map(|one| {
            let path = [above, &[one.get_name().to_owned()]].concat();
            let further = commands(one, &path);
            std::iter::once(path).chain(further)
        })
        .collect()
}

fn has_program(name: &str) -> bool {
    let found = Command::new(name).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_ok_and(|status| status.success())
}

#[test]
fn the_script_of_each_shell_names_every_command() {
    let commands = commands(&command(), &[]);
    assert!(commands.iter().any(|path| path.join(" ") == "key add"), "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = printed(&["completions", shell]);
        for name in commands.iter().flatten() {
            assert!(script.contains(name), "{shell}: {name}");
        }
        assert!(script.contains("idempotency-key"), "{shell}");
    }
}

#[test]
fn shells_accept_their_scripts() {
    let directory = tempfile::tempdir().unwrap();
    for (shell, check) in [("bash", "-n"), ("zsh", "-n"), ("fish", "--no-execute")] {
        if !has_program(shell) {
            continue;
        }
        let path = directory.path().join(shell);
        std::fs::write(&path, printed(&["completions", shell])).unwrap();
        let checked = Command::new(shell).arg(check).arg(&path).output().unwrap();
        assert!(checked.status.success(), "{shell}: {}", String::from_utf8_lossy(&checked.stderr));
    }
}

#[test]
fn bash_completes_a_command() {
    if !has_program("bash") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let script = directory.path().join("adjourn.bash");
    std::fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let ask = "source \"$0\"; COMP_WORDS=(adjourn conf); COMP_CWORD=1; _adjourn adjourn conf adjourn; echo \"${COMPREPLY[@]}\"";
    let asked = Command::new("bash").args(["--norc", "-c", ask]).arg(&script).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&asked.stdout).trim(), "config");
}

/// What the formatter of manual pages says about a page: nothing, if all is well.
fn faults(page: &Path) -> Option<String> {
    let checked = if has_program("mandoc") {
        Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(page).output().unwrap()
    } else if has_program("groff") {
        Command::new("groff").args(["-man", "-ww", "-z", "-Tutf8", "-k"]).arg(page).output().unwrap()
    } else {
        return None;
    };
    Some(format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr)))
}

#[test]
fn every_command_has_a_page_that_the_formatter_accepts() {
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    printed(&["man", "--out", pages.to_str().unwrap()]);
    let mut wanted: Vec<_> =
        commands(&command(), &[]).iter().map(|path| format!("adjourn-{}.1", path.join("-"))).collect();
    wanted.push("adjourn.1".to_owned());
    wanted.sort();
    let mut written: Vec<_> = std::fs::read_dir(&pages)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    written.sort();
    assert_eq!(written, wanted);
    for name in &written {
        let page = pages.join(name);
        if let Some(faults) = faults(&page) {
            assert_eq!(faults, "", "{name}");
        }
    }
}

#[cfg(unix)]
#[test]
fn other_users_can_read_the_pages() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let pages = directory.path().join("man1");
    let script = format!("umask 022; '{PROGRAM}' man --out '{}'", pages.display());
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    let mode = std::fs::metadata(pages.join("adjourn.1")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o644);
}

#[test]
fn the_main_page_has_exit_codes_files_and_environment_and_no_date() {
    let page = printed(&["man"]);
    for heading in ["EXIT STATUS", "ENVIRONMENT", "FILES"] {
        assert!(
            page.contains(&format!(".SH \"{heading}\"")) || page.contains(&format!(".SH {heading}")),
            "{heading}: {page}"
        );
    }
    assert!(page.contains("ADJOURN_PASSWORD") && page.contains("ADJOURN_URL"), "{page}");
    assert!(
        page.contains("other users can read, with a warning"),
        "an option that only --help describes: {page}"
    );
    assert!(page.contains("a sweep exceeded its limits and changed nothing"), "{page}");
    let title = page.lines().find(|line| line.starts_with(".TH")).unwrap();
    assert_eq!(title, format!(".TH adjourn 1  \"adjourn {}\" Adjourn", env!("CARGO_PKG_VERSION")));
    assert_eq!(page, printed(&["man"]));
}
