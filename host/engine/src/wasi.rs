//! WASI without access to anything, for guests whose language always imports it.
//!
//! There are no files, sockets, environment variables or arguments. The wall clock is fixed to the capture's time, the
//! monotonic clock counts how often it was read, and random numbers come from the capture's seed: both sides of a sync see the
//! same.

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
use jiff::Timestamp;
use rand::{SeedableRng, rngs::ChaCha12Rng};
use tokio::io::AsyncWrite;
use wasmtime::component::Linker;
use wasmtime_wasi::{
    HostMonotonicClock, HostWallClock, WasiCtx, WasiView,
    cli::{IsTerminal, StdoutStream},
    p2::{OutputStream, Pollable, StreamResult},
};

use crate::log::{GuestLog, LogLevel};

/// Random bytes of one call.
const MAX_RANDOM_BYTES: u64 = 1 << 20;
/// How far one reading advances the monotonic clock.
const TICK_NS: u64 = 1000;

/// The packages of WASI 0.2 that are linked.
pub(crate) const PACKAGES: [&str; 6] =
    ["wasi:cli", "wasi:clocks", "wasi:filesystem", "wasi:io", "wasi:random", "wasi:sockets"];

/// The only inputs of a guest beside its configuration and the data: the same on both sides of a sync.
#[derive(Clone, Copy)]
pub(crate) struct GuestEnvironment {
    pub(crate) clock: Timestamp,
    pub(crate) seed: [u8; 32],
}

impl GuestEnvironment {
    /// The environment of calls that read no data.
    pub(crate) fn empty() -> Self {
        Self { clock: Timestamp::UNIX_EPOCH, seed: [0; 32] }
    }
}

/// Links WASI 0.2.
pub(crate) fn add_to_linker<T: WasiView + 'static>(linker: &mut Linker<T>) -> wasmtime::Result<()> {
    wasmtime_wasi::p2::add_to_linker_async(linker)
}

/// A context without access to anything.
pub(crate) fn context(environment: &GuestEnvironment, log: &GuestLog) -> WasiCtx {
    let mut insecure = environment.seed;
    insecure[0] ^= 1;
    let mut seed = [0; 16];
    seed.copy_from_slice(&environment.seed[16..]);
    WasiCtx::builder()
        .stdout(LogStream { log: log.clone(), level: LogLevel::Info })
        .stderr(LogStream { log: log.clone(), level: LogLevel::Warn })
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false)
        .secure_random(ChaCha12Rng::from_seed(environment.seed))
        .insecure_random(ChaCha12Rng::from_seed(insecure))
        .insecure_random_seed(u128::from_le_bytes(seed))
        .max_random_size(MAX_RANDOM_BYTES)
        .wall_clock(FixedWallClock(Duration::from_nanos_u128(environment.clock.as_nanosecond().max(0).unsigned_abs())))
        .monotonic_clock(CountingMonotonicClock(Arc::default()))
        .build()
}

struct FixedWallClock(Duration);

impl HostWallClock for FixedWallClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        self.0
    }
}

struct CountingMonotonicClock(Arc<AtomicU64>);

impl HostMonotonicClock for CountingMonotonicClock {
    fn resolution(&self) -> u64 {
        TICK_NS
    }

    fn now(&self) -> u64 {
        self.0.fetch_add(TICK_NS, Ordering::Relaxed)
    }
}

/// Standard output or standard error, written to the log.
#[derive(Clone)]
struct LogStream {
    log: GuestLog,
    level: LogLevel,
}

impl IsTerminal for LogStream {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for LogStream {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        // the default stream writes in a task of its own: lines right before a trap would be lost
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for LogStream {
    async fn ready(&mut self) {}
}

impl OutputStream for LogStream {
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

impl AsyncWrite for LogStream {
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
