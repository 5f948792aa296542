//! The hardening of `deploy/`: relaxing a setting means changing this test too. CI scores the unit with `systemd-analyze
//! security`.

fn file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// The lines without indentation and comments.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.starts_with('#')).collect()
}

fn holds_all(name: &str, wanted: &[&str]) {
    let text = file(name);
    let lines = lines(&text);
    for line in wanted {
        assert!(lines.contains(line), "{name} has no `{line}`");
    }
}

#[test]
fn the_unit_gives_the_service_no_privilege() {
    holds_all(
        "deploy/adjourn.service",
        &[
            "User=adjourn",
            "StateDirectoryMode=0700",
            "UMask=0077",
            "LimitCORE=0",
            "NoNewPrivileges=yes",
            "CapabilityBoundingSet=",
            "AmbientCapabilities=",
            "PrivateUsers=yes",
            "PrivateDevices=yes",
            "ProtectSystem=strict",
            "ProtectHome=yes",
            "ProtectProc=invisible",
            "RestrictNamespaces=yes",
            "RestrictSUIDSGID=yes",
            "MemoryDenyWriteExecute=yes",
            "SystemCallFilter=@system-service",
            "SystemCallFilter=~@privileged @resources",
            "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX",
        ],
    );
    let unit = file("deploy/adjourn.service");
    let files = lines(&unit).iter().find_map(|line| line.strip_prefix("LimitNOFILE=")?.parse::<u64>().ok());
    assert!(files.is_some_and(|files| files >= 8_192), "{files:?}");
    // Reload and start notification still work.
    holds_all("deploy/adjourn.service", &["Type=notify", "ExecReload=/bin/kill -HUP $MAINPID"]);
    // The exit codes that a start does not change: `Exit::Usage` and `Exit::Tampered`.
    holds_all("deploy/adjourn.service", &["RestartPreventExitStatus=2 9"]);
}

#[test]
fn the_pod_runs_without_root_capabilities_or_a_service_accounts_token() {
    holds_all("deploy/kubernetes/base/statefulset.yaml", &["fsGroupChangePolicy: OnRootMismatch"]);
    for pod in ["deploy/kubernetes/base/statefulset.yaml", "deploy/kubernetes/postgres/deployment.yaml"] {
        holds_all(
            pod,
            &[
                "automountServiceAccountToken: false",
                "runAsNonRoot: true",
                "runAsUser: 10001",
                "seccompProfile: { type: RuntimeDefault }",
                "readOnlyRootFilesystem: true",
                "allowPrivilegeEscalation: false",
                "capabilities: { drop: [ALL] }",
                "secret: { secretName: adjourn, defaultMode: 0400 }",
            ],
        );
        let pod = file(pod);
        assert!(!pod.contains("secretKeyRef"), "secrets are files");
        assert!(images(&pod, "image: ").iter().all(|image| is_exact(image)), "{:?}", images(&pod, "image: "));
    }
}

#[test]
fn the_image_runs_as_a_number_and_comes_from_exact_versions() {
    let container = file("deploy/Containerfile");
    let lines = lines(&container);
    let users: Vec<_> = lines.iter().filter_map(|line| line.strip_prefix("USER ")).collect();
    assert_eq!(users, ["10001:10001"]);
    let arguments: Vec<_> =
        lines.iter().filter_map(|line| line.strip_prefix("ARG ")?.split_once('=')).collect();
    for from in images(&container, "FROM ") {
        let name = from.trim_start_matches("${").split('}').next().unwrap();
        let image = arguments.iter().find_map(|(argument, image)| (*argument == name).then_some(*image));
        assert!(is_exact(image.unwrap_or(from)), "{from}: {image:?}");
    }
    holds_all(".dockerignore", &[".git", "target", "adjourn.toml", "*.pem", "*.key", "*.sqlite*"]);
}

#[test]
fn a_floating_tag_is_not_exact() {
    let digest = format!("registry.example.com/adjourn@sha256:{}", "0".repeat(64));
    for image in ["docker.io/library/rust:1.93.0-bookworm", "docker.io/library/debian:12.12-slim", &digest] {
        assert!(is_exact(image), "{image}");
    }
    for image in
        ["adjourn", "rust:1-bookworm", "debian:bookworm-slim", "adjourn:latest", "registry:5000/adjourn"]
    {
        assert!(!is_exact(image), "{image}");
    }
}

fn images<'t>(text: &'t str, key: &str) -> Vec<&'t str> {
    let found = lines(text).into_iter().filter_map(|line| line.strip_prefix(key));
    found.filter_map(|rest| rest.split_whitespace().next()).collect()
}

/// A digest, or a tag with at least a minor version.
fn is_exact(image: &str) -> bool {
    let last = image.rsplit('/').next().unwrap_or_default();
    if let Some((_, digest)) = last.split_once("@sha256:") {
        return digest.len() == 64;
    }
    let version = last.split_once(':').map_or("", |(_, tag)| tag).split('-').next().unwrap_or_default();
    version.split('.').count() >= 2 && version.split('.').all(|part| part.parse::<u32>().is_ok())
}

#[test]
fn the_release_workflow_runs_the_script_pins_its_actions_and_writes_in_one_job_only() {
    let workflow = file(".github/workflows/release.yml");
    let lines = lines(&workflow);
    let actions: Vec<_> =
        lines.iter().filter_map(|line| line.trim_start_matches("- ").strip_prefix("uses: ")).collect();
    assert!(actions.len() >= 5, "{actions:?}");
    for action in actions {
        let version = action.split_once("@v").map_or("", |(_, version)| version);
        let numbers = version.split('.').filter(|number| number.parse::<u32>().is_ok()).count();
        assert_eq!(numbers, 3, "{action} is not an exact version");
    }
    assert!(workflow.contains("\npermissions:\n  contents: read\n"), "what a job does not ask for");
    assert_eq!(lines.iter().filter(|line| line.contains(": write")).count(), 3, "the job that publishes");
    assert!(lines.iter().any(|line| line.contains("deploy/release/build.sh --out dist --target")));
}
