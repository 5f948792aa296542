//! Exchange Online: an application of Entra with the role `Application EWS.AccessAsApp`, as far as a management scope reaches
//! (Microsoft, "Role Based Access Control for Applications in Exchange Online"). The older role `ApplicationImpersonation` is
//! gone there.
//!
//! Besides the right, the tenant must let EWS answer to the application at all: `EwsEnabled`, and a list of applications that
//! a write replaces as a whole (Microsoft, "Control access to EWS in Exchange"). That comes before the grant, since it may
//! have to stop: a list with Adjourn alone would shut out every other application.

use uuid::Uuid;

use super::{
    GrantScope, Part, Script, SetupCommand, SetupNames, command, critical_command, for_later,
    list_scope_members, make_scope, powershell_quoted, remove_assignment, remove_scope, stop_at_errors,
    verify_with_adjourn, warning,
};

/// The application, under the two ids that Exchange Online wants to know. What is not known yet stands in the script as a word
/// in capitals, at which it stops before it has asked or changed anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Application {
    /// The application (client) id.
    pub client_id: Option<Uuid>,
    /// The object id of the enterprise application; that of the registration is another.
    pub object_id: Option<Uuid>,
}

/// An application cannot be reached by way of a role group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "in Exchange Online an application holds its role itself, never as a member of a role group: choose --scope rooms, which reaches as far"
)]
pub struct RoleGroupUnsupported;

/// The script that lets `application` act.
pub fn script(
    reach: &GrantScope,
    application: Application,
    names: &SetupNames,
) -> Result<Script, RoleGroupUnsupported> {
    if let GrantScope::RoleGroup(_) = reach {
        return Err(RoleGroupUnsupported);
    }
    Ok(Script {
        title: format!(
            "Let the application {} act in the calendars of {reach}, in Exchange Online",
            application.client_id_or_placeholder()
        ),
        warnings: warnings(reach, application),
        parts: vec![
            Part::for_later("First, in Entra", in_entra(application)),
            Part::new("Connect", connect(application)),
            Part::new("Let EWS answer to the application", let_ews_answer()),
            Part::new("Grant", grant(reach, names)),
            Part::new("Verify", verify(reach, application, names)),
            Part::for_later("Take it back", revoke(reach, application, names)),
        ],
    })
}

fn warnings(reach: &GrantScope, application: Application) -> Vec<String> {
    let mut all = [
        "WARNING: Microsoft ends EWS in Exchange Online. Since 1 October 2026 it is switched off tenant by tenant, unless EwsEnabled is True; then only the applications in EwsAllowedAppIDs are answered. On 1 April 2027 it ends in every tenant, and no exception is announced.",
        "That means: Adjourn reaches rooms in Exchange Online until 31 March 2027 at most, whatever is granted here. Rooms on Exchange Server on premises are not concerned.",
        "WARNING: EwsEnabled and EwsAllowedAppIDs hold for the whole tenant: with both set, every application that is not on the list is refused. Compare the list with the EWS usage report of the Microsoft 365 admin center.",
        "Run it as a file in PowerShell with the module ExchangeOnlineManagement, as a member of Organization Management: pasted line by line, it does not stop at an error.",
        "What is granted or taken back takes effect after 30 minutes to 2 hours; a change of EwsAllowedAppIDs may take 24 hours.",
    ]
    .map(str::to_owned)
    .to_vec();
    all.extend(warning(reach));
    if application.client_id.is_none() || application.object_id.is_none() {
        all.push(format!("Put the ids for {APP_UNKNOWN} and {OBJECT_UNKNOWN}, or give --app-id and --object-id: the script stops at these words."));
    }
    all
}

/// What is done in a browser, before there is anything to connect to.
fn in_entra(application: Application) -> Vec<SetupCommand> {
    let steps = [
        (
            "An application of this tenant alone; it needs no redirect URI.",
            "Entra admin center > App registrations > New registration",
        ),
        (
            "What it signs in with: a certificate, or a secret, which anybody who reads it can use until it expires.",
            "App registrations > the application > Certificates & secrets",
        ),
        (
            "Consent to nothing for Office 365 Exchange Online. Grants add up: full_access_as_app reaches every mailbox, and the scope below would be void.",
            "App registrations > the application > API permissions",
        ),
        ("The id for --app-id.", "App registrations > the application > Overview > Application (client) ID"),
        (
            "The id for --object-id. Of two object ids this is the one of the enterprise application; that under App registrations does not do.",
            "Enterprise applications > the application > Overview > Object ID",
        ),
    ];
    let mut commands: Vec<_> = steps.map(|(why, place)| command(why, place.to_owned())).into();
    commands.push(command(
        "The same two ids, asked of Microsoft Graph (module Microsoft.Graph.Applications): AppId, and Id, which is the object id.",
        format!("Get-MgServicePrincipal -Filter \"appId eq '{}'\" | Format-List DisplayName, AppId, Id", application.client_id_or_placeholder()),
    ));
    commands
}

fn connect(application: Application) -> Vec<SetupCommand> {
    vec![
        stop_at_errors(),
        command(
            "The application. What is no id ends the script here.",
            format!("$app = ([guid]'{}').ToString()", application.client_id_or_placeholder()),
        ),
        command(
            "Its enterprise application.",
            format!("$object = ([guid]'{}').ToString()", application.object_id_or_placeholder()),
        ),
        critical_command(
            "To Exchange Online; if the command is missing: Install-Module ExchangeOnlineManagement.",
            "Connect-ExchangeOnline -ShowBanner:$false",
        ),
    ]
}

fn let_ews_answer() -> Vec<SetupCommand> {
    vec![
        command(
            "How EWS stands. If EwsApplicationAccessPolicy is set, it must let the user agent adjourn/* pass as well.",
            "Get-OrganizationConfig | Format-List Ews*".to_owned(),
        ),
        command(
            "Which applications are allowed now. Without the switch the list looks empty, whatever is on it.",
            format!("$allowed = @({ALLOWED})"),
        ),
        command(
            "Keep this line: a write replaces the list, and this is the way back.",
            "\"EwsAllowedAppIDs before: $($allowed -join ',')\"".to_owned(),
        ),
        command(
            "An empty list while EWS is not off: others may be using it, and would be shut out. Then it is yours to write the list first.",
            format!("if (-not $allowed -and (Get-OrganizationConfig -ErrorAction Stop).EwsEnabled -ne $false) {{ throw '{LIST_IS_EMPTY}' }}"),
        ),
        command(
            "The list as it was, and the application.",
            "if ($allowed -notcontains $app) { Set-OrganizationConfig -EwsAllowedAppIDs (($allowed + $app) -join ',') -ErrorAction Stop }"
                .to_owned(),
        ),
        critical_command(
            "EWS stays on, or comes back, for what is on the list. Only after the list: without one nothing is answered.",
            "Set-OrganizationConfig -EwsEnabled $true",
        ),
    ]
}

fn grant(reach: &GrantScope, names: &SetupNames) -> Vec<SetupCommand> {
    let label = powershell_quoted(&names.label);
    let mut commands = vec![critical_command(
        "How Exchange Online knows the application. If it does already, leave this out.",
        format_args!("New-ServicePrincipal -AppId $app -ObjectId $object -DisplayName {label}"),
    )];
    commands.extend(make_scope(reach, names));
    let assignment = format!(
        "New-ManagementRoleAssignment -Name {label} -App $object -Role 'Application EWS.AccessAsApp'"
    );
    commands.push(match reach {
        GrantScope::Everyone => critical_command("The right to act in every mailbox.", assignment),
        _ => critical_command(
            "The right to act in what is in the scope.",
            format_args!("{assignment} -CustomResourceScope {label}"),
        ),
    });
    commands
}

fn verify(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![
        command(
            "What the application holds, and how far: this one role, and nothing you do not expect.",
            "Get-ManagementRoleAssignment -RoleAssignee $object | Format-Table Name, Role, CustomResourceScope".to_owned(),
        ),
        command(
            "The room: InScope must be True. This looks past the cache, so the application itself may be refused for 2 hours more.",
            authorization(&names.room),
        ),
    ];
    if *reach != GrantScope::Everyone {
        commands.push(command(
            "What is out of reach: InScope must be False.",
            authorization(&names.out_of_scope),
        ));
    }
    commands.extend(list_scope_members(reach, names));
    commands.extend([
        command(
            "Whom EWS answers in this tenant: the application must be on the list.",
            "Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy | Format-List EwsAllowedAppIDs".to_owned(),
        ),
        command(
            "The same for the room: EwsEnabled must not be False.",
            format!("Get-CASMailbox -Identity {} | Format-List Ews*", powershell_quoted(&names.room)),
        ),
        for_later(command(
            "What was consented in Entra, asked of Microsoft Graph: full_access_as_app (dc890d15-9560-4a4c-9b7f-a736ec74ec40) must not be there.",
            format!("Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId '{}' | Format-Table ResourceDisplayName, AppRoleId", application.object_id_or_placeholder()),
        )),
        for_later(command(
            "In adjourn.toml, since Autodiscover does not answer an application that holds its right this way.",
            "url = \"https://outlook.office365.com/EWS/Exchange.asmx\"".to_owned(),
        )),
    ]);
    commands.extend(verify_with_adjourn(reach, names));
    commands
}

fn authorization(mailbox: &str) -> String {
    format!(
        "Test-ServicePrincipalAuthorization -Identity $object -Resource {} | Format-Table RoleName, AllowedResourceScope, ScopeType, InScope",
        powershell_quoted(mailbox)
    )
}

/// Run one by one, perhaps on another day: nothing here stands in a variable of the script.
fn revoke(reach: &GrantScope, application: Application, names: &SetupNames) -> Vec<SetupCommand> {
    let mut commands = vec![remove_assignment(names)];
    commands.extend(remove_scope(reach, names));
    commands.extend([
        command(
            "How Exchange Online knows the application, unless it holds another role.",
            format!(
                "Remove-ServicePrincipal -Identity '{}' -Confirm:$false",
                application.object_id_or_placeholder()
            ),
        ),
        command(
            "Who is allowed to use EWS without it.",
            format!("$left = @({ALLOWED}) -ne '{}'", application.client_id_or_placeholder()),
        ),
        command(
            "The list without it, if others are on it.",
            "if ($left) { Set-OrganizationConfig -EwsAllowedAppIDs ($left -join ',') }".to_owned(),
        ),
        command(
            "Only if nobody else is on the list: EWS off, as Microsoft would have it.",
            "Set-OrganizationConfig -EwsEnabled $false".to_owned(),
        ),
        command(
            "The application, and with it every certificate and secret.",
            "Entra admin center > App registrations > the application > Delete".to_owned(),
        ),
    ]);
    commands
}

impl Application {
    fn client_id_or_placeholder(self) -> String {
        self.client_id.map_or_else(|| APP_UNKNOWN.to_owned(), |id| id.to_string())
    }

    fn object_id_or_placeholder(self) -> String {
        self.object_id.map_or_else(|| OBJECT_UNKNOWN.to_owned(), |id| id.to_string())
    }
}

const APP_UNKNOWN: &str = "APPLICATION-CLIENT-ID";
const OBJECT_UNKNOWN: &str = "ENTERPRISE-APPLICATION-OBJECT-ID";

/// Reads as one text with commas, however many are on it.
const ALLOWED: &str = "@((Get-OrganizationConfig -RetrieveEwsOperationAccessPolicy -ErrorAction Stop).EwsAllowedAppIDs) -split ',' | ForEach-Object { $_.Trim() } | Where-Object { $_ }";

const LIST_IS_EMPTY: &str = "EwsAllowedAppIDs is empty and EWS is not off: with Adjourn alone on the list, every other application that uses EWS would be refused. Nothing was changed. Write the list first (Set-OrganizationConfig -EwsAllowedAppIDs), from the EWS usage report; if nothing else uses EWS, the id of Adjourn alone. Then run this again.";
