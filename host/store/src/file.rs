//! Objects as files of a folder.
//!
//! A file appears whole or not at all: it is written under a temporary name, flushed, and linked to its own; linking fails
//! where one is already. Swaps hold a lock beside the file, which the kernel releases when its holder dies.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use crate::{
    StoreError, fault,
    objects::{Created, Large, Listed, Objects, Opened, Print, Stored, Swapped, Version},
};

/// Large objects are copied and hashed in pieces of so many bytes.
const PIECE: usize = 256 << 10;

/// What the names of unfinished files begin with.
const TEMPORARY: &str = ".tmp-";

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

    /// File systems block; the runtime's own threads must not. `bytes` is how much is to be written.
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

impl Objects for Files {
    fn create<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<Created, StoreError>> {
        let bytes = bytes.to_vec();
        self.blocking(key, "write", bytes.len() as u64, move |path| create(path, |file| file.write_all(&bytes)))
    }

    fn create_from<'a>(&'a self, key: &'a str, large: Large<'a>) -> BoxFuture<'a, Result<Created, StoreError>> {
        let (source, length, sha256) = (large.file.try_clone(), large.print.length, large.print.sha256.to_owned());
        self.blocking(key, "write", length, move |path| {
            let source = source?;
            create(path, |file| {
                let found = in_pieces(&source, length, |piece| file.write_all(piece))?;
                if found == sha256 {
                    return Ok(());
                }
                Err(io::Error::new(io::ErrorKind::InvalidData, "what was to be stored changed after it was recorded"))
            })
        })
    }

    fn open<'a>(&'a self, key: &'a str, print: Print<'a>) -> BoxFuture<'a, Result<Opened, StoreError>> {
        let (length, sha256) = (print.length, print.sha256.to_owned());
        self.blocking(key, "read", 0, move |path| open(path, Print { length, sha256: &sha256 }))
    }

    fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.blocking(key, "read", 0, read)
    }

    fn swap<'a>(
        &'a self,
        key: &'a str,
        expected: Option<&'a Version>,
        bytes: &'a [u8],
    ) -> BoxFuture<'a, Result<Swapped, StoreError>> {
        let (expected, bytes) = (expected.cloned(), bytes.to_vec());
        self.blocking(key, "write", bytes.len() as u64, move |path| swap(path, expected.as_ref(), &bytes))
    }

    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<Listed>, StoreError>> {
        let base = prefix.trim_end_matches('/').to_owned();
        self.blocking(prefix, "list", 0, move |path| {
            let mut objects = Vec::new();
            walk(path, &base, &mut objects)?;
            objects.sort_by(|a, b| a.key.cmp(&b.key));
            Ok(objects)
        })
    }

    fn folders<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, StoreError>> {
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

    fn sweep<'a>(&'a self, prefix: &'a str, before: Timestamp, dry: bool) -> BoxFuture<'a, Result<u64, StoreError>> {
        match prefix.rsplit_once('/') {
            Some((folder, "")) => self.blocking(folder, "remove", 0, move |path| sweep(path, true, before, dry)),
            Some((folder, _)) => self.blocking(folder, "remove", 0, move |path| sweep(path, false, before, dry)),
            None => Box::pin(async { Ok(0) }),
        }
    }

    fn forget<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blocking(prefix, "remove", 0, |path| {
            forget(path);
            Ok(())
        })
    }

    fn remove<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<(), StoreError>> {
        self.blocking(key, "remove", 0, |path| {
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
    fn write(folder: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Self> {
        make_folder(folder)?;
        let temporary = Self { path: folder.join(format!("{TEMPORARY}{}", ulid::Ulid::generate())) };
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

fn create(path: &Path, fill: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<Created> {
    let folder = folder_of(path);
    let temporary = Temporary::write(folder, fill)?;
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

/// Hands out the first `length` bytes of a file piece by piece; returns their SHA-256.
fn in_pieces(file: &File, length: u64, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<String> {
    let mut buffer = vec![0; PIECE];
    let mut hash = Sha256::new();
    let mut at = 0;
    while at < length {
        let size = usize::try_from(length - at).map_or(PIECE, |left| left.min(PIECE));
        let piece = &mut buffer[..size];
        // by position: clones of a file share its cursor
        file.read_exact_at(piece, at)?;
        hash.update(&*piece);
        take(piece)?;
        at += size as u64;
    }
    Ok(hex::encode(hash.finalize()))
}

/// A file is read whole before any part of it is believed: a disk reads faster than anybody could be misled.
fn open(path: &Path, print: Print<'_>) -> io::Result<Opened> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Opened::Absent);
        }
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    if length != print.length {
        return Ok(Opened::Other(format!("it has {length} bytes, and {} were written", print.length)));
    }
    let sha256 = in_pieces(&file, length, |_| Ok(()))?;
    if sha256 != print.sha256 {
        return Ok(Opened::Other(format!("its SHA-256 is {sha256}, and was {}", print.sha256)));
    }
    // what is read later is read of this very file, whoever puts another into its place
    Ok(Opened::Confirmed(Box::new(file)))
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
    let temporary = Temporary::write(folder, |file| file.write_all(bytes))?;
    fs::rename(&temporary.path, path)?;
    fault::point("file: renamed");
    flush_folder(folder)?;
    Ok(Swapped::Done)
}

/// What is in a folder, by names that are text; what begins with a dot is a temporary file, a lock or a proof.
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
        // a name that is no text is none of ours
        if let Ok(name) = entry.file_name().into_string() {
            found.push((entry, name));
        }
    }
    Ok(found)
}

fn walk(folder: &Path, base: &str, objects: &mut Vec<Listed>) -> io::Result<()> {
    for (entry, name) in entries(folder)? {
        let key = format!("{base}/{name}");
        if entry.file_type()?.is_dir() {
            walk(&entry.path(), &key, objects)?;
            continue;
        }
        let facts = match entry.metadata() {
            // removed since
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            facts => facts?,
        };
        let modified = Timestamp::try_from(facts.modified()?).map_err(io::Error::other)?;
        objects.push(Listed { key, size: facts.len(), modified });
    }
    Ok(())
}

/// Removes folders that hold nothing but locks. One that somebody is writing into stays: it is not empty.
fn forget(folder: &Path) {
    for (entry, name) in all_entries(folder).unwrap_or_default() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            forget(&entry.path());
        } else if name.starts_with('.') && name.ends_with(".lock") {
            let _ = fs::remove_file(entry.path());
        }
    }
    let _ = fs::remove_dir(folder);
}

/// Temporary files and proofs of processes that were killed, and folders that they left empty.
fn sweep(folder: &Path, deep: bool, before: Timestamp, dry: bool) -> io::Result<u64> {
    let mut swept = 0;
    for (entry, name) in all_entries(folder)? {
        let old = || Ok::<_, io::Error>(Timestamp::try_from(entry.metadata()?.modified()?).is_ok_and(|at| at < before));
        if entry.file_type()?.is_dir() {
            if !deep {
                continue;
            }
            swept += sweep(&entry.path(), deep, before, dry)?;
            if !dry && old()? {
                // one that is not empty stays
                let _ = fs::remove_dir(entry.path());
            }
            continue;
        }
        let unfinished = name.starts_with(TEMPORARY) || name.starts_with(".proof-") || name.starts_with("..proof-");
        if unfinished && old()? {
            if !dry {
                fs::remove_file(entry.path())?;
            }
            swept += 1;
        }
    }
    Ok(swept)
}
