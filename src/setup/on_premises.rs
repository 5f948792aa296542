//! The script for Exchange Server on premises (2010 SP2 and later): a service account with the management role
//! `ApplicationImpersonation`. A management scope, named by `-CustomRecipientWriteScope`, limits it (Microsoft, "How to:
//! Configure impersonation").

use super::{
    GrantScope, Part, Script, SetupCommand, SetupNames, command, critical_command, list_scope_members,
    make_scope, powershell_quoted, remove_assignment, remove_scope, stop_at_errors, verify_with_adjourn,
    warning,
};

/// The script that lets `account` (`DOMAIN\name` or `name@domain`) act.
pub(crate) fn script(reach: &GrantScope, account: &str, names: &SetupNames) -> Script {
    Script {
        title: format!("Let {account} act in the calendars of {reach}"),
        warnings: warnings(reach),
        parts: vec![
            Part::new("Grant", grant(reach, account, names)),
            Part::new("Verify", verify(reach, names)),
            Part::for_later("Take it back", revoke(reach, names)),
        ],
    }
}

fn warnings(reach: &GrantScope) -> Vec<String> {
    let mut all = vec![
        "Run it as a file in the Exchange Management Shell, as a member of Organization Management: pasted line by line, it does not stop at an error.".to_owned(),
        "A grant or its removal may take a while to take effect; restarting the application pool MSExchangeServicesAppPool makes it immediate.".to_owned(),
    ];
    all.extend(warning(reach));
    all
}

fn grant(reach: &GrantScope, account: &str, names: &SetupNames) -> Vec<SetupCommand> {
    let (label, account) = (powershell_quoted(&names.label), powershell_quoted(account));
    let mut commands = vec![stop_at_errors()];
    commands.extend(make_scope(reach, names));
    commands.push(match reach {
        GrantScope::Everyone => critical_command(
            "Grant the right to act as every mailbox.",
            format_args!("New-ManagementRoleAssignment -Name {label} -Role 'ApplicationImpersonation' -User {account}"),
        ),
        GrantScope::RoleGroup(group) => critical_command(
            "Create a role group that holds the right within the scope, with the account as its member.",
            format_args!(
                "New-RoleGroup -Name {} -Roles 'ApplicationImpersonation' -Members {account} -CustomRecipientWriteScope {label}",
                powershell_quoted(group)
            ),
        ),
        GrantScope::RoomsAndEquipment | GrantScope::Rooms | GrantScope::Group(_) => critical_command(
            "Grant the right to act as the mailboxes in the scope.",
            format_args!(
                "New-ManagementRoleAssignment -Name {label} -Role 'ApplicationImpersonation' -User {account} -CustomRecipientWriteScope {label}"
            ),
        ),
    });
    commands
}

fn verify(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![command(
        "List the holders of the right and their scopes: the account must be among them, and no account that you do not expect.",
        "Get-ManagementRoleAssignment -Role 'ApplicationImpersonation' -GetEffectiveUsers -Delegating:$false | Format-Table Name, EffectiveUserName, CustomRecipientWriteScope, RecipientWriteScope"
            .to_owned(),
    )];
    commands.extend(list_scope_members(reach, names));
    commands.extend(verify_with_adjourn(reach, names));
    commands
}

fn revoke(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![match reach {
        GrantScope::RoleGroup(group) => command(
            "Remove the role group, and with it the right.",
            format!("Remove-RoleGroup -Identity {} -Confirm:$false", powershell_quoted(group)),
        ),
        _ => remove_assignment(names),
    }];
    commands.extend(remove_scope(reach, names));
    commands
}
