//! A network between a client and a server that a test cuts and restores.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes connections on, until they are cut.
pub(crate) struct Proxy {
    pub(crate) url: String,
    network: Arc<Mutex<Network>>,
}

struct Network {
    is_cut: bool,
    connections: JoinSet<()>,
}

impl Proxy {
    /// Passes connections on to the server at `url`.
    pub(crate) async fn to(url: &str) -> Self {
        let server = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let network = Arc::new(Mutex::new(Network { is_cut: false, connections: JoinSet::new() }));
        let proxy = Self { url, network: Arc::clone(&network) };
        tokio::spawn(async move {
            loop {
                let (mut client, _) = listener.accept().await.expect("a connection");
                let server = server.clone();
                let mut network = network.lock().unwrap_or_else(PoisonError::into_inner);
                // A connection that is not passed on is closed at once.
                if !network.is_cut {
                    network.connections.spawn(async move {
                        let mut server = TcpStream::connect(server).await.expect("the server listens");
                        // Either end may break off.
                        let _ = copy_bidirectional(&mut client, &mut server).await;
                    });
                }
            }
        });
        proxy
    }

    /// Cuts all connections, and lets no further one through.
    pub(crate) fn cut(&self) {
        let mut network = self.network.lock().unwrap_or_else(PoisonError::into_inner);
        network.is_cut = true;
        network.connections.abort_all();
    }

    /// Lets connections through again.
    pub(crate) fn restore(&self) {
        self.network.lock().unwrap_or_else(PoisonError::into_inner).is_cut = false;
    }
}
