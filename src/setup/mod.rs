//! Writes the PowerShell script with which an administrator of Exchange lets Adjourn act in the rooms' calendars, and nowhere
//! else. Pure: names become text. It never runs a command and never connects to anything.
//!
//! | where the rooms are | who acts | the right | its scope |
//! | --- | --- | --- | --- |
//! | [`on_premises`] | a service account | `ApplicationImpersonation` | `-CustomRecipientWriteScope` |
//! | [`online`], over EWS | an application of Entra | `Application EWS.AccessAsApp` | `-CustomResourceScope` |
//! | [`online`], over Microsoft Graph | the same | `Application Calendars.ReadWrite` | the same |
//!
//! Both use the same kind of management scope, so its filter is here.

use std::fmt;

pub(crate) mod application;
mod graph;
pub(crate) mod on_premises;
pub(crate) mod online;

/// The mailboxes to which the right extends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum GrantScope {
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

/// Names that the script uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetupNames {
    /// Name of the scope and of the assignment.
    pub label: String,
    /// A room within the scope.
    pub room: String,
    /// A mailbox outside of it.
    pub out_of_scope: String,
}

/// Commands for PowerShell, each with its reason.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Script {
    /// Its purpose.
    pub title: String,
    /// What to consider before running it.
    pub warnings: Vec<String>,
    /// In this order.
    pub parts: Vec<Part>,
}

/// Commands that belong together.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Part {
    /// Their purpose.
    pub title: &'static str,
    /// In this order.
    pub commands: Vec<SetupCommand>,
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub(crate) struct SetupCommand {
    /// Its reason, in one line.
    pub why: String,
    /// The command; for a step in a browser, the path to the page.
    pub command: String,
    /// The script runs it. Otherwise it is for another time or place, and the script holds it as a comment.
    pub runs: bool,
}

impl Part {
    fn new(title: &'static str, commands: Vec<SetupCommand>) -> Self {
        Self { title, commands }
    }

    /// A part whose commands are all for another time or place.
    fn for_later(title: &'static str, commands: Vec<SetupCommand>) -> Self {
        Self::new(title, commands.into_iter().map(for_later).collect())
    }
}

/// The commands that create the scope; none when every mailbox is in scope.
fn make_scope(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands: Vec<_> = group_name(reach).into_iter().collect();
    if let Some(filter) = filter(reach) {
        let label = powershell_quoted(&names.label);
        commands.push(critical_command(
            format!("The scope: {reach}, and nothing else."),
            format!("New-ManagementScope -Name {label} -RecipientRestrictionFilter {filter}"),
        ));
    }
    commands
}

/// The command that reads the name by which a filter names the group.
fn group_name(reach: &GrantScope) -> Option<SetupCommand> {
    let GrantScope::Group(group) = reach else { return None };
    Some(command(
        "The scope names the group by its distinguished name.",
        format!(
            "$group = (Get-DistributionGroup -Identity {} -ErrorAction Stop).DistinguishedName.Replace(\"'\", \"''\")",
            powershell_quoted(group)
        ),
    ))
}

/// The command that lists the mailboxes in the scope.
fn list_scope_members(reach: &GrantScope, names: &SetupNames) -> Option<SetupCommand> {
    filter(reach)?;
    let label = powershell_quoted(&names.label);
    Some(command(
        "List the mailboxes in the scope.",
        format!(
            "Get-Recipient -ResultSize Unlimited -RecipientPreviewFilter (Get-ManagementScope -Identity {label}).RecipientFilter | Format-Table Name, PrimarySmtpAddress, RecipientTypeDetails"
        ),
    ))
}

/// The commands of Adjourn that prove the grant.
fn verify_with_adjourn(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![for_later(command(
        "In a shell of yours: this must list the room's events.",
        format!("adjourn events {}", names.room),
    ))];
    if *reach != GrantScope::Everyone {
        commands.push(for_later(command(
            "The real test: Exchange must refuse a mailbox out of scope (exit code 5).",
            format!("adjourn events {0} --in-scope {0}", names.out_of_scope),
        )));
    }
    commands
}

fn remove_assignment(names: &SetupNames) -> SetupCommand {
    let label = powershell_quoted(&names.label);
    command("Remove the right.", format!("Remove-ManagementRoleAssignment -Identity {label} -Confirm:$false"))
}

fn remove_scope(reach: &GrantScope, names: &SetupNames) -> Option<SetupCommand> {
    filter(reach)?;
    let label = powershell_quoted(&names.label);
    Some(command(
        "Remove the scope, which nothing uses any more.",
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

/// The warning about a scope, on premises and online.
fn warning(reach: &GrantScope) -> Option<String> {
    let warning = match reach {
        GrantScope::Everyone => {
            "WARNING: without a scope the account can read and change every mailbox, managers included. Choose rooms instead."
        }
        GrantScope::Group(_) => {
            "Exchange considers direct members of the group only: rooms in nested groups are out of scope."
        }
        GrantScope::RoomsAndEquipment | GrantScope::Rooms | GrantScope::RoleGroup(_) => return None,
    };
    Some(warning.to_owned())
}

/// `$ErrorActionPreference` does not apply inside the modules that hold the commands of Exchange, so commands that matter repeat
/// it (`-ErrorAction Stop`).
fn stop_at_errors() -> SetupCommand {
    command(
        "An error ends the script, so that it grants nothing over another scope. Before you run it again, run the commands under Take it back.",
        "$ErrorActionPreference = 'Stop'".to_owned(),
    )
}

/// A command whose failure must end the script.
fn critical_command(why: impl Into<String>, cmdlet: impl fmt::Display) -> SetupCommand {
    command(why, format!("{cmdlet} -ErrorAction Stop"))
}

fn command(why: impl Into<String>, command: String) -> SetupCommand {
    SetupCommand { why: why.into(), command, runs: true }
}

fn for_later(command: SetupCommand) -> SetupCommand {
    SetupCommand { runs: false, ..command }
}

/// Quotes a text for PowerShell: within single quotes only the quote itself has a meaning, and PowerShell reads curly quotes as
/// quotes too.
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

/// Removes line ends: a comment ends with its line.
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

/// As PowerShell reads it: everything but the commands that grant and verify is a comment.
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
