//! The frame of every page: the head with its style and its content security policy, the breadcrumbs, the footer.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{links::Crumb, text::Text};

/// The style of all pages. Each page contains it, so that a report is one file.
const STYLE: &str = include_str!("../../templates/style.css");

/// The content security policy of a page: only this style, only images of this server or inline, and forms only to this
/// server. No script runs, even if its text gets into the page, and nothing is loaded from other hosts.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{style}'; img-src 'self' data:; form-action 'self'; base-uri 'none'")
});

/// The policy as an HTTP header. It also forbids other pages to show this one in a frame, which a page itself cannot
/// forbid.
pub static HEADER: LazyLock<String> = LazyLock::new(|| format!("{}; frame-ancestors 'none'", *POLICY));

/// The parts that all pages have.
pub(super) struct Shell {
    pub(super) title: Text,
    pub(super) crumbs: Vec<Crumb>,
    /// The version of Taster that made the page or the verdict.
    pub(super) version: Text,
    pub(super) style: &'static str,
    pub(super) policy: &'static str,
}

impl Shell {
    pub(super) fn new(title: &str, crumbs: Vec<Crumb>, version: &str) -> Self {
        Self { title: Text::of(title), crumbs, version: Text::of(version), style: STYLE, policy: &POLICY }
    }
}
