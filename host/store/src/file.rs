//! Objects as files of a folder.
//!
//! A file appears whole or not at all: it is written under a temporary name, flushed, and linked to its own; linking fails
//! where one is already. Swaps hold a lock beside the file, which the kernel releases when its holder dies.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use futures_util::future::BoxFuture;
use rustix::fs::{FlockOperation, flock};

use crate::{
    StoreError, fault,
    objects::{Created, Objects, Stored, Swapped, Version},
};

/// A folder of objects. Clones share it.
#[derive(Clone)]
pub(crate) struct Files {
    root: PathBuf,
}

impl Files {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.root.join(key)
    }

    /// File systems block; the runtime's own threads must not.
    fn blocking<'a, T: Send + 'static>(
        &self,
        key: &str,
        bytes: &[u8],
        action: &'static str,
        work: impl FnOnce(&Path, &[u8]) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let (path, key, bytes) = (self.path(key), key.to_owned(), bytes.to_vec());
        Box::pin(async move {
            let size = bytes.len();
            let done = tokio::task::spawn_blocking(move || work(&path, &bytes)).await;
            let result = done.unwrap_or_else(|error| Err(io::Error::other(error)));
            result.map_err(|source| match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { key, bytes: size },
                _ => StoreError::Io { key, action, source },
            })
        })
    }
}

impl Objects for Files {
    fn create<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<Created, StoreError>> {
        self.blocking(key, bytes, "write", create)
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.blocking(key, &[], "read", |path, _| read(path))
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Version>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        let expected = expected.cloned();
        self.blocking(key, bytes, "write", move |path, bytes| swap(path, expected.as_ref(), bytes))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        let base = prefix.trim_end_matches('/').to_owned();
        self.blocking(prefix, &[], "list", move |path, _| {
            let mut keys = Vec::new();
            walk(path, &base, &mut keys)?;
            keys.sort();
            Ok(keys)
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blocking(key, &[], "remove", |path, _| {
            // the lock of a proof goes with it; a lock of a lasting object stays, for another may be waiting on it
            let _ = fs::remove_file(lock_path(path));
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            }
        })
    }

    fn url(&self, key: &str) -> String {
        let path = self.path(key);
        format!("file://{}", path.canonicalize().unwrap_or(path).display())
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn lock_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder_of(path).join(format!(".{name}.lock"))
}

/// Results may say more about a database than its users may know: they are the owner's only.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    make_folder(folder_of(folder))?;
    match DirBuilder::new().mode(0o700).create(folder) {
        // another process was faster
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        result => result?,
    }
    // the new entry must survive a power cut as well
    flush_folder(folder_of(folder))
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// A flushed file under a temporary name, removed unless it was renamed.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn write(folder: &Path, bytes: &[u8]) -> io::Result<Self> {
        make_folder(folder)?;
        let temporary = Self { path: folder.join(format!(".tmp-{}", ulid::Ulid::generate())) };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary.path)?;
        fault::point("file: opened");
        file.write_all(bytes)?;
        fault::point("file: written");
        file.sync_all()?;
        fault::point("file: flushed");
        Ok(temporary)
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // gone already after a rename
        let _ = fs::remove_file(&self.path);
    }
}

fn create(path: &Path, bytes: &[u8]) -> io::Result<Created> {
    let folder = folder_of(path);
    let temporary = Temporary::write(folder, bytes)?;
    match fs::hard_link(&temporary.path, path) {
        Ok(()) => {
            fault::point("file: linked");
            flush_folder(folder)?;
            Ok(Created::New)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(Created::Exists),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<Option<Stored>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(Stored { version: Version::of(&bytes), bytes })),
        // a file or a folder in the way of a place is not the object of that place
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}

fn swap(path: &Path, expected: Option<&Version>, bytes: &[u8]) -> io::Result<Swapped> {
    let folder = folder_of(path);
    make_folder(folder)?;
    let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock_path(path))?;
    flock(&lock, FlockOperation::LockExclusive)?;
    fault::point("file: locked");
    let current = read(path)?.map(|stored| stored.version);
    if current.as_ref() != expected {
        return Ok(Swapped::Conflict);
    }
    let temporary = Temporary::write(folder, bytes)?;
    fs::rename(&temporary.path, path)?;
    fault::point("file: renamed");
    flush_folder(folder)?;
    Ok(Swapped::Done)
}

fn walk(folder: &Path, base: &str, keys: &mut Vec<String>) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // a name that is no text is none of ours, and dots begin temporary files, locks and proofs
        let Some(name) = entry.file_name().to_str().map(str::to_owned).filter(|name| !name.starts_with('.')) else {
            continue;
        };
        let key = format!("{base}/{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &key, keys)?;
        } else {
            keys.push(key);
        }
    }
    Ok(())
}
