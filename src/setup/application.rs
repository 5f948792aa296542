//! The application of Entra that acts in Exchange Online, over EWS or over Graph: the steps and commands that both share.

use uuid::Uuid;

use super::{SetupCommand, command, critical_command, powershell_quoted};

/// The application, by the two ids that Exchange Online needs. The script holds a word in capitals for an unknown id, and stops
/// there before it changes anything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Application {
    /// The application (client) id.
    pub client_id: Option<Uuid>,
    /// The object id of the enterprise application; that of the registration is another.
    pub object_id: Option<Uuid>,
}

impl Application {
    pub(super) fn client_id_or_placeholder(self) -> String {
        self.client_id.map_or_else(|| APP_UNKNOWN.to_owned(), |id| id.to_string())
    }

    pub(super) fn object_id_or_placeholder(self) -> String {
        self.object_id.map_or_else(|| OBJECT_UNKNOWN.to_owned(), |id| id.to_string())
    }
}

/// The steps in a browser that come first: they create the application. `consent` warns about permissions.
pub(super) fn in_entra(application: Application, consent: &str) -> Vec<SetupCommand> {
    let steps = [
        (
            "Register an application of this tenant alone; it needs no redirect URI.",
            "Entra admin center > App registrations > New registration",
        ),
        (
            "Add its credential: a certificate, or a secret, which anyone who reads it can use until it expires.",
            "App registrations > the application > Certificates & secrets",
        ),
        (consent, "App registrations > the application > API permissions"),
        (
            "Copy the id for --app-id.",
            "App registrations > the application > Overview > Application (client) ID",
        ),
        (
            "Copy the id for --object-id. It is the object id of the enterprise application; the one under App registrations is another.",
            "Enterprise applications > the application > Overview > Object ID",
        ),
    ];
    let mut commands: Vec<_> = steps.map(|(why, place)| command(why, place.to_owned())).into();
    commands.push(command(
        "Or read both ids from Microsoft Graph (module Microsoft.Graph.Applications): AppId, and Id, which is the object id.",
        format!("Get-MgServicePrincipal -Filter \"appId eq '{}'\" | Format-List DisplayName, AppId, Id", application.client_id_or_placeholder()),
    ));
    commands
}

/// The connection to Exchange Online; `at_errors` ends the script at an error.
pub(super) fn connect(application: Application, at_errors: SetupCommand) -> Vec<SetupCommand> {
    vec![
        at_errors,
        command(
            "The application's id. Anything but an id ends the script here.",
            format!("$app = ([guid]'{}').ToString()", application.client_id_or_placeholder()),
        ),
        command(
            "The object id of its enterprise application.",
            format!("$object = ([guid]'{}').ToString()", application.object_id_or_placeholder()),
        ),
        critical_command(
            "Connect to Exchange Online. If the command is missing: Install-Module ExchangeOnlineManagement.",
            "Connect-ExchangeOnline -ShowBanner:$false",
        ),
    ]
}

/// The warning where an id is not known.
pub(super) fn unknown_id_warning(application: Application) -> Option<String> {
    let is_unknown = application.client_id.is_none() || application.object_id.is_none();
    is_unknown.then(|| {
        format!("Replace {APP_UNKNOWN} and {OBJECT_UNKNOWN} by the ids, or give --app-id and --object-id: the script stops at these words.")
    })
}

/// The command that shows the application's rights in a mailbox.
pub(super) fn authorization(mailbox: &str) -> String {
    format!(
        "Test-ServicePrincipalAuthorization -Identity $object -Resource {} | Format-Table RoleName, AllowedResourceScope, ScopeType, InScope",
        powershell_quoted(mailbox)
    )
}

pub(super) fn remove_service_principal(application: Application) -> SetupCommand {
    command(
        "Remove the application's registration, unless it holds another role.",
        format!(
            "Remove-ServicePrincipal -Identity '{}' -Confirm:$false",
            application.object_id_or_placeholder()
        ),
    )
}

pub(super) fn delete_application() -> SetupCommand {
    command(
        "Delete the application, and with it every certificate and secret.",
        "Entra admin center > App registrations > the application > Delete".to_owned(),
    )
}

const APP_UNKNOWN: &str = "APPLICATION-CLIENT-ID";
const OBJECT_UNKNOWN: &str = "ENTERPRISE-APPLICATION-OBJECT-ID";
