//! The simulated site of the demo and the connections to it: some rooms over EWS, the others over Microsoft Graph, with a token of a
//! simulated Entra ID. Performs no action.

use std::sync::Arc;
use std::time::Duration;

use super::buildings;
use crate::calendar::RoomPattern;
use crate::cli::exit::{CommandError, Exit};
use crate::exchange::{Exchange, Secret, Settings};
use crate::graph::{Graph, GraphRights, GraphSettings, UtcDays};
use crate::live::PollIntervals;
use crate::login::{ClientAuthentication, ClientCredentials, SignInMethod};
use crate::router::ConnectionRouter;
use crate::sim::{AuthScheme, Authority, AuthorityOptions, GraphOptions, Simulator, SimulatorOptions, World};

/// Interval between two polls of a room over Graph: short, so that one sees the changes.
const POLL_INTERVAL: Duration = Duration::from_secs(2);

/// A simulated Exchange that serves both protocols, and the token endpoint for Graph.
pub(super) struct SimulatedSite {
    pub(super) simulator: Arc<Simulator>,
    authority: Authority,
    client: AuthorityOptions,
    /// Of the connection over EWS.
    pub(super) settings: Settings,
}

/// Requests that the simulated Exchange received, by protocol.
#[derive(serde::Serialize)]
pub(super) struct RequestCounts {
    pub(super) ews: usize,
    pub(super) graph: usize,
}

impl SimulatedSite {
    pub(super) async fn start(world: World) -> Result<Self, CommandError> {
        let failed = |error| CommandError::new(Exit::Usage, "cannot start the simulator").caused_by(error);
        let client = AuthorityOptions::default();
        let authority = Authority::start(client.clone()).await.map_err(failed)?;
        let options = SimulatorOptions {
            tokens: authority.tokens(),
            graph: GraphOptions::with_all_permissions(),
            ..SimulatorOptions::default()
        };
        let (username, password) = (options.username.clone(), Secret::new(options.password.clone()));
        let simulator = Simulator::start(world, options).await.map_err(failed)?;
        let settings = Settings::new(simulator.url(), username, password);
        Ok(Self { simulator: Arc::new(simulator), authority, client, settings })
    }

    /// A client of the connection over EWS.
    pub(super) fn exchange(&self) -> Result<Exchange, CommandError> {
        Exchange::new(&self.settings).map_err(unreachable)
    }

    /// The connections of all rooms.
    pub(super) fn router(&self) -> Result<ConnectionRouter, CommandError> {
        let mut router = ConnectionRouter::default();
        let graph = Graph::new(&self.graph_settings()).map_err(unreachable)?;
        let patterns = buildings::over_graph().map(|room| room.parse::<RoomPattern>());
        router.add(patterns.flatten().collect(), graph);
        router.set_fallback(self.exchange()?);
        Ok(router)
    }

    fn graph_settings(&self) -> GraphSettings {
        let root = self.simulator.graph_root();
        let secret = self.client.client_secret.clone().unwrap_or_default();
        let sign_in = SignInMethod::OAuth(ClientCredentials {
            endpoint: self.authority.url(),
            client_id: self.client.client_id.clone(),
            scope: format!("{}/.default", crate::graph::WORLDWIDE),
            authentication: ClientAuthentication::Secret(Secret::new(secret)),
        });
        GraphSettings {
            poll_intervals: PollIntervals { busy: POLL_INTERVAL, idle: POLL_INTERVAL },
            rights: GraphRights::ALL,
            time_zones: Arc::new(UtcDays),
            ..GraphSettings::new(root, sign_in)
        }
    }

    /// The requests so far. Those of Graph have a token.
    pub(super) fn request_counts(&self) -> RequestCounts {
        let all = self.simulator.requests();
        let graph = all.iter().filter(|request| request.scheme == AuthScheme::Bearer).count();
        RequestCounts { ews: all.len() - graph, graph }
    }

    pub(super) async fn stop(self) {
        if let Some(simulator) = Arc::into_inner(self.simulator) {
            simulator.stop().await;
        }
        self.authority.stop().await;
    }
}

fn unreachable(error: crate::graph::SettingsError) -> CommandError {
    CommandError::new(Exit::Usage, "cannot reach the simulator").caused_by(error)
}
