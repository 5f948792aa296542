use uuid::Uuid;

use super::application::Application;
use super::online::{OnlineProtocol, RoleGroupUnsupported};
use super::*;

const ACCOUNT: &str = r"EXAMPLE\svc-rooms";

fn names() -> SetupNames {
    SetupNames {
        label: "Adjourn".to_owned(),
        room: "room1@example.com".to_owned(),
        out_of_scope: "somebody@example.com".to_owned(),
    }
}

fn application() -> Application {
    let id = |digits: u128| Some(Uuid::from_u128(digits));
    Application {
        client_id: id(0x1111_1111_2222_4333_8444_5555_5555_5555),
        object_id: id(0xaaaa_aaaa_bbbb_4ccc_8ddd_eeee_eeee_eeee),
    }
}

fn every_reach() -> [(&'static str, GrantScope); 5] {
    [
        ("everyone", GrantScope::Everyone),
        ("rooms-and-equipment", GrantScope::RoomsAndEquipment),
        ("rooms", GrantScope::Rooms),
        ("group", GrantScope::Group("engine-rooms@example.com".to_owned())),
        ("role-group", GrantScope::RoleGroup("Room engine".to_owned())),
    ]
}

/// Every script there is, under the name of its fixture.
fn every_script(names: &SetupNames) -> Vec<(String, Script)> {
    let mut all = Vec::new();
    for (name, reach) in every_reach() {
        all.push((format!("on-premises-{name}"), on_premises::script(&reach, ACCOUNT, names)));
        for (protocol, file) in PROTOCOLS {
            if let Ok(script) = online::script(protocol, &reach, application(), names) {
                all.push((format!("{file}-{name}"), script));
            }
        }
    }
    for (protocol, file) in PROTOCOLS {
        let unknown = online::script(protocol, &GrantScope::Rooms, Application::default(), names).unwrap();
        all.push((format!("{file}-ids-unknown"), unknown));
    }
    all
}

const PROTOCOLS: [(OnlineProtocol, &str); 3] = [
    (OnlineProtocol::Ews, "online"),
    (OnlineProtocol::Graph, "online-graph"),
    (OnlineProtocol::Both, "online-both"),
];

fn part<'a>(script: &'a Script, title: &str) -> &'a Part {
    script.parts.iter().find(|part| part.title == title).unwrap()
}

/// `ADJOURN_WRITE_SETUP=1 cargo test --lib setup` writes them anew.
#[test]
fn the_scripts_are_those_that_were_read_and_agreed_on() {
    for (name, script) in every_script(&names()) {
        let path = format!("{}/fixtures/setup/{name}.ps1", env!("CARGO_MANIFEST_DIR"));
        let script = script.to_string();
        if std::env::var_os("ADJOURN_WRITE_SETUP").is_some() {
            std::fs::write(&path, &script).unwrap();
        }
        assert_eq!(script, std::fs::read_to_string(&path).unwrap(), "{path}");
    }
}

#[test]
fn what_is_granted_is_taken_back() {
    for (name, script) in every_script(&names()) {
        let count = |verb: &str| {
            let commands = script.parts.iter().flat_map(|part| &part.commands);
            commands.filter(|one| one.command.contains(verb)).count()
        };
        for kind in ["ManagementScope", "ManagementRoleAssignment", "RoleGroup", "ServicePrincipal"] {
            assert_eq!(count(&format!("New-{kind} ")), count(&format!("Remove-{kind} ")), "{name}: {kind}");
        }
    }
}

#[test]
fn whatever_grants_ends_the_script_when_it_fails() {
    for (name, script) in every_script(&names()) {
        for SetupCommand { command, runs, .. } in script.parts.iter().flat_map(|part| &part.commands) {
            let changes = ["New-", "Set-", "Connect-"].iter().any(|verb| command.contains(verb)) && *runs;
            assert!(
                !changes || command.contains("-ErrorAction Stop") || command.contains("throw"),
                "{name}: {command}"
            );
        }
    }
}

#[test]
fn what_is_taken_back_needs_no_variable_of_the_script() {
    for (name, script) in every_script(&names()) {
        let later = script.parts.iter().filter(|part| part.commands.iter().all(|one| !one.runs));
        assert!(part(&script, "Take it back").commands.iter().all(|one| !one.runs), "{name}");
        for one in later.flat_map(|part| &part.commands) {
            let variable =
                ["$app", "$object", "$scope", "$filter"].into_iter().find(|word| one.command.contains(word));
            assert_eq!(variable, None, "{name}: {}", one.command);
        }
    }
}

#[test]
fn an_application_is_in_no_role_group() {
    let reach = GrantScope::RoleGroup("Room engine".to_owned());
    for (protocol, _) in PROTOCOLS {
        assert_eq!(online::script(protocol, &reach, application(), &names()), Err(RoleGroupUnsupported));
    }
    assert!(RoleGroupUnsupported.to_string().contains("--scope rooms"));
}

#[test]
fn the_end_of_ews_is_the_first_thing_said() {
    for protocol in [OnlineProtocol::Ews, OnlineProtocol::Both] {
        let script = online::script(protocol, &GrantScope::Rooms, application(), &names()).unwrap();
        let first = script.warnings.first().unwrap();
        assert!(
            first.starts_with("WARNING")
                && first.contains("1 October 2026")
                && first.contains("1 April 2027"),
            "{first}"
        );
    }
}

#[test]
fn over_graph_a_consent_is_warned_of_and_none_to_a_mailbox_is_asked_for() {
    for protocol in [OnlineProtocol::Graph, OnlineProtocol::Both] {
        let script = online::script(protocol, &GrantScope::Rooms, application(), &names()).unwrap();
        let warned = |line: &String| line.starts_with("WARNING: consent in Entra to no permission");
        assert!(script.warnings.iter().any(warned), "{:?}", script.warnings);
        let commands = script.parts.iter().flat_map(|part| &part.commands);
        let consents: Vec<_> = commands
            .filter(|one| one.command.ends_with("Grant admin consent"))
            .map(|one| &one.command)
            .collect();
        assert_eq!(consents.len(), 2);
        assert!(consents[0].contains("> Place.Read.All >") && consents[1].contains("> User.ReadBasic.All >"));
    }
}

#[test]
fn over_graph_every_right_to_a_mailbox_has_the_scope() {
    for (name, script) in every_script(&names()).into_iter().filter(|(name, _)| name.contains("graph")) {
        let commands = script.parts.iter().flat_map(|part| &part.commands);
        let assignments: Vec<_> =
            commands.filter(|one| one.command.contains("New-ManagementRoleAssignment")).collect();
        assert_eq!(assignments.len(), 3, "{name}");
        for one in assignments {
            let scoped = one.command.contains("-CustomResourceScope 'Adjourn'");
            assert_eq!(scoped, !name.ends_with("everyone"), "{name}: {}", one.command);
        }
    }
}

#[test]
fn a_scope_that_is_there_is_compared_before_anything_is_granted_in_it() {
    let script = online::script(OnlineProtocol::Both, &GrantScope::Rooms, application(), &names()).unwrap();
    let script = script.to_string();
    let runs: Vec<_> = script.lines().filter(|line| !line.starts_with('#')).collect();
    let place = |what: &str| runs.iter().position(|line| line.contains(what)).unwrap();
    let order = [
        place("$filter ="),
        place("Get-ManagementScope"),
        place("$scope.RecipientFilter -ne $filter"),
        place("New-ManagementScope"),
        place("'Application Calendars.ReadWrite'"),
    ];
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn the_list_of_allowed_applications_is_read_before_it_is_written_and_written_before_ews_is_on() {
    let script = online::script(OnlineProtocol::Ews, &GrantScope::Rooms, application(), &names());
    let script = script.unwrap().to_string();
    let runs: Vec<_> = script.lines().filter(|line| !line.starts_with('#')).collect();
    let place = |what: &str| runs.iter().position(|line| line.contains(what)).unwrap();
    let order = [
        place("-RetrieveEwsOperationAccessPolicy"),
        place("throw"),
        place("Set-OrganizationConfig -EwsAllowedAppIDs"),
        place("-EwsEnabled $true"),
        place("New-ServicePrincipal"),
    ];
    assert!(order.is_sorted(), "{order:?}");
}

#[test]
fn a_name_is_a_name_whatever_is_in_it() {
    assert_eq!(powershell_quoted("O'Hara"), "'O''Hara'");
    assert_eq!(powershell_quoted("a\u{2019}; Remove-Mailbox *"), "'a\u{2019}\u{2019}; Remove-Mailbox *'");
    assert_eq!(powershell_quoted("two\nlines"), "'twolines'");
    assert_eq!(powershell_quoted("$(evil) `n \"x\""), "'$(evil) `n \"x\"'");
}

#[test]
fn no_name_becomes_a_command() {
    let evil = || "a'; Remove-Mailbox *\r\nRemove-Mailbox *\u{2028}'b".to_owned();
    let names = SetupNames { label: evil(), room: evil(), out_of_scope: evil() };
    let reach = GrantScope::Group(evil());
    let online =
        PROTOCOLS.map(|(protocol, _)| online::script(protocol, &reach, application(), &names).unwrap());
    for script in online.into_iter().chain([on_premises::script(&reach, &evil(), &names)]) {
        let script = script.to_string();
        for line in script.lines().filter(|line| !line.starts_with('#')) {
            assert!(!outside_quotes(line).contains("Remove-Mailbox"), "{line}");
        }
    }
}

/// What of a line PowerShell does not take as text in single quotes.
fn outside_quotes(line: &str) -> String {
    line.split('\'').step_by(2).collect()
}
