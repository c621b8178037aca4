//! Folders of compiled code by component digest: this user's cache, and precompiled code that is shipped with the host.
//!
//! Compiled code runs without checks, so anyone who can write it can run code as this user. A folder and each file in it must
//! belong to this user or to root, and nobody else may be able to write to it. Files that users provide never get there.

use std::{
    fs::{self, DirBuilder, File, Metadata},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicBool, Ordering},
};

use wasmtime::component::Component;

use crate::{error::EngineError, precompiled};

/// Write permission of group and others.
const OTHERS_WRITE: u32 = 0o022;

/// This user's folder of compiled code. It may also be root's, as in an image: what is in it is used, and nothing is added.
#[derive(Debug)]
pub(crate) struct CodeCache {
    dir: PathBuf,
    /// Set once code could not be written. That is said once, and not tried again.
    is_read_only: AtomicBool,
}

impl CodeCache {
    /// Opens `dir`, and creates it with mode 0700 if it is missing. `None` where it is missing and cannot be created, as on a
    /// read-only file system or below a home that is no folder: then there is no code that others could have put there.
    pub(crate) fn open(dir: PathBuf) -> Result<Option<Self>, EngineError> {
        let refused = |why: String| EngineError::Cache { path: dir.clone(), why };
        match DirBuilder::new().recursive(true).mode(0o700).create(&dir) {
            Ok(()) => {}
            // something else has its name
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                tracing::warn!(path = %dir.display(), %error, "no code cache; each start compiles again");
                return Ok(None);
            }
        }
        let metadata = fs::symlink_metadata(&dir).map_err(|error| refused(error.to_string()))?;
        if !metadata.is_dir() {
            return Err(refused("it is not a folder".to_owned()));
        }
        check_private(&metadata).map_err(refused)?;
        Ok(Some(Self { dir, is_read_only: AtomicBool::new(false) }))
    }

    fn path(&self, engine: &wasmtime::Engine, sha256: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.dir.join(format!("{sha256}-{:016x}.cwasm", hasher.finish()))
    }

    /// Loads the compiled code of the component with this digest. Code that cannot be used is removed, and compiled again.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, sha256: &str) -> Option<Component> {
        let path = self.path(engine, sha256);
        let metadata = fs::symlink_metadata(&path).ok()?;
        let sound = if metadata.is_file() { check_private(&metadata) } else { Err("it is not a file".to_owned()) };
        let loaded = sound.and_then(|()| precompiled::load(engine, &path).map_err(|error| error.to_string()));
        match loaded {
            Ok(component) => Some(component),
            Err(why) => {
                match fs::remove_file(&path) {
                    Ok(()) => tracing::warn!(path = %path.display(), why, "removed unusable code from the code cache"),
                    Err(error) => {
                        tracing::warn!(path = %path.display(), why, %error, "cannot use or remove code in the code cache");
                    }
                }
                None
            }
        }
    }

    /// Stores the compiled code of a component. A failure is no error: it costs the next start some seconds.
    pub(crate) fn store(&self, engine: &wasmtime::Engine, sha256: &str, code: &[u8]) {
        if self.is_read_only.load(Ordering::Relaxed) {
            return;
        }
        let path = self.path(engine, sha256);
        if let Err(error) = write(&self.dir, &path, code) {
            self.is_read_only.store(true, Ordering::Relaxed);
            tracing::warn!(path = %path.display(), %error, "cannot write to the code cache; each start compiles again");
        }
    }
}

/// Writes to a temporary name, then renames, so that another process never maps an incomplete file.
fn write(dir: &Path, path: &Path, code: &[u8]) -> io::Result<()> {
    // created with mode 0600
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(code)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}

/// A folder of code that was compiled ahead of time and is shipped with the host. It is never written.
#[derive(Debug)]
pub(crate) struct PrecompiledCode {
    dir: PathBuf,
}

impl PrecompiledCode {
    /// Opens `dir`. A missing folder is an empty one.
    pub(crate) fn open(dir: PathBuf) -> Result<Self, EngineError> {
        match fs::symlink_metadata(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { dir }),
            Err(error) => Err(EngineError::Precompiled { path: dir, why: error.to_string() }),
            Ok(metadata) if !metadata.is_dir() => {
                Err(EngineError::Precompiled { path: dir, why: "it is not a folder".to_owned() })
            }
            Ok(metadata) => match check_private(&metadata) {
                Ok(()) => Ok(Self { dir }),
                Err(why) => Err(EngineError::Precompiled { path: dir, why }),
            },
        }
    }

    /// Loads the compiled code of the component with this digest. Code that cannot be used is a warning: it costs each start some
    /// seconds.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, sha256: &str) -> Option<Component> {
        let path = self.dir.join(precompiled_file_name(sha256));
        let metadata = fs::symlink_metadata(&path).ok()?;
        let sound = if metadata.is_file() { check_private(&metadata) } else { Err("it is not a file".to_owned()) };
        match sound.and_then(|()| precompiled::load(engine, &path).map_err(|error| format!("{error:#}"))) {
            Ok(component) => Some(component),
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "cannot use precompiled code; compiling the component");
                None
            }
        }
    }
}

/// The file name of a component's precompiled code.
pub(crate) fn precompiled_file_name(sha256: &str) -> String {
    format!("{sha256}.cwasm")
}

/// Checks that only this user and root, who can do everything anyway, can have written code.
fn check_private(metadata: &Metadata) -> Result<(), String> {
    let user = rustix::process::geteuid().as_raw();
    if metadata.uid() != user && metadata.uid() != 0 {
        return Err(format!("it belongs to user {}, not to {user}", metadata.uid()));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(format!("others can write to it (mode {:o})", metadata.mode() & 0o7777));
    }
    Ok(())
}
