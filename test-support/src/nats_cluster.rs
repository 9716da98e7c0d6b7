//! A real NATS cluster with JetStream for one test, whose servers can be killed, paused and started again.

use std::net::{Ipv4Addr, TcpListener};

use tempfile::TempDir;

use crate::NatsServer;

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
        // Kept until all are chosen, so that they differ. Servers that find another one there fail to start.
        let ports: Vec<_> =
            (0..servers).map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("there is a free port")).collect();
        let ports: Vec<_> = ports.iter().map(|port| port.local_addr().expect("it is bound").port()).collect();
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
