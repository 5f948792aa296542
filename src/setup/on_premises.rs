//! Exchange Server on premises (2010 SP2 and later): a service account with the management role `ApplicationImpersonation`. How
//! far it reaches is said by a management scope, which the assignment names in `-CustomRecipientWriteScope` (Microsoft, "How to:
//! Configure impersonation").

use super::{
    Command, Names, Part, Reach, Script, ask_adjourn, command, look_at_scope, make_scope, must, quoted,
    remove_assignment, remove_scope, stop_at_errors, warning,
};

/// The script that lets `account` (`DOMAIN\name` or `name@domain`) act.
pub fn script(reach: &Reach, account: &str, names: &Names) -> Script {
    Script {
        title: format!("Let {account} act in the calendars of {reach}"),
        warnings: warnings(reach),
        parts: vec![
            Part::new("Grant", grant(reach, account, names)),
            Part::new("Verify", verify(reach, names)),
            Part::for_later("Take it back", take_back(reach, names)),
        ],
    }
}

fn warnings(reach: &Reach) -> Vec<String> {
    let mut all = vec![
        "Run it as a file in the Exchange Management Shell, as a member of Organization Management: pasted line by line, it does not stop at an error.".to_owned(),
        "What is granted or taken back may take effect only after a while; a restart of the application pool MSExchangeServicesAppPool hurries it.".to_owned(),
    ];
    all.extend(warning(reach));
    all
}

fn grant(reach: &Reach, account: &str, names: &Names) -> Vec<Command> {
    let (label, account) = (quoted(&names.label), quoted(account));
    let mut commands = vec![stop_at_errors()];
    commands.extend(make_scope(reach, names));
    commands.push(match reach {
        Reach::Everyone => must(
            "The right to act in the name of every mailbox.",
            format_args!("New-ManagementRoleAssignment -Name {label} -Role 'ApplicationImpersonation' -User {account}"),
        ),
        Reach::RoleGroup(group) => must(
            "A role group that holds the right within the scope, with the account as its member.",
            format_args!(
                "New-RoleGroup -Name {} -Roles 'ApplicationImpersonation' -Members {account} -CustomRecipientWriteScope {label}",
                quoted(group)
            ),
        ),
        Reach::RoomsAndEquipment | Reach::Rooms | Reach::Group(_) => must(
            "The right to act in the name of what is in the scope.",
            format_args!(
                "New-ManagementRoleAssignment -Name {label} -Role 'ApplicationImpersonation' -User {account} -CustomRecipientWriteScope {label}"
            ),
        ),
    });
    commands
}

fn verify(reach: &Reach, names: &Names) -> Vec<Command> {
    let mut commands = vec![command(
        "Who holds the right, and how far: the account must be there, and nobody you do not expect.",
        "Get-ManagementRoleAssignment -Role 'ApplicationImpersonation' -GetEffectiveUsers -Delegating:$false | Format-Table Name, EffectiveUserName, CustomRecipientWriteScope, RecipientWriteScope"
            .to_owned(),
    )];
    commands.extend(look_at_scope(reach, names));
    commands.extend(ask_adjourn(reach, names));
    commands
}

fn take_back(reach: &Reach, names: &Names) -> Vec<Command> {
    let mut commands = vec![match reach {
        Reach::RoleGroup(group) => command(
            "The role group, and with it the right.",
            format!("Remove-RoleGroup -Identity {} -Confirm:$false", quoted(group)),
        ),
        _ => remove_assignment(names),
    }];
    commands.extend(remove_scope(reach, names));
    commands
}
