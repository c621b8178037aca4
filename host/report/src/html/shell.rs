//! What every page has around its contents: the head with its style and its policy, the way to here, the foot.

use std::sync::LazyLock;

use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{links::Crumb, text::Text};

/// The one style of all pages, put into each, so that a report is one file.
const STYLE: &str = include_str!("../../templates/style.css");

/// What a page may do: show itself with that very style, and send a form to where it came from. No script has a chance,
/// whatever stands in the page; nothing is fetched from elsewhere.
pub(super) static POLICY: LazyLock<String> = LazyLock::new(|| {
    let style = STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    format!("default-src 'none'; style-src 'sha256-{style}'; img-src 'self' data:; form-action 'self'; base-uri 'none'")
});

/// The same as a header, which may say in addition that no other page shows this one in a frame.
pub static HEADER: LazyLock<String> = LazyLock::new(|| format!("{}; frame-ancestors 'none'", *POLICY));

/// The parts of a page that are not its own.
pub(super) struct Shell {
    pub(super) title: Text,
    pub(super) crumbs: Vec<Crumb>,
    /// Version of Taster that made it.
    pub(super) version: Text,
    pub(super) style: &'static str,
    pub(super) policy: &'static str,
}

impl Shell {
    pub(super) fn new(title: &str, crumbs: Vec<Crumb>, version: &str) -> Self {
        Self { title: Text::of(title), crumbs, version: Text::of(version), style: STYLE, policy: &POLICY }
    }
}
