//! What an administrator of Exchange has to run so that one account may act in the rooms' calendars, and no further. Pure:
//! names come in, text goes out. Runs nothing, and asks nobody.
//!
//! Exchange Server on premises (2010 SP2 and later) grants this by the management role `ApplicationImpersonation`; how far
//! it reaches is said by a management scope, which the assignment names in `-CustomRecipientWriteScope` (Microsoft, "How to:
//! Configure impersonation").

use std::fmt;

/// How far the account shall reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// Every mailbox of the organization.
    Everyone,
    /// Room and equipment mailboxes.
    RoomsAndEquipment,
    /// Room mailboxes.
    Rooms,
    /// The direct members of this group.
    Group(String),
    /// Room mailboxes, by membership in a role group of this name.
    RoleGroup(String),
}

/// Who and what is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The service account, as `DOMAIN\name` or `name@domain`.
    pub account: String,
    /// What the scope and the assignment are called.
    pub label: String,
    /// A room that is in reach.
    pub room: String,
    /// A mailbox that is not.
    pub outsider: String,
}

/// Commands for the Exchange Management Shell, each with its reason.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Script {
    /// What it is for.
    pub title: String,
    /// What to think about before.
    pub warnings: Vec<String>,
    /// In this order.
    pub parts: Vec<Part>,
}

/// Commands that belong together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Part {
    /// What they do.
    pub title: &'static str,
    /// In this order.
    pub commands: Vec<Command>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Command {
    /// Why, in one line.
    pub why: String,
    /// As it is typed.
    pub command: String,
    /// Part of the script. Otherwise it is for another time, or for another shell, and stands there as a comment.
    pub runs: bool,
}

/// The script for Exchange Server on premises.
pub fn on_premises(reach: &Reach, names: &Names) -> Script {
    Script {
        title: format!("Let {} act in the calendars of {reach}", names.account),
        warnings: warnings(reach),
        parts: vec![
            Part { title: "Grant", commands: grant(reach, names) },
            Part { title: "Verify", commands: verify(reach, names) },
            Part {
                title: "Take it back",
                commands: take_back(reach, names).into_iter().map(for_later).collect(),
            },
        ],
    }
}

fn warnings(reach: &Reach) -> Vec<String> {
    let mut all = vec![
        "Run it in the Exchange Management Shell, as a member of Organization Management.".to_owned(),
        "What is granted or taken back may take effect only after a while; a restart of the application pool MSExchangeServicesAppPool hurries it.".to_owned(),
    ];
    match reach {
        Reach::Everyone => all.push(
            "WARNING: without a scope the account can read and change the mailbox of everybody, managers included. Choose rooms instead."
                .to_owned(),
        ),
        Reach::Group(_) => all.push(
            "Exchange looks at direct members of the group only: rooms in groups within the group are out of reach.".to_owned(),
        ),
        Reach::RoomsAndEquipment | Reach::Rooms | Reach::RoleGroup(_) => {}
    }
    all
}

fn grant(reach: &Reach, names: &Names) -> Vec<Command> {
    let label = quoted(&names.label);
    let why = "What fails ends the script: nothing is granted over a scope that is another one.";
    let mut commands = vec![command(why, "$ErrorActionPreference = 'Stop'".to_owned())];
    if let Reach::Group(group) = reach {
        let why = "The scope names the group by its distinguished name.";
        commands.push(command(
            why,
            format!(
                "$group = (Get-DistributionGroup -Identity {}).DistinguishedName.Replace(\"'\", \"''\")",
                quoted(group)
            ),
        ));
    }
    if let Some(filter) = filter(reach) {
        let why = format!("The scope: {reach}, and nothing else.");
        commands.push(command(
            why,
            format!("New-ManagementScope -Name {label} -RecipientRestrictionFilter {filter}"),
        ));
    }
    let account = quoted(&names.account);
    commands.push(match reach {
        Reach::Everyone => command(
            "The right to act in the name of every mailbox.",
            format!("New-ManagementRoleAssignment -Name {label} -Role 'ApplicationImpersonation' -User {account}"),
        ),
        Reach::RoleGroup(group) => command(
            "A role group that holds the right within the scope, with the account as its member.",
            format!(
                "New-RoleGroup -Name {} -Roles 'ApplicationImpersonation' -Members {account} -CustomRecipientWriteScope {label}",
                quoted(group)
            ),
        ),
        Reach::RoomsAndEquipment | Reach::Rooms | Reach::Group(_) => command(
            "The right to act in the name of what is in the scope.",
            format!(
                "New-ManagementRoleAssignment -Name {label} -Role 'ApplicationImpersonation' -User {account} -CustomRecipientWriteScope {label}"
            ),
        ),
    });
    commands
}

fn verify(reach: &Reach, names: &Names) -> Vec<Command> {
    let label = quoted(&names.label);
    let mut commands = vec![command(
        "Who holds the right, and how far: the account must be there, and nobody you do not expect.",
        "Get-ManagementRoleAssignment -Role 'ApplicationImpersonation' -GetEffectiveUsers -Delegating:$false | Format-Table Name, EffectiveUserName, CustomRecipientWriteScope, RecipientWriteScope"
            .to_owned(),
    )];
    if filter(reach).is_some() {
        commands.push(command(
            "What the scope holds now.",
            format!(
                "Get-Recipient -ResultSize Unlimited -RecipientPreviewFilter (Get-ManagementScope -Identity {label}).RecipientFilter | Format-Table Name, PrimarySmtpAddress, RecipientTypeDetails"
            ),
        ));
    }
    commands.push(for_later(command(
        "In a shell of yours: the room must be listed.",
        format!("adjourn events {}", names.room),
    )));
    if *reach != Reach::Everyone {
        commands.push(for_later(command(
            "The real test: what is out of reach must be refused by Exchange (exit code 5).",
            format!("adjourn events {0} --in-scope {0}", names.outsider),
        )));
    }
    commands
}

fn take_back(reach: &Reach, names: &Names) -> Vec<Command> {
    let label = quoted(&names.label);
    let mut commands = vec![match reach {
        Reach::RoleGroup(group) => command(
            "The role group, and with it the right.",
            format!("Remove-RoleGroup -Identity {} -Confirm:$false", quoted(group)),
        ),
        _ => command(
            "The right.",
            format!("Remove-ManagementRoleAssignment -Identity {label} -Confirm:$false"),
        ),
    }];
    if filter(reach).is_some() {
        commands.push(command(
            "The scope, which nothing uses any more.",
            format!("Remove-ManagementScope -Identity {label} -Confirm:$false"),
        ));
    }
    commands
}

/// The filter of the scope, in OPATH; `None` where there is no scope.
fn filter(reach: &Reach) -> Option<String> {
    let filter = match reach {
        Reach::Everyone => return None,
        Reach::RoomsAndEquipment => {
            "\"RecipientTypeDetails -eq 'RoomMailbox' -or RecipientTypeDetails -eq 'EquipmentMailbox'\""
        }
        Reach::Rooms | Reach::RoleGroup(_) => "\"RecipientTypeDetails -eq 'RoomMailbox'\"",
        Reach::Group(_) => "\"MemberOfGroup -eq '$group'\"",
    };
    Some(filter.to_owned())
}

fn command(why: impl Into<String>, command: String) -> Command {
    Command { why: why.into(), command, runs: true }
}

fn for_later(command: Command) -> Command {
    Command { runs: false, ..command }
}

/// A text that PowerShell takes as it is: nothing in single quotes means anything but the quote itself, and PowerShell takes
/// the curly ones for it too.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("'");
    for letter in text.chars().filter(|letter| !letter.is_control()) {
        if matches!(letter, '\'' | '\u{2018}' | '\u{2019}' | '\u{201A}' | '\u{201B}') {
            quoted.push(letter);
        }
        quoted.push(letter);
    }
    quoted.push('\'');
    quoted
}

/// A comment ends with its line, so nothing in it may end the line.
fn in_one_line(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_control() && !matches!(letter, '\u{2028}' | '\u{2029}')).collect()
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everyone => f.write_str("everyone"),
            Self::RoomsAndEquipment => f.write_str("rooms and equipment"),
            Self::Rooms => f.write_str("rooms"),
            Self::Group(group) => write!(f, "the direct members of {group}"),
            Self::RoleGroup(group) => write!(f, "rooms, as a member of the role group {group}"),
        }
    }
}

/// As PowerShell takes it: everything but the commands that grant and verify is comment.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# {}", in_one_line(&self.title))?;
        for warning in &self.warnings {
            writeln!(f, "# {}", in_one_line(warning))?;
        }
        for part in &self.parts {
            write!(f, "\n## {}\n", part.title)?;
            for Command { why, command, runs } in &part.commands {
                let (why, command) = (in_one_line(why), in_one_line(command));
                write!(f, "\n# {why}\n{}{command}\n", if *runs { "" } else { "#   " })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            account: r"EXAMPLE\svc-rooms".to_owned(),
            label: "Adjourn".to_owned(),
            room: "room1@example.com".to_owned(),
            outsider: "somebody@example.com".to_owned(),
        }
    }

    fn every_reach() -> [(&'static str, Reach); 5] {
        [
            ("everyone", Reach::Everyone),
            ("rooms-and-equipment", Reach::RoomsAndEquipment),
            ("rooms", Reach::Rooms),
            ("group", Reach::Group("engine-rooms@example.com".to_owned())),
            ("role-group", Reach::RoleGroup("Room engine".to_owned())),
        ]
    }

    /// `ADJOURN_WRITE_SETUP=1 cargo test setup` writes them anew.
    #[test]
    fn the_scripts_are_those_that_were_read_and_agreed_on() {
        for (name, reach) in every_reach() {
            let path = format!("{}/fixtures/setup/on-premises-{name}.ps1", env!("CARGO_MANIFEST_DIR"));
            let script = on_premises(&reach, &names()).to_string();
            if std::env::var_os("ADJOURN_WRITE_SETUP").is_some() {
                std::fs::write(&path, &script).unwrap();
            }
            assert_eq!(script, std::fs::read_to_string(&path).unwrap(), "{path}");
        }
    }

    #[test]
    fn what_is_granted_is_taken_back() {
        for (name, reach) in every_reach() {
            let script = on_premises(&reach, &names());
            let [grant, _, back] = script.parts.as_slice() else { panic!() };
            let made = |kind: &str| {
                grant.commands.iter().filter(|one| one.command.starts_with(&format!("New-{kind}"))).count()
            };
            let removed = |kind: &str| {
                back.commands.iter().filter(|one| one.command.starts_with(&format!("Remove-{kind}"))).count()
            };
            for kind in ["ManagementScope", "ManagementRoleAssignment", "RoleGroup"] {
                assert_eq!(made(kind), removed(kind), "{name}: {kind}");
            }
        }
    }

    #[test]
    fn a_name_is_a_name_whatever_is_in_it() {
        assert_eq!(quoted("O'Hara"), "'O''Hara'");
        assert_eq!(quoted("a\u{2019}; Remove-Mailbox *"), "'a\u{2019}\u{2019}; Remove-Mailbox *'");
        assert_eq!(quoted("two\nlines"), "'twolines'");
        assert_eq!(quoted("$(evil) `n \"x\""), "'$(evil) `n \"x\"'");
        let account = "svc\r\nRemove-Mailbox *".to_owned();
        let script = on_premises(&Reach::Group("a\nb".to_owned()), &Names { account, ..names() }).to_string();
        assert!(
            script.lines().all(|line| !line.starts_with("Remove-Mailbox") && !line.starts_with('b')),
            "{script}"
        );
    }
}
