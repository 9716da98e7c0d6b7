//! A real NATS cluster with JetStream for one test, whose servers can be killed, paused and started again.

use tempfile::TempDir;

use crate::nats_server::{NatsServer, free_port};

/// Servers on 127.0.0.1 that form a cluster, each with a folder of its own. Killed and removed when dropped.
#[derive(Debug)]
pub struct NatsCluster {
    servers: Vec<NatsServer>,
    _folders: Vec<TempDir>,
}

impl NatsCluster {
    /// Starts so many servers, and returns when they accept connections. They may not have elected a leader yet.
    ///
    /// # Panics
    /// If there is no `nats-server`, or if it does not start.
    pub fn start(servers: usize) -> Self {
        let folders: Vec<_> = (0..servers).map(|_| TempDir::new().expect("a temporary folder")).collect();
        let ports: Vec<_> = (0..servers).map(|_| free_port()).collect();
        let address = |port: &u16| format!("nats://127.0.0.1:{port}");
        let routes = ports.iter().map(address).collect::<Vec<_>>().join(",");
        let servers = ports.iter().zip(&folders).map(|(port, folder)| {
            let (cluster, folder) = (address(port), folder.path().display().to_string());
            NatsServer::start_with(
                &[
                    ["-js", "--cluster_name", "quorate-test", "-sd", &folder, "--cluster", &cluster, "--routes"]
                        .as_slice(),
                    &[&routes],
                ]
                .concat(),
            )
        });
        Self { servers: servers.collect(), _folders: folders }
    }

    /// Where clients connect to: all servers, separated by commas.
    pub fn urls(&self) -> String {
        self.servers.iter().map(NatsServer::url).collect::<Vec<_>>().join(",")
    }

    /// The servers.
    pub fn servers(&self) -> &[NatsServer] {
        &self.servers
    }

    /// The server with a name.
    ///
    /// # Panics
    /// If there is none.
    pub fn server(&mut self, name: &str) -> &mut NatsServer {
        self.servers.iter_mut().find(|server| server.name() == name).expect("it is a server of the cluster")
    }
}
