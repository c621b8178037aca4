//! A real S3 server on a folder, with injected faults.
//!
//! `s3s-fs` checks the condition of a conditional write and then writes, so two concurrent requests can both pass the
//! check; S3 does both in one step. Conditional writes are therefore served one at a time, and block reads.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::stream;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use s3s::{
    Body, HttpError, HttpRequest, HttpResponse, auth::SimpleAuth, dto::StreamingBlob, service::S3ServiceBuilder,
};
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::RwLock};

/// Name of the only bucket.
pub const BUCKET: &str = "taster-results";
/// The access key id that the server accepts.
pub const ID: &str = "AKIAIOSFODNN7EXAMPLE";
/// The secret access key that belongs to [`ID`].
pub const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";

/// A running server. Dropping it stops the server and removes its folder; an object is a file in that folder.
#[derive(Debug)]
pub struct Server {
    folder: TempDir,
    address: SocketAddr,
    /// Number of requests received.
    pub requests: Arc<AtomicU64>,
    /// Number of faults injected.
    pub faults: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// How a server differs from a correct one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Behaviour {
    /// One of this many requests fails; 0: none fails.
    pub one_in: u64,
    /// `If-None-Match` is ignored: an existing object is overwritten.
    pub overwrites: bool,
    /// Every write is denied.
    pub read_only: bool,
}

impl Server {
    /// Starts a correct server on a free port.
    pub async fn start() -> Self {
        Self::with(Behaviour::default()).await
    }

    /// Starts a server that behaves like this.
    pub async fn with(behaviour: Behaviour) -> Self {
        let folder = TempDir::new().expect("a server");
        std::fs::create_dir(folder.path().join(BUCKET)).expect("a server");
        let mut service = S3ServiceBuilder::new(FileSystem::new(folder.path()).expect("a server"));
        service.set_auth(SimpleAuth::from_single(ID, SECRET));
        let service = service.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a server");
        let address = listener.local_addr().expect("a server");
        let (requests, faults) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let shared = Arc::new(Shared {
            folder: folder.path().to_owned(),
            gate: RwLock::new(()),
            behaviour,
            requests: Arc::clone(&requests),
            faults: Arc::clone(&faults),
        });
        let task = tokio::spawn(async move {
            loop {
                let Ok((socket, _)) = listener.accept().await else { continue };
                socket.set_nodelay(true).expect("a server");
                let (service, shared) = (service.clone(), Arc::clone(&shared));
                let answer = hyper_util::service::TowerToHyperService::new(tower::service_fn(
                    move |request: http::Request<_>| {
                        let (service, shared) = (service.clone(), Arc::clone(&shared));
                        // a client that disconnects must not abort a write: the object and its metadata are two files
                        let answer = async move { shared.answer(&service, request.map(Body::from)).await };
                        async move { tokio::spawn(answer).await.map_err(|error| HttpError::new(Box::new(error)))? }
                    },
                ));
                tokio::spawn(async move {
                    // an injected fault ends the connection: no error of the server
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), answer).await;
                });
            }
        });
        Self { folder, address, requests, faults, task }
    }

    /// Its URL.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Removes the stored checksums. From now on the server returns the bytes of its files as they are, damaged or not, so
    /// that only the client's own check can find damage.
    pub fn forget_checksums(&self) {
        for entry in std::fs::read_dir(self.folder.path()).expect("a server") {
            let path = entry.expect("a server").path();
            if path.to_string_lossy().ends_with(".internal.json") {
                std::fs::remove_file(path).expect("a server");
            }
        }
    }

    /// Path of the file that holds an object of the prefix `stage`.
    #[must_use]
    pub fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join("stage").join(key)
    }
}

struct Shared {
    folder: PathBuf,
    gate: RwLock<()>,
    behaviour: Behaviour,
    requests: Arc<AtomicU64>,
    faults: Arc<AtomicU64>,
}

/// A fault injected into one request.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// An error status; the request has no effect.
    Error(u16),
    /// The connection is reset; the request has no effect.
    Reset,
    /// The request takes effect, and the connection is reset before the response.
    Lost,
    /// The request takes effect, and half of the response's body arrives.
    Truncated,
    /// The response is delayed.
    Slow,
}

impl Shared {
    async fn answer(&self, service: &s3s::service::S3Service, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let number = self.requests.fetch_add(1, Ordering::SeqCst);
        let fault = self.fault(number);
        match fault {
            Some(Fault::Error(status)) => return Ok(error(status)),
            Some(Fault::Reset) => return Err(broken()),
            _ => {}
        }
        let headers = request.headers();
        let conditional = headers.contains_key("if-none-match") || headers.contains_key("if-match");
        if self.behaviour.overwrites && headers.contains_key("if-none-match") {
            // the header is signed and cannot be removed; the object can
            let _ = std::fs::remove_file(self.folder.join(request.uri().path().trim_start_matches('/')));
        }
        let writes = matches!(request.method().as_str(), "PUT" | "POST" | "DELETE");
        if self.behaviour.read_only && writes {
            return Ok(denied());
        }
        let mut response = if conditional && writes {
            let _alone = self.gate.write().await;
            service.call(request).await?
        } else if writes && request.uri().query().is_some_and(|query| query.contains("uploadId")) {
            // parts of an upload belong to one client
            service.call(request).await?
        } else {
            let _together = self.gate.read().await;
            service.call(request).await?
        };
        match fault {
            Some(Fault::Lost) => return Err(broken()),
            Some(Fault::Slow) => tokio::time::sleep(Duration::from_millis(30)).await,
            Some(Fault::Truncated) => {
                let body = std::mem::replace(response.body_mut(), Body::empty()).store_all_limited(64 << 20).await;
                let bytes = body.map_err(HttpError::new)?;
                let half = bytes.slice(..bytes.len() / 2);
                let parts = [Ok(half), Err(io::Error::from(io::ErrorKind::BrokenPipe))];
                *response.body_mut() = StreamingBlob::wrap(stream::iter(parts)).into();
            }
            _ => {}
        }
        Ok(response)
    }

    /// The same faults in the same order in every run.
    fn fault(&self, number: u64) -> Option<Fault> {
        let one_in = self.behaviour.one_in;
        let dice = mixed(number);
        if one_in == 0 || !dice.is_multiple_of(one_in) {
            return None;
        }
        self.faults.fetch_add(1, Ordering::SeqCst);
        let kinds = [
            Fault::Error(500),
            Fault::Error(503),
            Fault::Error(429),
            Fault::Reset,
            Fault::Lost,
            Fault::Lost,
            Fault::Truncated,
            Fault::Slow,
        ];
        Some(kinds[usize::try_from((dice / one_in) % kinds.len() as u64).expect("a server")])
    }
}

/// `SplitMix64`.
fn mixed(number: u64) -> u64 {
    let z = number.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn broken() -> HttpError {
    HttpError::new(Box::new(io::Error::from(io::ErrorKind::ConnectionReset)))
}

fn denied() -> HttpResponse {
    let body = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let mut response = HttpResponse::new(Body::from(body.to_owned()));
    *response.status_mut() = http::StatusCode::FORBIDDEN;
    response
}

fn error(status: u16) -> HttpResponse {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>SlowDown</Code><Message>status {status}</Message></Error>");
    let mut response = HttpResponse::new(Body::from(body));
    *response.status_mut() = status.try_into().expect("a server");
    response
}
