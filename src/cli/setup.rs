//! `adjourn setup`: the commands that let the service account act in rooms, and only there.

use super::args::{Connection, ScopeKind, SetupArgs};
use super::connect;
use super::exit::{Exit, Failure};
use super::output::Output;
use crate::calendar::RoomAddress;
use crate::setup::{Names, Reach, on_premises};

pub(super) fn run(args: SetupArgs, connection: &Connection, output: &Output) -> Result<Exit, Failure> {
    let config = connect::load(connection)?;
    let account = args.account.or(config.server.map(|server| server.username)).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            "no service account: set server.username in adjourn.toml, or give --account",
        )
    })?;
    let room = config.scope.rooms().next().map_or("room1@example.com".to_owned(), ToString::to_string);
    let reach = match args.scope {
        ScopeKind::Everyone => Reach::Everyone,
        ScopeKind::RoomsAndEquipment => Reach::RoomsAndEquipment,
        ScopeKind::Rooms => Reach::Rooms,
        ScopeKind::Group => Reach::Group(named(args.group)?),
        ScopeKind::RoleGroup => Reach::RoleGroup(named(args.group)?),
    };
    let outsider: RoomAddress = args
        .out_of_scope
        .parse()
        .map_err(|error| Failure::new(Exit::Usage, "--out-of-scope is no address").because(error))?;
    let outsider = outsider.to_string();
    let script = on_premises::script(&reach, &account, &Names { label: args.name, room, outsider });
    output.data(&script, || script.to_string().trim_end().to_owned())?;
    Ok(Exit::Done)
}

fn named(group: Option<String>) -> Result<String, Failure> {
    group.ok_or_else(|| Failure::new(Exit::Usage, "name the group with --group"))
}
