//! `adjourn settings`: what holds in a room, and who says so.

use super::args::{Connection, SettingsArgs};
use super::connect;
use super::exit::{Exit, Failure};
use super::output::{Output, table};
use crate::calendar::RoomAddress;

pub(super) fn run(args: &SettingsArgs, connection: &Connection, output: &Output) -> Result<Exit, Failure> {
    let room: RoomAddress =
        args.room.parse().map_err(|error| Failure::new(Exit::Usage, "ROOM is no address").because(error))?;
    let config = connect::load(connection)?;
    let settings = config.rules.explain(&room);
    output.data(&settings, || {
        let mut table = table(&["SETTING", "VALUE", "FROM"]);
        for setting in &settings {
            table.add_row([setting.name, &setting.value, &setting.from]);
        }
        table.to_string()
    })?;
    Ok(Exit::Done)
}
