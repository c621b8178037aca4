//! A door to the API server that can be shut: for one client it is away then, for the other tests it is not.

use std::{
    io,
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use kube::{
    Client,
    config::{Config, KubeConfigOptions, Kubeconfig},
};

use crate::control_plane;

pub(crate) struct Door {
    port: u16,
    shut: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Door {
    /// A door that is open.
    pub(crate) async fn open() -> Self {
        let server = config().await.cluster_url;
        let server = format!("{}:{}", server.host().expect("a host"), server.port_u16().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let door = Self { port, shut: Arc::default(), open: Arc::default() };
        let (shut, open) = (Arc::clone(&door.shut), Arc::clone(&door.open));
        // ends with the test process
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if shut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                open.lock().expect("a list").extend([copy(&client), copy(&server)]);
                for (mut from, mut to) in [(copy(&client), copy(&server)), (server, client)] {
                    thread::spawn(move || {
                        let _ = io::copy(&mut from, &mut to);
                        let _ = to.shutdown(Shutdown::Both);
                    });
                }
            }
        });
        door
    }

    /// A client that goes through it.
    pub(crate) async fn client(&self) -> Client {
        let mut config = config().await;
        config.cluster_url = format!("https://127.0.0.1:{}", self.port).parse().expect("an address");
        config.default_retry = false;
        Client::try_from(config).expect("a client")
    }

    /// Cuts every connection and takes no new one.
    pub(crate) fn shut(&self) {
        self.shut.store(true, Ordering::SeqCst);
        for stream in self.open.lock().expect("a list").drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets them through again.
    pub(crate) fn reopen(&self) {
        self.shut.store(false, Ordering::SeqCst);
    }
}

fn copy(stream: &TcpStream) -> TcpStream {
    stream.try_clone().expect("another handle")
}

async fn config() -> Config {
    let file = Kubeconfig::read_from(control_plane::kubeconfig()).expect("a kubeconfig");
    Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await.expect("a configuration")
}
