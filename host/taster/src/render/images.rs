//! What ran on the two sides: `tasted v4.2 → v4.3`.

use taster_model::{VerdictDocument, WorkloadFacts};

use super::plain;

/// `tasted Deployment pxbbq-web v4.2 → v4.3; StatefulSet mongo 6.0.5`: the tag where only the tag differs, else the whole
/// image. Nothing without a cluster.
#[must_use]
pub fn tasted(document: &VerdictDocument) -> Option<String> {
    let before = document.before.as_ref().map_or(&[][..], |side| &side.workloads);
    let after = &document.after.workloads;
    let mut changed = Vec::new();
    let mut same = Vec::new();
    for workload in after {
        let earlier = before.iter().find(|earlier| is_same(earlier, workload));
        for image in &workload.images {
            let old = earlier.and_then(|w| w.images.iter().find(|old| old.container == image.container));
            let container = match workload.images.len() {
                1 => String::new(),
                _ => format!(" {}", plain(&image.container)),
            };
            let name = format!("{} {}{container}", plain(&workload.kind), plain(&workload.name));
            match old {
                Some(old) if old.image == image.image => same.push(format!("{name} {}", shown(&image.image))),
                Some(old) => changed.push(format!("{name} {}", change(&old.image, &image.image))),
                None => changed.push(format!("{name} {}", plain(&image.image))),
            }
        }
    }
    let gone = before.iter().filter(|earlier| !after.iter().any(|later| is_same(earlier, later)));
    changed.extend(gone.map(|gone| format!("{} {} before", plain(&gone.kind), plain(&gone.name))));
    changed.extend(same);
    (!changed.is_empty()).then(|| format!("tasted {}", changed.join("; ")))
}

fn is_same(one: &WorkloadFacts, other: &WorkloadFacts) -> bool {
    (&one.kind, &one.name) == (&other.kind, &other.name)
}

fn change(before: &str, after: &str) -> String {
    match (split(before), split(after)) {
        (Some((old, from)), Some((new, to))) if old == new => format!("{} → {}", plain(from), plain(to)),
        _ => format!("{} → {}", plain(before), plain(after)),
    }
}

fn shown(image: &str) -> String {
    plain(split(image).map_or(image, |(_, tag)| tag))
}

/// Repository and tag, or digest: `quay.io:443/px-tme/pxbbq:v4.3`.
fn split(image: &str) -> Option<(&str, &str)> {
    if let Some((repository, digest)) = image.split_once('@') {
        // a tag beside a digest decides nothing
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
    fn the_tag_is_enough_where_only_the_tag_differs() {
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
