//! The one place where tests and benches build a client of Microsoft Graph and its settings.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adjourn::graph::{Graph, GraphRights, GraphSettings, UtcDays};
use adjourn::login::{ExternalToken, SignInMethod};
use adjourn::sim::Simulator;

/// A client with these settings.
pub fn graph(settings: &GraphSettings) -> Graph {
    Graph::new(settings).unwrap()
}

/// Settings for a simulator, with a token that is valid for an hour, all rights, and rooms whose days are those of UTC.
pub fn graph_settings(sim: &Simulator) -> GraphSettings {
    let token = ExternalToken::Command(vec!["echo".to_owned(), sim.graph_token()]);
    GraphSettings {
        rights: GraphRights::ALL,
        time_zones: Arc::new(UtcDays),
        ..GraphSettings::new(sim.graph_root(), SignInMethod::Token(token))
    }
}

/// A client with these rights that gives a lost response up soon. It reads its token from a file in this directory.
pub fn graph_with_rights(sim: &Simulator, directory: &Path, rights: GraphRights) -> Graph {
    let token = directory.join("graph-token");
    std::fs::write(&token, sim.graph_token()).unwrap();
    let sign_in = SignInMethod::Token(ExternalToken::File(token));
    let mut settings = GraphSettings { rights, ..GraphSettings::new(sim.graph_root(), sign_in) };
    settings.timeouts.first_byte = Duration::from_secs(2);
    graph(&settings)
}
