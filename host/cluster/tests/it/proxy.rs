//! A proxy to the API server that can be blocked: the API server is then unreachable for one client, and not for other tests.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
};

use kube::{
    Client,
    config::{Config, KubeConfigOptions, Kubeconfig},
};

use crate::{control_plane, shop::until};

pub(crate) struct ApiProxy {
    port: u16,
    blocked: Arc<AtomicBool>,
    connections: Arc<Mutex<Vec<TcpStream>>>,
    rejected: Arc<AtomicU32>,
}

impl ApiProxy {
    /// Starts a proxy that lets connections through.
    pub(crate) async fn start() -> Self {
        let server = config().await.cluster_url;
        let server = format!("{}:{}", server.host().expect("a host"), server.port_u16().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let proxy = Self { port, blocked: Arc::default(), connections: Arc::default(), rejected: Arc::default() };
        let (blocked, connections, rejected) =
            (Arc::clone(&proxy.blocked), Arc::clone(&proxy.connections), Arc::clone(&proxy.rejected));
        // ends with the test process
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if blocked.load(Ordering::SeqCst) {
                    rejected.fetch_add(1, Ordering::SeqCst);
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                connections.lock().expect("a list").extend([copy(&client), copy(&server)]);
                for (mut from, mut to) in [(copy(&client), copy(&server)), (server, client)] {
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        proxy
    }

    /// A client that connects through the proxy.
    pub(crate) async fn client(&self) -> Client {
        let mut config = config().await;
        config.cluster_url = format!("https://127.0.0.1:{}", self.port).parse().expect("an address");
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }

    /// Closes every connection and accepts no new one.
    pub(crate) fn block(&self) {
        self.blocked.store(true, Ordering::SeqCst);
        for stream in self.connections.lock().expect("a list").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Waits until the proxy has rejected this many more connections.
    pub(crate) async fn rejects(&self, count: u32) {
        let before = self.rejected.load(Ordering::SeqCst);
        until("a rejected connection", || async {
            (self.rejected.load(Ordering::SeqCst) >= before + count).then_some(())
        })
        .await;
    }

    /// Lets connections through again.
    pub(crate) fn unblock(&self) {
        self.blocked.store(false, Ordering::SeqCst);
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("another handle")
}

async fn config() -> Config {
    let file = Kubeconfig::read_from(control_plane::kubeconfig()).expect("a kubeconfig");
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a configuration")
}
