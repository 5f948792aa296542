//! The one place where tests and benches build a client of Exchange and its settings.

use std::path::Path;
use std::time::Duration;

use adjourn::exchange::{Exchange, Secret, Settings};
use adjourn::sim::{Simulator, SimulatorOptions};

/// A client with these settings.
pub fn exchange(settings: &Settings) -> Exchange {
    Exchange::new(settings).unwrap()
}

/// Settings for a simulator and its service account. They wait two seconds for the first byte of a response.
pub fn settings(sim: &Simulator, ca_file: Option<&Path>) -> Settings {
    let mut settings = patient_settings(sim);
    settings.ca_file = ca_file.map(Into::into);
    settings.first_byte_timeout = Duration::from_secs(2);
    settings
}

/// The default settings for a simulator and its service account.
pub fn patient_settings(sim: &Simulator) -> Settings {
    let account = SimulatorOptions::default();
    account_settings(&sim.url(), &account.username, &account.password)
}

/// The default settings for a server and an account.
pub fn account_settings(url: &str, username: &str, password: &str) -> Settings {
    Settings::new(url, username, Secret::new(password.to_owned()))
}
