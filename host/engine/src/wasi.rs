//! WASI for guests that import it because their language always does: nothing is behind it.
//!
//! No files, sockets, environment or arguments. The wall clock stands still at the capture's clock, the monotonic one
//! counts how often it was read, and entropy comes from the capture's seed: both sides of a sync see the same.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use rand::{SeedableRng, rngs::ChaCha12Rng};
use tokio::io::AsyncWrite;
use wasmtime::component::Linker;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::{
    log::{Log, LogLevel},
    state::{State, World},
};

/// Longest entropy that one call gives.
const RANDOM_BYTES: u64 = 1 << 20;
/// What one reading of the monotonic clock moves it by.
const TICK_NS: u64 = 1000;

/// The packages of WASI 0.2 that are linked. `wasi:http` and the like are not: no probe has a use for them.
pub(crate) const PACKAGES: [&str; 6] =
    ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// Links WASI 0.2.
pub(crate) fn add_to_linker(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// An empty context.
pub(crate) fn context(world: &World, log: &Log) -> WasiCtx {
    let mut insecure = world.seed;
    insecure[0] ^= 1;
    let mut seed = [0; 16];
    seed.copy_from_slice(&world.seed[16..]);
    WasiCtx::builder()
        .stdout(Lines { log: log.clone(), level: LogLevel::Info })
        .stderr(Lines { log: log.clone(), level: LogLevel::Warn })
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .secure_random(ChaCha12Rng::from_seed(world.seed))
        .insecure_random(ChaCha12Rng::from_seed(insecure))
        .insecure_random_seed(u128::from_le_bytes(seed))
        .max_random_size(RANDOM_BYTES)
        .wall_clock(Frozen(Duration::from_nanos_u128(world.clock.as_nanosecond().max(0).unsigned_abs())))
        .monotonic_clock(Counting(Arc::default()))
        .build()
}

struct Frozen(Duration);

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

struct Counting(Arc<AtomicU64>);

impl HostMonotonicClock for Counting {
    fn resolution(&self) -> u64 {
        TICK_NS
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(TICK_NS, Ordering::Relaxed)
    }
}

/// Standard output and error, as lines of the log.
#[derive(Clone)]
struct Lines {
    log: Log,
    level: LogLevel,
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        // the default hands bytes to a task of their own: what a guest said right before its trap would be lost
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Lines {
    async fn ready(&mut self) {}
}

impl OutputStream for Lines {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.log.write(self.level, &bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}

impl AsyncWrite for Lines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        self.log.write(self.level, bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
