//! Compiled code by digest, in folders that nobody else can write: one of this user's own, and one that came with the host.
//!
//! Compiled code is run without checks, so whoever can write here can run code as this user. A folder and each file in it
//! must belong to this user (what came with the host: to root, or to this user) and be writable by nobody else; components
//! from users never come near them.

use std::{
    fs::{self, DirBuilder, File, Metadata},
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
};

use wasmtime::component::Component;

use crate::{EngineError, trusted};

/// Write permission of group and others.
const OTHERS_WRITE: u32 = 0o022;

/// A private folder of compiled code.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// Opens `dir`, made with mode 0700 where it is missing.
    pub(crate) fn open(dir: PathBuf) -> Result<Self, EngineError> {
        let refused = |why: String| EngineError::Cache { path: dir.clone(), why };
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(|error| refused(error.to_string()))?;
        let metadata = fs::symlink_metadata(&dir).map_err(|error| refused(error.to_string()))?;
        if !metadata.is_dir() {
            return Err(refused("it is not a folder".to_owned()));
        }
        private(&metadata, Owner::User).map_err(refused)?;
        Ok(Self { dir })
    }

    fn path(&self, engine: &wasmtime::Engine, sha256: &str) -> PathBuf {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        self.dir.join(format!("{sha256}-{:016x}.cwasm", hasher.finish()))
    }

    /// The compiled code of the component with this digest, where it is there and sound. What is not is removed.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, sha256: &str) -> Option<Component> {
        let path = self.path(engine, sha256);
        let metadata = fs::symlink_metadata(&path).ok()?;
        let sound =
            if metadata.is_file() { private(&metadata, Owner::User) } else { Err("it is not a file".to_owned()) };
        let loaded = sound.and_then(|()| trusted::load(engine, &path).map_err(|error| error.to_string()));
        match loaded {
            Ok(component) => Some(component),
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "compiled code is dropped and made again");
                if let Err(error) = fs::remove_file(&path) {
                    tracing::warn!(path = %path.display(), %error, "compiled code cannot be removed");
                }
                None
            }
        }
    }

    /// Keeps the compiled code of a component. A full disk costs the next start some seconds and is no error.
    pub(crate) fn store(&self, engine: &wasmtime::Engine, sha256: &str, component: &Component) {
        let path = self.path(engine, sha256);
        let code = match component.serialize() {
            Ok(code) => code,
            Err(error) => {
                tracing::warn!(%error, "compiled code cannot be kept");
                return;
            }
        };
        if let Err(error) = write(&self.dir, &path, &code) {
            tracing::warn!(path = %path.display(), %error, "compiled code cannot be kept");
        }
    }
}

/// Writes beside the final name, then renames: another process never maps half a file.
fn write(dir: &Path, path: &Path, code: &[u8]) -> io::Result<()> {
    // made with mode 0600
    let mut file = tempfile::NamedTempFile::new_in(dir)?;
    file.write_all(code)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}

/// What came with the host, compiled ahead for every machine of its kind. It is read and never written.
#[derive(Debug)]
pub(crate) struct Shipped {
    dir: PathBuf,
}

impl Shipped {
    /// A folder that is not there ships nothing.
    pub(crate) fn at(dir: PathBuf) -> Result<Self, EngineError> {
        match fs::symlink_metadata(&dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self { dir }),
            Err(error) => Err(EngineError::Shipped { path: dir, why: error.to_string() }),
            Ok(metadata) if !metadata.is_dir() => {
                Err(EngineError::Shipped { path: dir, why: "it is not a folder".to_owned() })
            }
            Ok(metadata) => match private(&metadata, Owner::UserOrRoot) {
                Ok(()) => Ok(Self { dir }),
                Err(why) => Err(EngineError::Shipped { path: dir, why }),
            },
        }
    }

    /// The compiled code of the component with this digest. What is there and cannot be used is said: it costs a start some
    /// seconds.
    pub(crate) fn load(&self, engine: &wasmtime::Engine, sha256: &str) -> Option<Component> {
        let path = self.dir.join(file_name(sha256));
        let metadata = fs::symlink_metadata(&path).ok()?;
        let sound =
            if metadata.is_file() { private(&metadata, Owner::UserOrRoot) } else { Err("it is not a file".to_owned()) };
        match sound.and_then(|()| trusted::load(engine, &path).map_err(|error| format!("{error:#}"))) {
            Ok(component) => Some(component),
            Err(why) => {
                tracing::warn!(path = %path.display(), why, "code that was compiled ahead is not used");
                None
            }
        }
    }
}

/// What code that was compiled ahead for a component is called.
pub(crate) fn file_name(sha256: &str) -> String {
    format!("{sha256}.cwasm")
}

/// Whom a folder of code may belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    User,
    UserOrRoot,
}

fn private(metadata: &Metadata, owner: Owner) -> Result<(), String> {
    let user = rustix::process::geteuid().as_raw();
    let trusted = metadata.uid() == user || (owner == Owner::UserOrRoot && metadata.uid() == 0);
    if !trusted {
        return Err(format!("it belongs to user {}, not to {user}", metadata.uid()));
    }
    if metadata.mode() & OTHERS_WRITE != 0 {
        return Err(format!("others can write to it (mode {:o})", metadata.mode() & 0o7777));
    }
    Ok(())
}
