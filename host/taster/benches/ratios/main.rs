//! How fast and how small the host is, as ratios against what one could do without it, all measured in one process run
//! on one machine: `make bench`.
//!
//! It is no test: it prints a verdict for each goal, and fails only where something could not be measured at all.
//! `TASTER_BENCH_DOCUMENTS` (default 1000000) and `TASTER_BENCH_ROUNDS` (default 5) make it shorter.

#![expect(clippy::print_stdout, reason = "printing is what a benchmark is for")]

mod bucket;
mod census;
mod data;
mod facts;
mod guests;
mod judging;
mod memory;
mod scans;
mod table;

use std::{error::Error, time::Duration};

use taster_demo::{Mongod, MongodOptions};

use crate::{
    guests::GuestProbes,
    scans::{Contestant, Stage},
    table::{Goal, Table},
};

type Outcome<T> = Result<T, Box<dyn Error>>;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
struct Size {
    documents: u64,
    rounds: usize,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    if bucket::is_server() {
        return bucket::serve().await;
    }
    let size = Size {
        documents: number("TASTER_BENCH_DOCUMENTS", 1_000_000)?.max(1000),
        rounds: usize::try_from(number("TASTER_BENCH_ROUNDS", 5)?.max(1))?,
    };
    // the whole collection stays in the server's cache: what is measured is not the disk
    let mongod = Mongod::start(MongodOptions { cache_mib: 2048, ..MongodOptions::default() }).await?;
    let client = mongod.client().await?;
    println!("{}", facts::machine());
    println!(
        "mongod {}, standalone; {} documents of {} bytes; medians of {} rounds after one to warm up\n",
        mongod.version().await?,
        taster_text::grouped(size.documents),
        data::DOCUMENT_BYTES,
        size.rounds
    );
    data::load(&client, data::LARGE, size.documents).await?;
    data::load(&client, data::SMALL, size.documents / 10).await?;

    let guests = GuestProbes::load().await?;
    let stage = Stage::open(&mongod, client, guests, size).await?;
    let mut table = Table::default();

    // first, while nothing else has touched the heap
    memory::measure(&stage, &mut table).await?;
    census::measure(&stage, &mut table).await?;
    judging::measure(size.rounds, &mut table).await?;
    scans(&stage, &mut table).await?;
    stage.guests.measure(&stage, &mut table).await?;
    stage.close().await;
    println!("{table}");
    Ok(())
}

/// All scans, one after the other in every round, so that whatever else the machine does hits all of them.
async fn scans(stage: &Stage, table: &mut Table) -> Outcome<()> {
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); Contestant::ALL.len()];
    for round in 0..=stage.size.rounds {
        for (contestant, times) in Contestant::ALL.iter().zip(&mut times) {
            let time = stage.time(*contestant).await.map_err(|error| format!("{}: {error}", contestant.name()))?;
            if round > 0 {
                times.push(time);
            }
        }
    }
    let medians: Vec<Duration> = times.iter_mut().map(|times| median(times)).collect();
    let of = |contestant: Contestant| {
        let place = Contestant::ALL.iter().position(|other| *other == contestant);
        medians[place.expect("ALL holds every contestant")].as_secs_f64()
    };
    for (contestant, time) in Contestant::ALL.iter().zip(&medians) {
        let each = time.as_nanos() / u128::from(stage.size.documents);
        println!("  {:<58} {:>8.3} s {each:>8} ns a document", contestant.name(), time.as_secs_f64());
    }
    println!();
    // the harder of the ways in which somebody might write the loop
    let plain = Contestant::PLAIN.iter().map(|way| of(*way)).fold(f64::INFINITY, f64::min);
    table.ratio(
        "raw batches, prefetch, one hash a document / plain loop",
        of(Contestant::Hash) / plain,
        Goal::AtMost(0.65),
    );
    table.ratio("the same / the server's own dbHash", of(Contestant::Hash) / of(Contestant::DbHash), Goal::None);
    table.ratio("Rust guest that reads every document / plain loop", of(Contestant::Guest) / plain, Goal::AtMost(0.70));
    table.ratio("the same / the server's own dbHash", of(Contestant::Guest) / of(Contestant::DbHash), Goal::None);
    table.ratio("full census / plain loop", of(Contestant::Census) / plain, Goal::AtMost(0.70));
    table.ratio(
        "the same / the server's own dbHash",
        of(Contestant::Census) / of(Contestant::DbHash),
        Goal::AtMost(0.50),
    );
    table.ratio("schema-shape / plain loop", of(Contestant::Shape) / plain, Goal::None);
    Ok(())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

fn number(variable: &str, default: u64) -> Outcome<u64> {
    match std::env::var(variable) {
        Ok(text) => text.parse().map_err(|_| format!("{variable} is `{text}`, which is no number").into()),
        Err(_) => Ok(default),
    }
}
