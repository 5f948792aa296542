//! The one place where tests and benches start a simulated Exchange.

use std::io::Write as _;

use adjourn::sim::{Simulator, SimulatorOptions, World};
use tempfile::NamedTempFile;

/// A simulated Exchange of this world.
pub async fn simulator(world: World) -> Simulator {
    simulator_with(world, SimulatorOptions::default()).await
}

/// A simulated Exchange of this world with these options.
pub async fn simulator_with(world: World, options: SimulatorOptions) -> Simulator {
    Simulator::start(world, options).await.unwrap()
}

/// The default options, over TLS.
pub fn over_tls() -> SimulatorOptions {
    SimulatorOptions { tls: true, ..SimulatorOptions::default() }
}

/// Host and port of the simulator.
pub fn host(sim: &Simulator) -> String {
    let url = sim.url();
    url.split('/').nth(2).unwrap().to_owned()
}

/// A file with the certificate authorities of these simulators.
pub fn ca_file(sims: &[&Simulator]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    for sim in sims {
        file.write_all(sim.ca_pem().unwrap().as_bytes()).unwrap();
    }
    file
}

/// The number of requests of an operation, such as `UpdateItem`.
pub fn request_count(sim: &Simulator, operation: &str) -> usize {
    sim.requests().iter().filter(|request| request.operation == operation).count()
}
