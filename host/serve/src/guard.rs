//! Checks of every request: limits of size, number and time, and the security headers of every response.

use std::{net::IpAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{
        HeaderName, HeaderValue, Uri,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS},
        uri::Authority,
    },
    middleware::Next,
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use crate::error::RequestError;

/// Bytes of a request's body.
pub(super) const MAX_BODY: usize = 64 * 1024;
/// Bytes of a request's address.
pub(super) const MAX_ADDRESS: usize = 8 * 1024;
/// Bytes of its headers: room for what proxies add.
pub(super) const MAX_HEADERS: usize = 32 * 1024;

/// How many requests at the same time, and how long each may take.
pub(super) struct RequestLimits {
    time: Duration,
    most: usize,
    permits: Semaphore,
}

impl RequestLimits {
    pub(super) fn new(time: Duration, most: NonZeroUsize) -> Self {
        let most = most.get().min(Semaphore::MAX_PERMITS);
        Self { time, most, permits: Semaphore::new(most) }
    }
}

/// Answers within the limits, or with the limit that was reached. Requests do not queue: a queue would only fill the memory.
pub(super) async fn limit_load(State(limits): State<Arc<RequestLimits>>, request: Request, next: Next) -> Response {
    let Ok(_permit) = limits.permits.try_acquire() else {
        return RequestError::Busy { most: limits.most }.into_response();
    };
    match tokio::time::timeout(limits.time, next.run(request)).await {
        Ok(response) => response,
        Err(_) => RequestError::Slow { limit: limits.time }.into_response(),
    }
}

/// Which hosts a request may be addressed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AllowedHosts {
    /// Every host: a token is required, or a proxy calls this machine by another name.
    Any,
    /// Only this machine. Without this check any web page could point its own name at this machine (DNS rebinding) and read all
    /// results through its visitor's browser.
    Loopback,
}

/// Rejects addresses and headers that are too long, and requests for hosts that are not allowed.
pub(super) async fn check_address(State(hosts): State<AllowedHosts>, request: Request, next: Next) -> Response {
    let length = length(request.uri());
    if length > MAX_ADDRESS {
        return RequestError::TooLong { length, most: MAX_ADDRESS }.into_response();
    }
    let length = request.headers().iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if length > MAX_HEADERS {
        return RequestError::LongHeaders { length, most: MAX_HEADERS }.into_response();
    }
    if hosts == AllowedHosts::Loopback
        && let Some(host) = host(&request)
        && !is_loopback(&host)
    {
        return RequestError::Misdirected(host).into_response();
    }
    next.run(request).await
}

fn length(uri: &Uri) -> usize {
    uri.path().len() + uri.query().map_or(0, |query| query.len() + 1)
}

/// The host that a request is addressed to.
fn host(request: &Request) -> Option<String> {
    if let Some(host) = request.uri().host() {
        return Some(host.to_owned());
    }
    let header = request.headers().get(HOST)?.to_str().unwrap_or("?");
    Some(header.parse::<Authority>().map_or_else(|_| header.to_owned(), |authority| authority.host().to_owned()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || address.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Adds to every response the security headers that it does not set itself: not cached, not sniffed, no referrer, nothing
/// loaded, not framed.
pub(super) async fn security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let all: [(HeaderName, &str); 4] = [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ];
    for (name, value) in all {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn only_names_of_this_machine_are_loopback() {
        let asked = |uri: &str, header: &str| {
            let request = Request::builder().uri(uri).header(HOST, header).body(Body::empty()).unwrap();
            is_loopback(&host(&request).unwrap())
        };
        for here in ["localhost", "LocalHost:8080", "127.0.0.1:8080", "127.1.2.3", "[::1]:8080", "[::1]"] {
            assert!(asked("/compare", here), "{here}");
        }
        for other in
            ["evil.example", "localhost.evil.example:80", "10.0.0.1", "127.0.0.1.evil.example", "", "a b", "0.0.0.0"]
        {
            assert!(!asked("/compare", other), "{other}");
        }
        assert!(!asked("http://evil.example/compare", "localhost"), "the address counts more than the header");
    }
}
