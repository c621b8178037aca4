//! Connections: how many, for how long, and how they end.
//!
//! HTTP/1.1 only, without TLS: an ingress or a mesh terminates it.

use std::{io, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{Signal, SignalKind, signal},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::{sleep, timeout},
};

/// Connections at a time. More of them wait to be accepted.
const MAX_CONNECTIONS: u32 = 512;
/// How long the line and the headers of a request may take to come, and how long a connection may be silent between two.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// How many bytes of them are read before the connection is closed. It is more than `guard.rs` allows: most requests that are
/// too long get an error as the answer.
const MAX_HEADER_BYTES: usize = 64 * 1024;
/// At this age a connection is asked to end after its current request. Otherwise a client that reads one byte per second
/// could occupy it forever.
const MAX_CONNECTION_AGE: Duration = Duration::from_mins(5);
/// How long a connection may take to end after it was asked to.
const CLOSE_TIMEOUT: Duration = Duration::from_mins(1);
/// How long requests may take to end once the process was asked to stop; a pod is given 30 s.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(10);
/// How long to wait if no connection can be accepted, because too many files are open.
const ACCEPT_RETRY: Duration = Duration::from_millis(200);

/// The signals that stop the process.
pub(super) struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// Handles the signals from now on, so that one that comes before [`serve`] is not lost.
    pub(super) fn register() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn received(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Accepts connections until the process is asked to stop; then finishes the requests in progress.
pub(super) async fn serve(listener: TcpListener, router: Router, mut stop: StopSignals) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS as usize));
    let stopping = watch::Sender::new(false);
    let signal = loop {
        tokio::select! {
            signal = stop.received() => break signal,
            (socket, permit) = accept(&listener, &permits) => {
                let (router, stopping) = (router.clone(), stopping.subscribe());
                tokio::spawn(async move {
                    serve_connection(socket, router, stopping).await;
                    drop(permit);
                });
            }
        }
    };
    // new connections are refused, and a load balancer uses another server
    drop(listener);
    tracing::info!(signal, "stopping");
    stopping.send_replace(true);
    tokio::select! {
        // the permits of all connections are free once all have ended
        _ = permits.acquire_many(MAX_CONNECTIONS) => {}
        () = sleep(SHUTDOWN_TIMEOUT) => {
            tracing::warn!(limit_s = SHUTDOWN_TIMEOUT.as_secs(), "requests still in progress are aborted");
        }
        signal = stop.received() => tracing::warn!(signal, "a second signal: requests in progress are aborted"),
    }
}

async fn accept(listener: &TcpListener, permits: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let permit = Arc::clone(permits).acquire_owned().await.expect("the semaphore is never closed");
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return (socket, permit),
            Err(error) => {
                tracing::debug!(%error, "cannot accept a connection");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn serve_connection(socket: TcpStream, router: Router, mut stopping: watch::Receiver<bool>) {
    // a response is written at once; Nagle's algorithm would only delay it
    let _ = socket.set_nodelay(true);
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(MAX_HEADER_BYTES);
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router)));
    tokio::select! {
        // the client was slow, did not speak HTTP, or disconnected
        ended = connection.as_mut() => return log(ended),
        _ = stopping.wait_for(|stopping| *stopping) => {}
        () = sleep(MAX_CONNECTION_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(CLOSE_TIMEOUT, connection).await {
        log(ended);
    }
}

fn log<E: std::fmt::Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
}
