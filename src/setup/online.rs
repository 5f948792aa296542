//! The script for Exchange Online: an application of Entra with the role `Application EWS.AccessAsApp`, or with a role of Graph
//! (`graph.rs`), or with both for the time of the move, limited by a management
//! scope (Microsoft, "Role Based Access Control for Applications in Exchange Online"). Exchange Online removed the older role
//! `ApplicationImpersonation`.
//!
//! The tenant must also allow the application to use EWS: `EwsEnabled`, and a list of applications that every write replaces as a
//! whole (Microsoft, "Control access to EWS in Exchange"). These commands come before the grant, since they may have to stop: a
//! list with Adjourn alone would lock every other application out.

use super::application::{
    Application, authorization, connect, delete_application, in_entra, remove_service_principal,
    unknown_id_warning,
};
use super::{
    GrantScope, Part, Script, SetupCommand, SetupNames, command, critical_command, for_later, graph,
    list_scope_members, make_scope, powershell_quoted, remove_assignment, remove_scope, stop_at_errors,
    verify_with_adjourn, warning,
};

/// How the application will reach the mailboxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnlineProtocol {
    /// EWS, until it ends.
    Ews,
    /// Microsoft Graph.
    Graph,
    /// Both, for the time of the move: one application, one scope, two rights.
    Both,
}

/// An application cannot be a member of a role group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "in Exchange Online an application cannot be a member of a role group; choose --scope rooms, which covers the same mailboxes"
)]
pub(crate) struct RoleGroupUnsupported;

/// The script that lets `application` act.
pub(crate) fn script(
    protocol: OnlineProtocol,
    reach: &GrantScope,
    application: Application,
    names: &SetupNames,
) -> Result<Script, RoleGroupUnsupported> {
    if let GrantScope::RoleGroup(_) = reach {
        return Err(RoleGroupUnsupported);
    }
    let over = match protocol {
        OnlineProtocol::Ews => "",
        OnlineProtocol::Graph => ", over Microsoft Graph",
        OnlineProtocol::Both => ", over EWS and Microsoft Graph",
    };
    let (warnings, parts) = match protocol {
        OnlineProtocol::Ews => (warnings(reach, application), over_ews(reach, application, names)),
        OnlineProtocol::Graph => {
            (graph::warnings(reach, application), graph::parts(reach, application, names))
        }
        OnlineProtocol::Both => (
            warnings(reach, application).into_iter().chain([graph::CONSENT_WARNING.to_owned()]).collect(),
            over_both(reach, application, names),
        ),
    };
    let id = application.client_id_or_placeholder();
    let title = format!("Let the application {id} act in the calendars of {reach}, in Exchange Online{over}");
    Ok(Script { title, warnings, parts })
}

fn over_ews(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<Part> {
    vec![
        Part::for_later("First, in Entra", in_entra(application, CONSENT)),
        Part::new("Connect", connect(application, stop_at_errors())),
        Part::new("Let EWS answer to the application", let_ews_answer()),
        Part::new("Grant", grant(reach, names)),
        Part::new("Verify", verify(reach, application, names)),
        Part::for_later("Take it back", revoke(reach, application, names)),
    ]
}

/// The parts of Graph, and the right over EWS among them. What a script for EWS alone has made is used again.
fn over_both(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<Part> {
    let mut grant = graph::grant(reach, names);
    grant.push(graph::assign_once(reach, names, &names.label, "Application EWS.AccessAsApp"));
    let mut verify = graph::verify(reach, application, names);
    verify.extend(verify_ews(names));
    vec![
        Part::for_later("First, in Entra", graph::in_entra(application)),
        Part::new("Connect", connect(application, graph::stop_at_errors())),
        Part::new("Let EWS answer to the application", let_ews_answer()),
        Part::new("Grant", grant),
        Part::for_later("Optional rights", graph::optional_rights(reach, application, names)),
        Part::new("Verify", verify),
        Part::for_later(
            "After the move, when no connection has EWS any more",
            [vec![remove_assignment(names)], leave_ews(application)].concat(),
        ),
        Part::for_later("Take it back", graph::revoke(reach, application, names)),
    ]
}

fn warnings(reach: &GrantScope, application: Application) -> Vec<String> {
    let mut all = [
        "WARNING: Microsoft ends EWS in Exchange Online. Since 1 October 2026 Microsoft turns it off tenant by tenant, unless EwsEnabled is True; then EWS responds only to the applications in EwsAllowedAppIDs. On 1 April 2027 it ends in every tenant, and no exception is announced.",
        "That means: Adjourn reaches rooms in Exchange Online until 31 March 2027 at most, whatever is granted here. Rooms on Exchange Server on premises are not concerned.",
        "WARNING: EwsEnabled and EwsAllowedAppIDs hold for the whole tenant: with both set, every application that is not on the list is refused. Compare the list with the EWS usage report of the Microsoft 365 admin center.",
        "Run it as a file in PowerShell with the module ExchangeOnlineManagement, as a member of Organization Management: pasted line by line, it does not stop at an error.",
        "A grant or its removal takes effect after 30 minutes to 2 hours; a change of EwsAllowedAppIDs may take 24 hours.",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend(warning(reach));
    all.extend(unknown_id_warning(application));
    all
}

fn let_ews_answer() -> Vec<SetupCommand> {
    vec![
        command(
            "Show the settings of EWS. If EwsApplicationAccessPolicy is set, it must allow the user agent adjourn/* too.",
            "Get-OrganizationConfig | Format-List Ews*".to_owned(),
        ),
        command(
            "Read the applications that are allowed now. Without the switch the list always looks empty.",
            format!("$allowed = @({ALLOWED})"),
        ),
        command(
            "Keep this line: a write replaces the list, and this restores it.",
            "\"EwsAllowedAppIDs before: $($allowed -join ',')\"".to_owned(),
        ),
        command(
            "Stop at an empty list while EWS is on: other applications may use EWS, and a new list would lock them out. Write the list first.",
            format!("if (-not $allowed -and (Get-OrganizationConfig -ErrorAction Stop).EwsEnabled -ne $false) {{ throw '{LIST_IS_EMPTY}' }}"),
        ),
        command(
            "Add the application to the list.",
            "if ($allowed -notcontains $app) { Set-OrganizationConfig -EwsAllowedAppIDs (($allowed + $app) -join ',') -ErrorAction Stop }"
                .to_owned(),
        ),
        critical_command(
            "Turn EWS on for the applications on the list. This follows the list: without one, EWS responds to no application.",
            "Set-OrganizationConfig -EwsEnabled $true",
        ),
    ]
}

fn grant(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let label = powershell_quoted(&names.label);
    let mut commands = vec![critical_command(
        "Register the application with Exchange Online. Leave this out if it is registered already.",
        format_args!("New-ServicePrincipal -AppId $app -ObjectId $object -DisplayName {label}"),
    )];
    commands.extend(make_scope(reach, names));
    let assignment = format!(
        "New-ManagementRoleAssignment -Name {label} -App $object -Role 'Application EWS.AccessAsApp'"
    );
    commands.push(match reach {
        GrantScope::Everyone => critical_command("Grant the right to act in every mailbox.", assignment),
        _ => critical_command(
            "Grant the right to act in the mailboxes in the scope.",
            format_args!("{assignment} -CustomResourceScope {label}"),
        ),
    });
    commands
}

fn verify(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![
        command(
            "List the application's roles and scopes: this one role, and none that you do not expect.",
            "Get-ManagementRoleAssignment -RoleAssignee $object | Format-Table Name, Role, CustomResourceScope".to_owned(),
        ),
        command(
            "The room: InScope must be True. This bypasses the cache, so Exchange may refuse the application for 2 hours more.",
            authorization(&names.room),
        ),
    ];
    if *reach != GrantScope::Everyone {
        commands.push(command(
            "A mailbox out of scope: InScope must be False.",
            authorization(&names.out_of_scope),
        ));
    }
    commands.extend(list_scope_members(reach, names));
    commands.extend(verify_ews(names));
    commands.extend([
        for_later(command(
            "The permissions consented to in Entra, read from Microsoft Graph: full_access_as_app (dc890d15-9560-4a4c-9b7f-a736ec74ec40) must not be among them.",
            format!("Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId '{}' | Format-Table ResourceDisplayName, AppRoleId", application.object_id_or_placeholder()),
        )),
        for_later(command(
            "In adjourn.toml: Autodiscover does not work for an application that holds its right this way.",
            "url = \"https://outlook.office365.com/EWS/Exchange.asmx\"".to_owned(),
        )),
    ]);
    commands.extend(verify_with_adjourn(reach, names));
    commands
}

fn verify_ews(names: &SetupNames) -> [SetupCommand; 2] {
    [
        command(
            "The applications that may use EWS in this tenant: this one must be on the list.",
            "Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy | Format-List EwsAllowedAppIDs"
                .to_owned(),
        ),
        command(
            "The same for the room: EwsEnabled must not be False.",
            format!("Get-CASMailbox -Identity {} | Format-List Ews*", powershell_quoted(&names.room)),
        ),
    ]
}

/// Administrators run these one by one, perhaps on another day, so they use no variable of the script.
fn revoke(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![remove_assignment(names)];
    commands.extend(remove_scope(reach, names));
    commands.push(remove_service_principal(application));
    commands.extend(leave_ews(application));
    commands.push(delete_application());
    commands
}

/// The commands that take the application off the list of EWS.
fn leave_ews(application: Application) -> Vec<SetupCommand> {
    vec![
        command(
            "Read the applications that may use EWS without it.",
            format!("$left = @({ALLOWED}) -ne '{}'", application.client_id_or_placeholder()),
        ),
        command(
            "Write the list without it, if others are on it.",
            "if ($left) { Set-OrganizationConfig -EwsAllowedAppIDs ($left -join ',') }".to_owned(),
        ),
        command(
            "Only if no other application is on the list: turn EWS off, as Microsoft recommends.",
            "Set-OrganizationConfig -EwsEnabled $false".to_owned(),
        ),
    ]
}

const CONSENT: &str = "Consent to nothing for Office 365 Exchange Online. Grants add up: with full_access_as_app the application reaches every mailbox, whatever the scope below.";

/// Joins and splits the list, since PowerShell returns one text with commas or an array.
const ALLOWED: &str = "@((Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy -ErrorAction Stop).EwsAllowedAppIDs) -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ }";

const LIST_IS_EMPTY: &str = "EwsAllowedAppIDs is empty and EWS is on: with Adjourn alone on the list, Exchange would refuse every other application that uses EWS. Nothing was changed. Write the list first (Set-OrganizationConfig -EwsAllowedAppIDs), from the EWS usage report; if no other application uses EWS, with the id of Adjourn alone. Then run this again.";
