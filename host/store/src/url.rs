//! The URL of a store.

use std::path::{Component, Path};

use crate::{error::StoreError, s3};

/// Where a store is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum StoreUrl<'a> {
    /// In a bucket.
    S3(s3::Location),
    /// In a folder.
    Folder(&'a Path),
}

impl<'a> StoreUrl<'a> {
    pub(crate) fn parse(url: &'a str) -> Result<Self, StoreError> {
        match url.split_once("://") {
            Some(("s3", _)) => Ok(Self::S3(s3::Location::parse(url)?)),
            Some(("file", path)) if !path.is_empty() => {
                let relative = Path::new(path).components().next().is_some_and(|first| {
                    matches!(first, Component::RootDir | Component::CurDir | Component::ParentDir)
                });
                if relative { folder(path) } else { Err(names_a_host(url, path)) }
            }
            Some((scheme, _)) => Err(StoreError::Unsupported { scheme: scheme.to_owned() }),
            None => folder(url),
        }
    }
}

/// Refuses the root folder, and an empty path: a store makes folders of its own there, which nobody would expect or look for.
fn folder(path: &str) -> Result<StoreUrl<'_>, StoreError> {
    let path = Path::new(path);
    let is_root = path.has_root() && !path.components().any(|part| matches!(part, Component::Normal(_)));
    if path.as_os_str().is_empty() || is_root {
        let what = format!("`{}` is no folder for results; name one of its own", path.display());
        return Err(StoreError::Settings { what });
    }
    Ok(StoreUrl::Folder(path))
}

/// `file://host/path` names a file of another machine.
fn names_a_host(url: &str, path: &str) -> StoreError {
    let host = path.split('/').next().unwrap_or_default();
    let what = format!(
        "`{url}` names the host `{host}`: an absolute path has three slashes (file:///{path}), a relative one begins with a dot \
         (file://./{path})"
    );
    StoreError::Settings { what }
}

#[cfg(test)]
mod tests {
    use insta::assert_snapshot;

    use super::*;

    #[test]
    fn folders_are_absolute_or_begin_with_a_dot() {
        for (url, path) in [
            ("file:///var/lib/taster", "/var/lib/taster"),
            ("file://./results", "./results"),
            ("file://../results", "../results"),
            ("file://.", "."),
            ("./results", "./results"),
            ("results", "results"),
            ("/var/lib/taster", "/var/lib/taster"),
        ] {
            assert_eq!(StoreUrl::parse(url).unwrap(), StoreUrl::Folder(Path::new(path)), "{url}");
        }
    }

    #[test]
    fn a_host_and_the_root_are_refused() {
        let error = |url| StoreUrl::parse(url).unwrap_err().to_string();
        assert_snapshot!(error("file://nas/taster"), @"invalid store settings: `file://nas/taster` names the host `nas`: an absolute path has three slashes (file:///nas/taster), a relative one begins with a dot (file://./nas/taster)");
        assert!(error("file://results").contains("file://./results"));
        for root in ["file:///", "file:////", "file:///.", "file:///..", "/", "//"] {
            assert!(error(root).contains("is no folder for results"), "{root}: {}", error(root));
        }
        assert_snapshot!(error("file:///"), @"invalid store settings: `/` is no folder for results; name one of its own");
        assert!(error("").contains("is no folder for results"));
        assert_snapshot!(error("file://"), @"unsupported store URL: scheme `file:`");
        assert_snapshot!(error("s4://bucket"), @"unsupported store URL: scheme `s4:`");
    }
}
