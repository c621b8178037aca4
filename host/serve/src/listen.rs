//! Connections: how many, for how long, and how they end.
//!
//! HTTP/1.1 only. TLS is somebody else's work: an ingress or a mesh has the certificates.

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
const CONNECTIONS: u32 = 512;
/// How long the line and the headers of a request may take to come, and how long a connection may be silent between two.
const HEADERS_WITHIN: Duration = Duration::from_secs(10);
/// Bytes that are read of them before the connection is given up: more than the longest that are allowed.
const HEADERS_MOST: usize = 64 * 1024;
/// How old a connection grows before it is asked to end after the request that it is at. Whoever reads an answer one byte
/// a second does not keep its place for good.
const OLDEST: Duration = Duration::from_mins(5);
/// How long a connection that was asked to end may take for that.
const LAST_WORDS: Duration = Duration::from_mins(1);
/// How long requests may take to end once the process was asked to stop; a pod is given 30 s.
const GRACE: Duration = Duration::from_secs(10);
/// How long to wait where no connection can be accepted: no file is left to open.
const PAUSE: Duration = Duration::from_millis(200);

/// What asks the process to stop.
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
}

impl Stop {
    /// Listens from now on: a signal that comes before anybody waits is not lost.
    pub(super) fn on_signals() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// Accepts connections until the process is asked to stop; then lets what was begun end.
pub(super) async fn serve(listener: TcpListener, router: Router, mut stop: Stop) {
    let places = Arc::new(Semaphore::new(CONNECTIONS as usize));
    let stopping = watch::Sender::new(false);
    let signal = loop {
        tokio::select! {
            signal = stop.asked() => break signal,
            (socket, place) = accept(&listener, &places) => {
                let (router, stopping) = (router.clone(), stopping.subscribe());
                tokio::spawn(async move {
                    converse(socket, router, stopping).await;
                    drop(place);
                });
            }
        }
    };
    // whoever comes now is refused, and asks another server
    drop(listener);
    tracing::info!("stopping after {signal}");
    stopping.send_replace(true);
    tokio::select! {
        // the places of all connections are free once all have ended
        _ = places.acquire_many(CONNECTIONS) => {}
        () = sleep(GRACE) => tracing::warn!("some requests were not answered within {GRACE:?} and are cut off"),
        signal = stop.asked() => tracing::warn!("{signal} again: what is being answered is cut off"),
    }
}

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = Arc::clone(places).acquire_owned().await.expect("nobody closes it");
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return (socket, place),
            Err(error) => {
                tracing::debug!("cannot accept a connection: {error}");
                sleep(PAUSE).await;
            }
        }
    }
}

/// Serves one connection to its end.
async fn converse(socket: TcpStream, router: Router, mut stopping: watch::Receiver<bool>) {
    // an answer is written whole: to wait for more of it only makes it late
    let _ = socket.set_nodelay(true);
    let mut http = auto::Builder::new(TokioExecutor::new()).http1_only();
    http.http1().timer(TokioTimer::new()).header_read_timeout(HEADERS_WITHIN).max_buf_size(HEADERS_MOST);
    let mut connection = pin!(http.serve_connection(TokioIo::new(socket), TowerToHyperService::new(router)));
    tokio::select! {
        // a client that was slow, or said what is no HTTP, or went away
        ended = connection.as_mut() => return log(ended),
        _ = stopping.wait_for(|stopping| *stopping) => {}
        () = sleep(OLDEST) => {}
    }
    connection.as_mut().graceful_shutdown();
    if let Ok(ended) = timeout(LAST_WORDS, connection).await {
        log(ended);
    }
}

fn log<E: std::fmt::Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!("a connection ended: {error}");
    }
}
