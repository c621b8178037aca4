//! A real S3 server on a folder, and what may go wrong between it and its clients.
//!
//! `s3s-fs` looks at a condition and then writes, which two at once can slip between; S3 does both in one. So conditional
//! writes are let through one at a time, and nothing is read meanwhile.

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
use taster_store::{AccessKey, S3Settings, Settings};
use tempfile::TempDir;
use tokio::{net::TcpListener, sync::RwLock};

/// The only bucket.
pub(crate) const BUCKET: &str = "taster-results";
pub(crate) const ID: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET: &str = "wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY";

/// A server, gone with this value. Its objects are files of a folder.
pub(crate) struct Server {
    folder: TempDir,
    address: SocketAddr,
    /// Requests that came.
    pub(crate) requests: Arc<AtomicU64>,
    /// Faults that were made.
    pub(crate) faults: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What a server is like.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Manners {
    /// Of so many requests one goes wrong; 0 for none.
    pub(crate) one_in: u64,
    /// It creates what is there already.
    pub(crate) overwrites: bool,
    /// Whoever asks may read and nothing else.
    pub(crate) read_only: bool,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::with(Manners::default()).await
    }

    pub(crate) async fn with(manners: Manners) -> Self {
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
            manners,
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
                        // a client that goes away ends no write half way: the object and what is known of it are two files
                        let answer = async move { shared.answer(&service, request.map(Body::from)).await };
                        async move { tokio::spawn(answer).await.map_err(|error| HttpError::new(Box::new(error)))? }
                    },
                ));
                tokio::spawn(async move {
                    // a connection that a fault ends is no error of the server's
                    let _ = Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), answer).await;
                });
            }
        });
        Self { folder, address, requests, faults, task }
    }

    /// How it is reached.
    pub(crate) fn settings(&self) -> Settings {
        settings(&format!("http://{}", self.address))
    }

    /// From now on the server does not know what it stored: what its files become is handed out as it is, as by one that
    /// keeps no checksums, so that the client is on its own.
    pub(crate) fn forget_checksums(&self) {
        for entry in std::fs::read_dir(self.folder.path()).expect("a server") {
            let path = entry.expect("a server").path();
            if path.to_string_lossy().ends_with(".internal.json") {
                std::fs::remove_file(path).expect("a server");
            }
        }
    }

    /// The file of an object.
    pub(crate) fn file(&self, key: &str) -> PathBuf {
        self.folder.path().join(BUCKET).join("stage").join(key)
    }
}

/// The store of a server that listens there.
pub(crate) fn settings(endpoint: &str) -> Settings {
    let s3 = S3Settings {
        endpoint: Some(endpoint.to_owned()),
        retry_timeout: Some(Duration::from_secs(20)),
        access_key: Some(AccessKey { id: ID.to_owned(), secret: SECRET.to_owned() }),
        ..S3Settings::default()
    };
    Settings { url: format!("s3://{BUCKET}/stage"), s3 }
}

struct Shared {
    folder: PathBuf,
    gate: RwLock<()>,
    manners: Manners,
    requests: Arc<AtomicU64>,
    faults: Arc<AtomicU64>,
}

/// What goes wrong with a request.
#[derive(Debug, Clone, Copy)]
enum Fault {
    /// An error instead of an answer, and nothing is done.
    Error(u16),
    /// The connection ends before anything is done.
    Reset,
    /// It is done, and the answer never comes.
    Lost,
    /// It is done, and half of the answer comes.
    Truncated,
    /// It is done, slowly.
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
        if self.manners.overwrites && headers.contains_key("if-none-match") {
            // the header cannot be taken off, for it was signed; the object can
            let _ = std::fs::remove_file(self.folder.join(request.uri().path().trim_start_matches('/')));
        }
        let writes = matches!(request.method().as_str(), "PUT" | "POST" | "DELETE");
        if self.manners.read_only && writes {
            return Ok(denied());
        }
        let mut response = if conditional && writes {
            let _alone = self.gate.write().await;
            service.call(request).await?
        } else if writes && request.uri().query().is_some_and(|query| query.contains("uploadId")) {
            // parts of an upload are nobody else's
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

    /// The same faults in the same order, whatever the machine does.
    fn fault(&self, number: u64) -> Option<Fault> {
        let one_in = self.manners.one_in;
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
