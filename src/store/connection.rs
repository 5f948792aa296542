//! Opens SQLite connections with the settings that every file of the state directory needs. Never creates a table.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use super::directory;
use super::error::StoreError;

/// How long SQLite waits for a lock that another connection holds.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens a database for writing. Creates it if it is missing.
pub(super) fn open_to_write(path: &Path) -> Result<Connection, StoreError> {
    let connection = directory::open_database(path)?;
    prepare_to_write(&connection)?;
    Ok(connection)
}

/// Opens a database for reading.
pub(super) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let connection = directory::open_database_to_read(path)?;
    prepare(&connection)?;
    Ok(connection)
}

/// The settings of a connection that writes.
pub(super) fn prepare_to_write(connection: &Connection) -> Result<(), StoreError> {
    prepare(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Deleted content is overwritten with zeros: erased values must not stay in free pages.
    connection.pragma_update(None, "secure_delete", true)?;
    // Each commit is on the disk before it is acknowledged, the last one too.
    connection.pragma_update(None, "synchronous", "FULL")?;
    Ok(())
}

fn prepare(connection: &Connection) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY_TIMEOUT)?;
    // A damaged or hostile file must not run code.
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    Ok(())
}
