//! Reads the logos of `[[room_groups]]`, at start and on reload. Checks nothing itself ([`crate::console::Logo`] does).

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use super::exit::{CommandError, Exit};
use crate::config::Config;
use crate::console::{LOGO_BYTES_MAX, Logo};

/// Different logos of a configuration; their bytes stay in memory.
pub(super) const LOGOS_MAX: usize = 100;

/// Reads every logo, and sets the path at which the service serves it in its room group.
pub(super) fn read(config: &mut Config) -> Result<Vec<Logo>, CommandError> {
    let (mut logos, mut paths) = (Vec::new(), HashSet::new());
    for file in &config.logos {
        let logo = open(&file.path)?;
        let path = logo.path();
        if let Some(group) = config.service.rules.room_groups.get_mut(file.group) {
            group.logo = Some(path.clone());
        }
        if paths.insert(path) {
            logos.push(logo);
        }
        if logos.len() > LOGOS_MAX {
            let message = format!("the room groups have more than {LOGOS_MAX} different logos");
            return Err(CommandError::new(Exit::Usage, message));
        }
    }
    Ok(logos)
}

fn open(path: &Path) -> Result<Logo, CommandError> {
    let unusable =
        || CommandError::new(Exit::Usage, format!("cannot use {} as room_groups.logo", path.display()));
    let content = read_file(path).map_err(|error| unusable().caused_by(error))?;
    Logo::new(content).map_err(|error| unusable().caused_by(error))
}

/// Reads at most one byte more than a logo may have.
fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(LOGO_BYTES_MAX as u64 + 1).read_to_end(&mut content)?;
    Ok(content)
}
