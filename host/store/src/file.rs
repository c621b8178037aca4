//! The back end for folders: an object is a file.
//!
//! A file is written under a temporary name, flushed and then linked to its final name, so that it appears whole or not at
//! all; linking fails if the name is taken. A swap holds a lock on a file beside it, which the kernel releases when the
//! process dies.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};

use crate::{
    backend::{
        CreateOutcome, Digest, ObjectBackend, ObjectInfo, OpenOutcome, StoredObject, StreamedObject, SwapOutcome,
        Version,
    },
    error::StoreError,
    fault,
    regular_file::{open_regular_file, open_regular_file_with},
    retention::GcMode,
};

/// Large objects are copied and hashed in chunks of this size.
const CHUNK_BYTES: usize = 256 << 10;

/// The beginning of the names of unfinished files.
const TEMPORARY_PREFIX: &str = ".tmp-";

/// A folder of objects.
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

    /// Runs `work` outside of the runtime's threads, because file systems block. `bytes` is how much it writes.
    fn blocking<'a, T: Send + 'static>(
        &self,
        key: &str,
        action: &'static str,
        bytes: u64,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> BoxFuture<'a, Result<T, StoreError>> {
        let (path, key) = (self.path(key), key.to_owned());
        Box::pin(async move {
            let done = tokio::task::spawn_blocking(move || work(&path)).await;
            let result = done.unwrap_or_else(|error| Err(io::Error::other(error)));
            result.map_err(|source| match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full { key, bytes },
                _ => StoreError::Io { key, action, source },
            })
        })
    }
}

impl ObjectBackend for Files {
    fn create<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<CreateOutcome, StoreError>> {
        let bytes = bytes.to_vec();
        self.blocking(key, "write", bytes.len() as u64, move |path| create(path, |file| file.write_all(&bytes)))
    }

    fn create_from<'a>(
        &'a self,
        key: &'a str,
        object: StreamedObject<'a>,
    ) -> BoxFuture<'a, Result<CreateOutcome, StoreError>> {
        let (source, length, sha256) = (object.file.try_clone(), object.digest.length, object.digest.sha256.to_owned());
        self.blocking(key, "write", length, move |path| {
            let source = source?;
            create(path, |file| {
                let found = read_in_chunks(&source, length, |chunk| file.write_all(chunk))?;
                if found == sha256 {
                    return Ok(());
                }
                Err(io::Error::new(io::ErrorKind::InvalidData, "the local file changed after its digest was recorded"))
            })
        })
    }

    fn open<'a>(&'a self, key: &'a str, digest: Digest<'a>) -> BoxFuture<'a, Result<OpenOutcome, StoreError>> {
        let (length, sha256) = (digest.length, digest.sha256.to_owned());
        self.blocking(key, "read", 0, move |path| open(path, Digest { length, sha256: &sha256 }))
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<StoredObject>, StoreError>> {
        self.blocking(key, "read", 0, read)
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Version>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<SwapOutcome, StoreError>> {
        let (expected, bytes) = (expected.cloned(), bytes.to_vec());
        self.blocking(key, "write", bytes.len() as u64, move |path| swap(path, expected.as_ref(), &bytes))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<ObjectInfo>, StoreError>> {
        let base = prefix.trim_end_matches('/').to_owned();
        self.blocking(prefix, "list", 0, move |path| {
            let mut objects = Vec::new();
            walk(path, &base, &mut objects)?;
            objects.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(objects)
        })
    }

    fn list_folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
        self.blocking(prefix, "list", 0, |path| {
            let mut names = Vec::new();
            for (entry, name) in entries(path)? {
                if entry.file_type()?.is_dir() {
                    names.push(name);
                }
            }
            names.sort();
            Ok(names)
        })
    }

    fn sweep<'a>(&'a self, prefix: &'a str, before: Timestamp, mode: GcMode) -> BoxFuture<'a, Result<u64, StoreError>> {
        match prefix.rsplit_once('/') {
            Some((folder, rest)) => {
                let depth = if rest.is_empty() { Depth::AllFolders } else { Depth::OneFolder };
                self.blocking(folder, "remove", 0, move |path| sweep(path, depth, before, mode))
            }
            None => Box::pin(async { Ok(0) }),
        }
    }

    fn remove_empty_folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blocking(prefix, "remove", 0, |path| {
            remove_empty_folders(path);
            Ok(())
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blocking(key, "remove", 0, |path| {
            // only verification objects and runs are removed, and no other process waits for their locks
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

fn parent_of(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new("."))
}

fn lock_path(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    parent_of(path).join(format!(".{name}.lock"))
}

/// Makes a folder with mode 0700: results may say more about a database than its users may know.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    make_folder(parent_of(folder))?;
    match DirBuilder::new().mode(0o700).create(folder) {
        // another process made it first
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => {}
        result => result?,
    }
    // the new entry must survive a power failure, too
    flush_folder(parent_of(folder))
}

fn flush_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    File::open(folder)?.sync_all()
}

/// A flushed file under a temporary name. Dropping it removes that name.
struct Temporary {
    path: PathBuf,
}

impl Temporary {
    fn write(folder: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        make_folder(folder)?;
        let temporary = Self { path: folder.join(format!("{TEMPORARY_PREFIX}{}", ulid::Ulid::generate())) };
        let mut opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary.path)?;
        fault::point("file: opened");
        fill(&mut opened)?;
        fault::point("file: written");
        opened.sync_all()?;
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

fn create(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<CreateOutcome> {
    let folder = parent_of(path);
    let temporary = Temporary::write(folder, fill)?;
    match fs::hard_link(&temporary.path, path) {
        Ok(()) => {
            fault::point("file: linked");
            flush_folder(folder)?;
            Ok(CreateOutcome::Created)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(CreateOutcome::AlreadyExists),
        Err(error) => Err(error),
    }
}

fn read(path: &Path) -> io::Result<Option<StoredObject>> {
    let mut file = match open_regular_file(path) {
        Ok(file) => file,
        // a file where the path needs a folder: the object does not exist
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(Some(StoredObject { version: Version::of_bytes(&bytes), bytes }))
}

/// Hands the first `length` bytes of a file to `take`, in chunks, and returns their SHA-256.
fn read_in_chunks(file: &File, length: u64, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<String> {
    let mut buffer = vec![0; CHUNK_BYTES];
    let mut hash = Sha256::new();
    let mut offset = 0;
    while offset < length {
        let size = usize::try_from(length - offset).map_or(CHUNK_BYTES, |left| left.min(CHUNK_BYTES));
        let chunk = &mut buffer[..size];
        // by position: clones of a file share its cursor
        file.read_exact_at(chunk, offset)?;
        hash.update(&*chunk);
        take(chunk)?;
        offset += size as u64;
    }
    Ok(hex::encode(hash.finalize()))
}

/// Reads a file once to compare its digest, before the caller reads any part of it.
fn open(path: &Path, digest: Digest<'_>) -> io::Result<OpenOutcome> {
    let file = match open_regular_file(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(OpenOutcome::NotFound);
        }
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    if length != digest.length {
        return Ok(OpenOutcome::wrong_length(length, digest));
    }
    let sha256 = read_in_chunks(&file, length, |_| Ok(()))?;
    if sha256 != digest.sha256 {
        return Ok(OpenOutcome::Mismatch(format!("its SHA-256 is {sha256}, and was {}", digest.sha256)));
    }
    // the open file stays the same one, even if another is renamed into its place
    Ok(OpenOutcome::Confirmed(Box::new(file)))
}

fn swap(path: &Path, expected: Option<&Version>, bytes: &[u8]) -> io::Result<SwapOutcome> {
    let folder = parent_of(path);
    make_folder(folder)?;
    let lock = open_regular_file_with(
        OpenOptions::new().write(true).create(true).truncate(false).mode(0o600),
        &lock_path(path),
    )?;
    flock(&lock, FlockOperation::LockExclusive)?;
    fault::point("file: locked");
    let current = read(path)?.map(|stored| stored.version);
    if current.as_ref() != expected {
        return Ok(SwapOutcome::Conflict);
    }
    let temporary = Temporary::write(folder, |file| file.write_all(bytes))?;
    fs::rename(&temporary.path, path)?;
    fault::point("file: renamed");
    flush_folder(folder)?;
    Ok(SwapOutcome::Swapped)
}

/// The entries of a folder whose names do not begin with a dot: no temporary files, locks or verification objects.
fn entries(folder: &Path) -> io::Result<Vec<(fs::DirEntry, String)>> {
    Ok(all_entries(folder)?.into_iter().filter(|(_, name)| !name.starts_with('.')).collect())
}

fn all_entries(folder: &Path) -> io::Result<Vec<(fs::DirEntry, String)>> {
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing?,
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry?;
        // Taster writes no names that are not UTF-8
        if let Ok(name) = entry.file_name().into_string() {
            found.push((entry, name));
        }
    }
    Ok(found)
}

fn walk(folder: &Path, base: &str, objects: &mut Vec<ObjectInfo>) -> io::Result<()> {
    for (entry, name) in entries(folder)? {
        let key = format!("{base}/{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &key, objects)?;
            continue;
        }
        let facts = match entry.metadata() {
            // another process removed it
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            facts => facts?,
        };
        let modified = Timestamp::try_from(facts.modified()?).map_err(io::Error::other)?;
        objects.push(ObjectInfo { key, size: facts.len(), modified });
    }
    Ok(())
}

/// Removes a folder and those below it, if they hold nothing but locks. A folder with an unfinished write stays.
fn remove_empty_folders(folder: &Path) {
    for (entry, name) in all_entries(folder).unwrap_or_default() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            remove_empty_folders(&entry.path());
        } else if name.starts_with('.') && name.ends_with(".lock") {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

/// Which folders are swept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    OneFolder,
    AllFolders,
}

/// Removes temporary files and verification objects of killed processes, and folders that they left empty.
fn sweep(folder: &Path, depth: Depth, before: Timestamp, mode: GcMode) -> io::Result<u64> {
    let mut swept = 0;
    for (entry, name) in all_entries(folder)? {
        let old = || Ok::<_, io::Error>(Timestamp::try_from(entry.metadata()?.modified()?).is_ok_and(|at| at < before));
        if entry.file_type()?.is_dir() {
            if depth == Depth::OneFolder {
                continue;
            }
            swept += sweep(&entry.path(), depth, before, mode)?;
            if mode == GcMode::Remove && old()? {
                // fails for a folder that is not empty, which stays
                let _ = fs::remove_dir(entry.path());
            }
            continue;
        }
        let unfinished =
            name.starts_with(TEMPORARY_PREFIX) || name.starts_with(".proof-") || name.starts_with("..proof-");
        if unfinished && old()? {
            if mode == GcMode::Remove {
                fs::remove_file(entry.path())?;
            }
            swept += 1;
        }
    }
    Ok(swept)
}
