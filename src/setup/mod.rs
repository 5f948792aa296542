//! What an administrator of Exchange has to run so that Adjourn may act in the rooms' calendars, and no further. Pure: names
//! come in, text goes out. Runs nothing, and asks nobody.
//!
//! | where the rooms are | who acts | the right | how far |
//! | --- | --- | --- | --- |
//! | [`on_premises`] | a service account | `ApplicationImpersonation` | `-CustomRecipientWriteScope` |
//! | [`online`] | an application of Entra | `Application EWS.AccessAsApp` | `-CustomResourceScope` |
//!
//! Both name the same kind of management scope, so the filter is written here, once.

use std::fmt;

pub mod on_premises;
pub mod online;

/// How far the right shall reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GrantScope {
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

/// What is meant, wherever the rooms are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetupNames {
    /// What the scope and the assignment are called.
    pub label: String,
    /// A room that is in reach.
    pub room: String,
    /// A mailbox that is not.
    pub out_of_scope: String,
}

/// Commands for PowerShell, each with its reason.
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
    pub commands: Vec<SetupCommand>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct SetupCommand {
    /// Why, in one line.
    pub why: String,
    /// As it is typed; of what is done in a browser, where it is found.
    pub command: String,
    /// Part of the script. Otherwise it is for another time, or for another place, and stands there as a comment.
    pub runs: bool,
}

impl Part {
    fn new(title: &'static str, commands: Vec<SetupCommand>) -> Self {
        Self { title, commands }
    }

    /// All of it for another time, or for another place.
    fn for_later(title: &'static str, commands: Vec<SetupCommand>) -> Self {
        Self::new(title, commands.into_iter().map(for_later).collect())
    }
}

/// The commands that make the scope; none where everything is in reach.
fn make_scope(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = Vec::new();
    if let GrantScope::Group(group) = reach {
        commands.push(command(
            "The scope names the group by its distinguished name.",
            format!(
                "$group = (Get-DistributionGroup -Identity {} -ErrorAction Stop).DistinguishedName.Replace(\"'\", \"''\")",
                powershell_quoted(group)
            ),
        ));
    }
    if let Some(filter) = filter(reach) {
        let label = powershell_quoted(&names.label);
        commands.push(critical_command(
            format!("The scope: {reach}, and nothing else."),
            format!("New-ManagementScope -Name {label} -RecipientRestrictionFilter {filter}"),
        ));
    }
    commands
}

/// The command that lists what is in the scope.
fn list_scope_members(reach: &GrantScope, names: &SetupNames) -> Option<SetupCommand> {
    filter(reach)?;
    let label = powershell_quoted(&names.label);
    Some(command(
        "What the scope holds now.",
        format!(
            "Get-Recipient -ResultSize Unlimited -RecipientPreviewFilter (Get-ManagementScope -Identity {label}).RecipientFilter | Format-Table Name, PrimarySmtpAddress, RecipientTypeDetails"
        ),
    ))
}

/// What Adjourn itself can show about the grant.
fn verify_with_adjourn(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![for_later(command(
        "In a shell of yours: the room must be listed.",
        format!("adjourn events {}", names.room),
    ))];
    if *reach != GrantScope::Everyone {
        commands.push(for_later(command(
            "The real test: what is out of reach must be refused by Exchange (exit code 5).",
            format!("adjourn events {0} --in-scope {0}", names.out_of_scope),
        )));
    }
    commands
}

fn remove_assignment(names: &SetupNames) -> SetupCommand {
    let label = powershell_quoted(&names.label);
    command("The right.", format!("Remove-ManagementRoleAssignment -Identity {label} -Confirm:$false"))
}

fn remove_scope(reach: &GrantScope, names: &SetupNames) -> Option<SetupCommand> {
    filter(reach)?;
    let label = powershell_quoted(&names.label);
    Some(command(
        "The scope, which nothing uses any more.",
        format!("Remove-ManagementScope -Identity {label} -Confirm:$false"),
    ))
}

/// The filter of the scope, in OPATH; `None` where there is no scope.
fn filter(reach: &GrantScope) -> Option<&'static str> {
    match reach {
        GrantScope::Everyone => None,
        GrantScope::RoomsAndEquipment => {
            Some("\"RecipientTypeDetails -eq 'RoomMailbox' -or RecipientTypeDetails -eq 'EquipmentMailbox'\"")
        }
        GrantScope::Rooms | GrantScope::RoleGroup(_) => Some("\"RecipientTypeDetails -eq 'RoomMailbox'\""),
        GrantScope::Group(_) => Some("\"MemberOfGroup -eq '$group'\""),
    }
}

/// What is said of a reach, whoever has it.
fn warning(reach: &GrantScope) -> Option<String> {
    let warning = match reach {
        GrantScope::Everyone => {
            "WARNING: without a scope the mailbox of everybody can be read and changed, managers included. Choose rooms instead."
        }
        GrantScope::Group(_) => {
            "Exchange looks at direct members of the group only: rooms in groups within the group are out of reach."
        }
        GrantScope::RoomsAndEquipment | GrantScope::Rooms | GrantScope::RoleGroup(_) => return None,
    };
    Some(warning.to_owned())
}

/// `$ErrorActionPreference` is for what the script itself says: it does not reach into the modules that hold the commands of
/// Exchange, so those that matter say it again ([`must`]).
fn stop_at_errors() -> SetupCommand {
    command(
        "What fails ends the script: nothing is granted over a scope that is another one. To try again, first take back what was made.",
        "$ErrorActionPreference = 'Stop'".to_owned(),
    )
}

/// A command after whose failure nothing may follow.
fn critical_command(why: impl Into<String>, cmdlet: impl fmt::Display) -> SetupCommand {
    command(why, format!("{cmdlet} -ErrorAction Stop"))
}

fn command(why: impl Into<String>, command: String) -> SetupCommand {
    SetupCommand { why: why.into(), command, runs: true }
}

fn for_later(command: SetupCommand) -> SetupCommand {
    SetupCommand { runs: false, ..command }
}

/// A text that PowerShell takes as it is: nothing in single quotes means anything but the quote itself, and PowerShell takes
/// the curly ones for it too.
fn powershell_quoted(text: &str) -> String {
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

impl fmt::Display for GrantScope {
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
            for SetupCommand { why, command, runs } in &part.commands {
                let (why, command) = (in_one_line(why), in_one_line(command));
                write!(f, "\n# {why}\n{}{command}\n", if *runs { "" } else { "#   " })?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
