//! The parts of the script that grant rights over Microsoft Graph: roles of Exchange Online, limited by a management scope
//! (Microsoft, "Role Based Access Control for Applications in Exchange Online"). They use again what the script for EWS has made:
//! the application and the scope.
//!
//! A permission that is consented to in Entra adds to these rights and knows no scope, so the script asks for none but two that open
//! no mailbox.

use super::application::{
    Application, authorization, connect, delete_application, remove_service_principal, unknown_id_warning,
};
use super::{
    GrantScope, Part, SetupCommand, SetupNames, application, command, for_later, group_name,
    list_scope_members, powershell_quoted, remove_scope, verify_with_adjourn, warning,
};

pub(super) const CONSENT_WARNING: &str = "WARNING: consent in Entra to no permission for calendars or mail. A consent adds to the rights below: with Calendars.ReadWrite the application reaches every mailbox of the tenant, whatever the scope.";

/// The one right that Adjourn needs.
const CALENDARS: &str = "Application Calendars.ReadWrite";

/// Rights with a role of Exchange Online, and their worth.
const OPTIONAL_ROLES: [(&str, &str); 2] = [
    (
        "Mail.ReadBasic",
        "Reads subject, addresses and times of messages. With it Adjourn proves from Sent Items that a decline or cancellation in doubt was sent; without it the answer says that the event is gone, and not by whom.",
    ),
    (
        "MailboxItem.Read",
        "Reads id, type, size and times of items, removed ones too. With it Adjourn proves that it removed an event itself; without it the answer says that the event is gone, and not by whom.",
    ),
];

/// Permissions of Entra without such a role, and their worth.
const OPTIONAL_CONSENTS: [(&str, &str); 2] = [
    (
        "Place.Read.All",
        "Reads names and addresses of rooms and room lists, for scope.room_lists. Exchange has no role for it, so the consent counts in the whole tenant; it opens no mailbox.",
    ),
    (
        "User.ReadBasic.All",
        "Reads names and addresses of people, for cleanup.organizer_gone. Exchange has no role for it, so the consent counts in the whole tenant; it opens no mailbox.",
    ),
];

pub(super) fn warnings(reach: &GrantScope, application: Application) -> Vec<String> {
    let mut all = vec![
        CONSENT_WARNING.to_owned(),
        "Run it as a file in PowerShell with the module ExchangeOnlineManagement, as a member of Organization Management: pasted line by line, it does not stop at an error.".to_owned(),
        "A grant or its removal takes effect after 30 minutes to 2 hours.".to_owned(),
        "If Set-CalendarProcessing -EnableAutoRelease is on for a room, Exchange releases its meetings as well: use one of the two.".to_owned(),
    ];
    all.extend(warning(reach));
    all.extend(unknown_id_warning(application));
    all
}

pub(super) fn parts(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<Part> {
    vec![
        Part::for_later("First, in Entra", in_entra(application)),
        Part::new("Connect", connect(application, stop_at_errors())),
        Part::new("Grant", grant(reach, names)),
        Part::for_later("Optional rights", optional_rights(reach, application, names)),
        Part::new("Verify", verify(reach, application, names)),
        Part::for_later("Take it back", revoke(reach, application, names)),
    ]
}

pub(super) fn in_entra(application: Application) -> Vec<SetupCommand> {
    let mut steps = application::in_entra(
        application,
        "Consent to no permission for calendars or mail, neither of Microsoft Graph nor of Office 365 Exchange Online. Grants add up: with Calendars.ReadWrite or full_access_as_app the application reaches every mailbox, whatever the scope below.",
    );
    steps.push(command(
        "A managed identity has no registration. Its enterprise application shows both ids.",
        "Enterprise applications > Application type: Managed Identities > the identity > Overview".to_owned(),
    ));
    steps
}

/// See the function of this name in the module above. Nothing needs to be taken back here before another run.
pub(super) fn stop_at_errors() -> SetupCommand {
    SetupCommand {
        why: "An error ends the script, so that it grants nothing over another scope. It may be run again: what it granted stays."
            .to_owned(),
        ..super::stop_at_errors()
    }
}

/// The application and the scope, unless they are there already, and the right.
pub(super) fn grant(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let label = powershell_quoted(&names.label);
    let mut commands = vec![command(
        "Register the application with Exchange Online, unless it is registered already.",
        format!(
            "if (-not (Get-ServicePrincipal -ErrorAction Stop | Where-Object {{ $_.AppId -eq $app }})) {{ New-ServicePrincipal -AppId $app -ObjectId $object -DisplayName {label} -ErrorAction Stop }}"
        ),
    )];
    commands.extend(make_scope_once(reach, names));
    commands.push(assign_once(reach, names, &calendars_assignment(names), CALENDARS));
    commands
}

/// A scope of this name is used again only if its filter is the same: another one may open other mailboxes.
fn make_scope_once(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let Some(filter) = super::filter(reach) else { return Vec::new() };
    let label = powershell_quoted(&names.label);
    let mut commands: Vec<_> = group_name(reach).into_iter().collect();
    commands.extend([
        command(format!("The scope: {reach}, and nothing else."), format!("$filter = {filter}")),
        command(
            "The scope of this name, if there is one: rights over EWS and over Graph share it.",
            format!("$scope = Get-ManagementScope -ErrorAction Stop | Where-Object {{ $_.Name -eq {label} }}"),
        ),
        command(
            "Stop at a scope with another filter: it may open other mailboxes.",
            format!("if ($scope -and $scope.RecipientFilter -ne $filter) {{ throw \"{SCOPE_DIFFERS}\" }}"),
        ),
        command(
            "Create the scope, unless it is there already.",
            format!("if (-not $scope) {{ New-ManagementScope -Name {label} -RecipientRestrictionFilter $filter -ErrorAction Stop }}"),
        ),
    ]);
    commands
}

/// Grants a role under this name, unless the application has it under this name and with this scope already. Under another scope the
/// name is taken, so the command fails and ends the script.
pub(super) fn assign_once(
    reach: &GrantScope,
    names: &SetupNames,
    assignment: &str,
    role: &str,
) -> SetupCommand {
    let label = powershell_quoted(&names.label);
    let (why, scope, has_scope) = match reach {
        GrantScope::Everyone => ("in every mailbox", String::new(), "-not $_.CustomResourceScope".to_owned()),
        _ => (
            "in the mailboxes in the scope",
            format!(" -CustomResourceScope {label}"),
            format!("$_.CustomResourceScope -eq {label}"),
        ),
    };
    let name = powershell_quoted(assignment);
    let has_it = format!("$_.Name -eq {name} -and $_.Role -eq '{role}' -and {has_scope}");
    command(
        format!("Grant the right {role} {why}, unless it is granted already."),
        format!(
            "if (-not (Get-ManagementRoleAssignment -RoleAssignee $object -ErrorAction Stop | Where-Object {{ {has_it} }})) {{ New-ManagementRoleAssignment -Name {name} -App $object -Role '{role}'{scope} -ErrorAction Stop }}"
        ),
    )
}

/// Administrators run these one by one, perhaps on another day, so they use no variable of the script.
pub(super) fn optional_rights(
    reach: &GrantScope,
    application: Application,
    names: &SetupNames,
) -> Vec<SetupCommand> {
    let scope = match reach {
        GrantScope::Everyone => String::new(),
        _ => format!(" -CustomResourceScope {}", powershell_quoted(&names.label)),
    };
    let object = application.object_id_or_placeholder();
    let roles = OPTIONAL_ROLES.map(|(right, worth)| {
        let name = powershell_quoted(&optional_assignment(names, right));
        command(
            worth,
            format!("New-ManagementRoleAssignment -Name {name} -App '{object}' -Role 'Application {right}'{scope} -ErrorAction Stop"),
        )
    });
    let consents = OPTIONAL_CONSENTS.map(|(permission, worth)| {
        let place = "App registrations > the application > API permissions > Microsoft Graph > Application permissions";
        command(worth, format!("{place} > {permission} > Grant admin consent"))
    });
    roles.into_iter().chain(consents).collect()
}

pub(super) fn verify(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![
        command(
            "List the application's roles and scopes: those granted here, and none that you do not expect.",
            "Get-ManagementRoleAssignment -RoleAssignee $object | Format-Table Name, Role, CustomResourceScope".to_owned(),
        ),
        command(
            "The room: InScope must be True. This bypasses the cache, so Graph may refuse the application for 30 minutes to 2 hours more.",
            authorization(&names.room),
        ),
    ];
    if *reach != GrantScope::Everyone {
        commands.push(command(
            "A mailbox out of scope: InScope must be False. This does not show consents of Entra, which open it all the same.",
            authorization(&names.out_of_scope),
        ));
    }
    commands.extend(list_scope_members(reach, names));
    commands.extend([
        for_later(command(
            "The permissions consented to in Entra, read from Microsoft Graph: Calendars.ReadWrite (ef54d2bf-783f-4e0f-bca1-3210c0444d99) must not be among them, nor any other for calendars or mail.",
            format!(
                "Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId '{}' | Format-Table ResourceDisplayName, AppRoleId",
                application.object_id_or_placeholder()
            ),
        )),
        for_later(command(
            "In adjourn.toml, in the table of the connection.",
            "protocol = \"graph\"".to_owned(),
        )),
    ]);
    commands.extend(verify_with_adjourn(reach, names));
    commands
}

/// Administrators run these one by one, perhaps on another day, so they use no variable of the script.
pub(super) fn revoke(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<SetupCommand> {
    let remove = |why: String, assignment: &str| {
        let name = powershell_quoted(assignment);
        command(why, format!("Remove-ManagementRoleAssignment -Identity {name} -Confirm:$false"))
    };
    let mut commands =
        vec![remove("Remove the right to calendars.".to_owned(), &calendars_assignment(names))];
    commands.extend(OPTIONAL_ROLES.map(|(right, _)| {
        remove(format!("Remove the right {right}, if it was granted."), &optional_assignment(names, right))
    }));
    commands.extend(remove_scope(reach, names));
    commands.extend([remove_service_principal(application), delete_application()]);
    commands
}

fn calendars_assignment(names: &SetupNames) -> String {
    format!("{} Graph", names.label)
}

fn optional_assignment(names: &SetupNames, right: &str) -> String {
    format!("{} {right}", names.label)
}

const SCOPE_DIFFERS: &str = "The scope exists with another filter: $($scope.RecipientFilter). Nothing was granted. Choose another name (--name). If both filters mean the same mailboxes, remove this line and run the script again.";
