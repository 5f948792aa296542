//! The rooms of a sweep, as a file lists them. A line that is no address is skipped with a warning.

use std::path::Path;

use super::exit::{CommandError, Exit};
use super::output::Output;
use crate::calendar::RoomAddress;
use crate::text_file;

/// Bytes of a list of rooms: ten thousand are less than a megabyte.
const ROOMS_BYTES_MAX: u64 = 16 << 20;

/// The rooms to sweep, and how many lines were not rooms.
#[derive(Default)]
pub(super) struct SweepRooms {
    pub(super) usable: Vec<RoomAddress>,
    pub(super) left_out: usize,
}

/// The rooms of a file, one address a line.
pub(super) fn rooms_of_file(path: &Path, output: &Output) -> Result<SweepRooms, CommandError> {
    let text = text_file::read(path, ROOMS_BYTES_MAX).map_err(|error| unreadable(path).caused_by(error))?;
    let mut named = SweepRooms::default();
    for (index, line) in text.lines().enumerate() {
        match line.split('#').next().unwrap_or_default().trim() {
            "" => {}
            room => match room.parse() {
                Ok(room) => named.usable.push(room),
                Err(error) => {
                    named.left_out += 1;
                    output.warn(&format!("{}:{}: skipped: {error}", path.display(), index + 1));
                }
            },
        }
    }
    match named.usable.is_empty() {
        true => Err(CommandError::new(
            Exit::Usage,
            format!("no rooms: {} lists no valid address", path.display()),
        )),
        false => Ok(named),
    }
}

/// The error of a file that cannot be read.
pub(super) fn unreadable(path: &Path) -> CommandError {
    CommandError::new(Exit::Usage, format!("cannot read {}", path.display()))
}
