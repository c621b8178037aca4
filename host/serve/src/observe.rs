//! What was asked and how it was answered, for metrics and the log.

use std::{sync::Arc, time::Instant};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::Registry,
};

/// Bounds of the latency buckets, in seconds: from a cached answer to the default of --request-timeout.
const BUCKETS: [f64; 10] = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0];

/// A route, by the pattern that it was written with: what was asked for would be a label without bounds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    route: String,
    method: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    route: String,
    method: &'static str,
    status: u16,
}

/// Counts of requests.
pub(super) struct Requests {
    answered: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            answered: Family::default(),
            seconds: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
            in_flight: Gauge::default(),
        }
    }
}

impl Requests {
    /// Makes them known to a registry.
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests that were answered, by route, method and status";
        registry.register("http_requests", help, self.answered.clone());
        let help = "How long answers took, by route and method";
        registry.register_with_unit(
            "http_request_duration",
            help,
            prometheus_client::registry::Unit::Seconds,
            self.seconds.clone(),
        );
        registry.register("http_requests_in_flight", "Requests that are being answered", self.in_flight.clone());
    }
}

/// One more request, until it is dropped: however it ends, also when its client went away.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn begin(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Counts a request and its answer. Nothing of a query or a header is logged: a token may have strayed there.
pub(super) async fn observed(State(requests): State<Arc<Requests>>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let _one_more = InFlight::begin(&requests.in_flight);
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = method(request.method());
    let response = next.run(request).await;
    let (status, seconds) = (response.status().as_u16(), begun.elapsed().as_secs_f64());
    tracing::debug!(method, route, status, seconds, "request");
    requests.seconds.get_or_create(&Asked { route: route.clone(), method }).observe(seconds);
    requests.answered.get_or_create(&Answered { route, method, status }).inc();
    response
}

/// Methods that anybody uses; a client may make up any number of others.
fn method(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
