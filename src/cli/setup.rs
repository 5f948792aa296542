//! `adjourn setup`: prints the commands that grant Adjourn access to rooms and nothing else. Runs none of them.

use uuid::Uuid;

use super::args::{ConnectionArgs, Deployment, ScopeKind, SetupArgs, SetupProtocol};
use super::connect;
use super::exit::{CommandError, Exit};
use super::output::Output;
use super::suggest::did_you_mean;
use crate::calendar::RoomAddress;
use crate::config::{Config, ConnectionSource, SignInSource};
use crate::setup::application::Application;
use crate::setup::online::OnlineProtocol;
use crate::setup::{GrantScope, Script, SetupNames, on_premises, online};
use crate::suggestion::closest;

pub(super) fn run(
    args: SetupArgs,
    connection: &ConnectionArgs,
    output: &Output,
) -> Result<Exit, CommandError> {
    let config = connect::load(connection)?;
    let script = match args.deployment {
        Deployment::OnPremises => for_on_premises(args, &config)?,
        Deployment::Online => for_online(args, &config)?,
    };
    output.data(&script, || script.to_string().trim_end().to_owned())?;
    Ok(Exit::Done)
}

fn for_on_premises(args: SetupArgs, config: &Config) -> Result<Script, CommandError> {
    if args.app_id.is_some() || args.object_id.is_some() {
        return Err(usage(
            "--app-id and --object-id are for --deployment online; on premises, give the service account with --account",
        ));
    }
    if matches!(args.protocol, Some(SetupProtocol::Graph | SetupProtocol::Both)) {
        return Err(usage(
            "Exchange Server on premises has no Microsoft Graph: Graph reaches mailboxes in Exchange Online only; \
             choose --protocol ews, or --deployment online for rooms that were moved there",
        ));
    }
    let (at, configured) = exchange(&args, config, windows_account)?;
    let (reach, names) = (reach(&args)?, names(&args, at, config)?);
    let account = args.account.or(configured).ok_or_else(|| {
        usage("no service account: set server.username in adjourn.toml, or give --account ACCOUNT")
    })?;
    Ok(on_premises::script(&reach, &account, &names))
}

fn for_online(args: SetupArgs, config: &Config) -> Result<Script, CommandError> {
    if args.account.is_some() {
        return Err(usage(
            "--account is for --deployment on-premises; for Exchange Online, give the application with --app-id",
        ));
    }
    let (at, configured) = exchange(&args, config, application_id)?;
    let (reach, names) = (reach(&args)?, names(&args, at, config)?);
    let application = Application { client_id: args.app_id.or(configured), object_id: args.object_id };
    online::script(protocol(&args, at, config), &reach, application, &names)
        .map_err(|error| CommandError::from_error(Exit::Usage, error))
}

/// The connection to set up, and the account or application that the configuration has for it.
fn exchange<'c, T>(
    args: &SetupArgs,
    config: &'c Config,
    who: impl Fn(&SignInSource) -> Option<T>,
) -> Result<(Option<&'c str>, Option<T>), CommandError> {
    let names = || config.exchanges().map(|exchange| exchange.name());
    let Some(wanted) = &args.connection else {
        let mut known = config.exchanges().filter_map(|one| Some((one.name(), who(one.sign_in())?)));
        return Ok(known.next().map_or((None, None), |(name, who)| (Some(name), Some(who))));
    };
    let exchange = config.exchanges().find(|exchange| exchange.name() == wanted).ok_or_else(|| {
        let meant = did_you_mean(closest(wanted, names()));
        usage(&format!("the configuration has no connection named {wanted}{meant}"))
    })?;
    Ok((Some(exchange.name()), who(exchange.sign_in())))
}

/// The protocol that was asked for, else that of the connection.
fn protocol(args: &SetupArgs, at: Option<&str>, config: &Config) -> OnlineProtocol {
    let over_graph =
        |one: &ConnectionSource| matches!(one, ConnectionSource::Graph(_)) && Some(one.name()) == at;
    match args.protocol {
        Some(SetupProtocol::Ews) => OnlineProtocol::Ews,
        Some(SetupProtocol::Graph) => OnlineProtocol::Graph,
        Some(SetupProtocol::Both) => OnlineProtocol::Both,
        None if config.exchanges().any(over_graph) => OnlineProtocol::Graph,
        None => OnlineProtocol::Ews,
    }
}

fn windows_account(sign_in: &SignInSource) -> Option<String> {
    match sign_in {
        SignInSource::OAuth(_) | SignInSource::ManagedIdentity(_) => None,
        other => other.account().map(str::to_owned),
    }
}

fn application_id(sign_in: &SignInSource) -> Option<Uuid> {
    match sign_in {
        SignInSource::OAuth(_) | SignInSource::ManagedIdentity(_) => sign_in.account()?.parse().ok(),
        _ => None,
    }
}

fn reach(args: &SetupArgs) -> Result<GrantScope, CommandError> {
    let group =
        || args.group.clone().ok_or_else(|| usage("--scope group and --scope role-group need --group GROUP"));
    Ok(match args.scope {
        ScopeKind::Everyone => GrantScope::Everyone,
        ScopeKind::RoomsAndEquipment => GrantScope::RoomsAndEquipment,
        ScopeKind::Rooms => GrantScope::Rooms,
        ScopeKind::Group => GrantScope::Group(group()?),
        ScopeKind::RoleGroup => GrantScope::RoleGroup(group()?),
    })
}

/// Names for the script: a room and an out-of-scope mailbox of this connection, or of any, where the connection is not known.
fn names(args: &SetupArgs, at: Option<&str>, config: &Config) -> Result<SetupNames, CommandError> {
    let lives_there = |address: &&RoomAddress| at.is_none() || config.connection_name(address) == at;
    let outsider = match (&args.out_of_scope, config.out_of_scope.iter().find(lives_there)) {
        (Some(given), _) => connect::parse_address("--out-of-scope", given)?.to_string(),
        (None, Some(configured)) => configured.to_string(),
        (None, None) => "somebody@example.com".to_owned(),
    };
    let room =
        config.scope.rooms().find(lives_there).map_or("room1@example.com".to_owned(), ToString::to_string);
    Ok(SetupNames { label: args.name.clone(), room, out_of_scope: outsider })
}

fn usage(message: &str) -> CommandError {
    CommandError::new(Exit::Usage, message)
}
