//! `taster serve`: what is stored, over HTTP. The webhook that gates a deployment, an API for programs, metrics, and pages
//! for people.
//!
//! It only reads. Nothing here writes to the store, so that any number of servers may stand before one, and no request has
//! an effect on a verdict. Whatever goes wrong, the answer is some other status than 200 and says `unknown`.

mod answer;
mod ask;
mod auth;
mod compare;
mod error;
mod guard;
mod health;
mod listen;
mod metrics;
mod observe;
pub mod openapi;
mod pages;
mod refusal;
mod runs;

use std::{net::SocketAddr, num::NonZeroUsize, path::PathBuf, sync::Arc, time::Duration};

use axum::{Router, extract::DefaultBodyLimit, middleware};
use taster_store::Store;
use tokio::net::TcpListener;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{router::OpenApiRouter, routes};

pub use error::ServeError;

use auth::Tokens;
use guard::Limits;
use health::Readiness;
use metrics::Results;
use observe::Requests;

/// What a server is asked to do.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Files of tokens. Empty: nobody is asked for one.
    pub token_files: Vec<PathBuf>,
    /// Whoever can reach it may read.
    pub allow_anonymous: bool,
    /// How long a request may take.
    pub request_timeout: Duration,
    /// Requests that are answered at a time.
    pub max_requests: NonZeroUsize,
}

/// What every handler works with.
#[derive(Clone)]
struct Site {
    store: Store,
    readiness: Arc<Readiness>,
    results: Arc<Results>,
    requests: Arc<Requests>,
}

/// A server that has its address, and hears of signals, and answers nobody yet.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    router: Router,
    stop: listen::Stop,
}

impl Server {
    /// Reads the tokens and takes the address. From here on the process hears of signals.
    pub async fn bind(store: Store, options: Options) -> Result<Self, ServeError> {
        if !options.listen.ip().is_loopback() && options.token_files.is_empty() && !options.allow_anonymous {
            return Err(ServeError::Open { address: options.listen });
        }
        let tokens = if options.token_files.is_empty() { None } else { Some(Tokens::read(options.token_files)?) };
        let cannot_listen = |source| ServeError::Listen { address: options.listen, source };
        let stop = listen::Stop::on_signals().map_err(cannot_listen)?;
        let listener = TcpListener::bind(options.listen).await.map_err(cannot_listen)?;
        let address = listener.local_addr().map_err(cannot_listen)?;
        let site = Site {
            readiness: Arc::new(Readiness::default()),
            results: Arc::new(Results::default()),
            requests: Arc::new(Requests::default()),
            store,
        };
        let limits = Limits::new(options.request_timeout, options.max_requests);
        // whoever was told to answer everybody may stand behind a proxy that calls this host by another name
        let only_here = tokens.is_none() && !options.allow_anonymous;
        Ok(Self { listener, address, router: router(site, limits, tokens, only_here), stop })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process is asked to stop, and what was begun by then.
    pub async fn run(self) {
        listen::serve(self.listener, self.router, self.stop).await;
    }
}

/// What is answered to whoever asks: an orchestrator has no token.
fn open_routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default().routes(routes!(health::alive)).routes(routes!(health::ready))
}

/// What wants a token, where there is one.
fn closed_routes() -> OpenApiRouter<Site> {
    OpenApiRouter::default()
        .routes(routes!(compare::compare, compare::compare_posted))
        .routes(routes!(runs::apps))
        .routes(routes!(runs::runs))
        .routes(routes!(runs::run))
        .routes(routes!(runs::verdict))
        .routes(routes!(metrics::metrics))
        .routes(routes!(openapi::openapi))
}

/// Everything that is answered. A request passes from the bottom of each list of layers to its top.
fn router(site: Site, limits: Limits, tokens: Option<Arc<Tokens>>, only_here: bool) -> Router {
    let open = Router::from(open_routes()).with_state(site.clone());
    let closed = Router::from(closed_routes())
        .merge(pages::routes())
        .with_state(site.clone())
        .fallback(refusal::no_such_path)
        .layer(DefaultBodyLimit::max(guard::LARGEST_BODY))
        .layer(middleware::from_fn_with_state(Arc::new(limits), guard::bounded))
        .layer(middleware::from_fn_with_state(tokens, auth::known));
    open.merge(closed)
        .method_not_allowed_fallback(refusal::wrong_method)
        .layer(middleware::from_fn_with_state(only_here, guard::addressed))
        .layer(CatchPanicLayer::custom(refusal::panicked))
        .layer(middleware::from_fn_with_state(site.requests, observe::observed))
        .layer(middleware::from_fn(guard::headers))
}
