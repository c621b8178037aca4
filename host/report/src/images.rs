//! The container images of both sides: `tasted v4.2 → v4.3`.

use taster_model::{VerdictDocument, WorkloadFacts};
use taster_text::escape_hidden;

/// One image, before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    /// `Deployment pxbbq-web`, followed by the container if there are several.
    pub name: String,
    /// `None` if the container did not exist.
    pub before: Option<String>,
    /// `None` if the container does not exist any more.
    pub after: Option<String>,
}

/// Every image of both sides, the changed ones first. Empty if the run was not in a cluster.
#[must_use]
pub fn compared(document: &VerdictDocument) -> Vec<Image> {
    let before = document.before.as_ref().map_or(&[][..], |side| &side.workloads);
    let after = &document.after.workloads;
    let mut images = Vec::new();
    for workload in after {
        let earlier = before.iter().find(|earlier| is_same(earlier, workload));
        for image in &workload.images {
            let old = earlier.and_then(|w| w.images.iter().find(|old| old.container == image.container));
            images.push(Image {
                name: name(workload, &image.container),
                before: old.map(|old| old.image.clone()),
                after: Some(image.image.clone()),
            });
        }
    }
    for gone in before.iter().filter(|earlier| !after.iter().any(|later| is_same(earlier, later))) {
        images.extend(gone.images.iter().map(|image| Image {
            name: name(gone, &image.container),
            before: Some(image.image.clone()),
            after: None,
        }));
    }
    images.sort_by_key(|image| image.before == image.after);
    images
}

/// `tasted Deployment pxbbq-web v4.2 → v4.3; StatefulSet mongo 6.0.5`: the tag if only the tag differs, else the whole
/// image. `None` if the run was not in a cluster.
#[must_use]
pub fn tasted(document: &VerdictDocument) -> Option<String> {
    let texts: Vec<String> = compared(document)
        .iter()
        .map(|image| match (&image.before, &image.after) {
            (Some(before), Some(after)) if before == after => format!("{} {}", image.name, tag_or_image(after)),
            (Some(before), Some(after)) => format!("{} {}", image.name, change(before, after)),
            (None, after) => format!("{} {}", image.name, escape_hidden(after.as_deref().unwrap_or_default())),
            (Some(_), None) => format!("{} before", image.name),
        })
        .collect();
    (!texts.is_empty()).then(|| format!("tasted {}", texts.join("; ")))
}

/// The images that changed: `Deployment pxbbq-web v4.2 → v4.3`.
pub fn changed(document: &VerdictDocument) -> impl Iterator<Item = String> {
    compared(document).into_iter().filter_map(|image| match (&image.before, &image.after) {
        (Some(before), Some(after)) if before != after => Some(format!("{} {}", image.name, change(before, after))),
        _ => None,
    })
}

fn name(workload: &WorkloadFacts, container: &str) -> String {
    let container = match workload.images.len() {
        1 => String::new(),
        _ => format!(" {}", escape_hidden(container)),
    };
    format!("{} {}{container}", escape_hidden(&workload.kind), escape_hidden(&workload.name))
}

fn is_same(one: &WorkloadFacts, other: &WorkloadFacts) -> bool {
    (&one.kind, &one.name) == (&other.kind, &other.name)
}

fn change(before: &str, after: &str) -> String {
    match (split(before), split(after)) {
        (Some((old, from)), Some((new, to))) if old == new => {
            format!("{} → {}", escape_hidden(from), escape_hidden(to))
        }
        _ => format!("{} → {}", escape_hidden(before), escape_hidden(after)),
    }
}

fn tag_or_image(image: &str) -> String {
    escape_hidden(split(image).map_or(image, |(_, tag)| tag))
}

/// Repository and tag, or digest: `quay.io:443/px-tme/pxbbq:v4.3`.
fn split(image: &str) -> Option<(&str, &str)> {
    if let Some((repository, digest)) = image.split_once('@') {
        // if there is a digest, Kubernetes ignores the tag
        return Some((split(repository).map_or(repository, |(repository, _)| repository), digest));
    }
    // a colon before the last slash is a port's
    let (repository, tag) = image.rsplit_once(':')?;
    (!tag.contains('/')).then_some((repository, tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_tag_is_shown_if_only_the_tag_differs() {
        for (before, after, shown) in [
            ("quay.io/px-tme/pxbbq:v4.2", "quay.io/px-tme/pxbbq:v4.3", "v4.2 → v4.3"),
            ("r:5000/pxbbq:v4.2", "r:5000/pxbbq:v4.3", "v4.2 → v4.3"),
            ("a/pxbbq:v4.2", "b/pxbbq:v4.2", "a/pxbbq:v4.2 → b/pxbbq:v4.2"),
            ("pxbbq", "pxbbq:v4.3", "pxbbq → pxbbq:v4.3"),
            ("r:5000/pxbbq", "r:5000/pxbbq:v1", "r:5000/pxbbq → r:5000/pxbbq:v1"),
            ("a/x:v1@sha256:aa", "a/x:v2@sha256:bb", "sha256:aa → sha256:bb"),
        ] {
            assert_eq!(change(before, after), shown);
        }
    }
}
