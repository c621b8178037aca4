//! What a large census takes to go up into a bucket: memory, and how it compares with copying the file. The server is a
//! process of its own, so that its memory is not counted.

use std::{
    env,
    io::{BufRead, BufReader, Seek, Write},
    process::{Command, Stdio},
    time::Instant,
};

use taster_census::CensusFile;
use taster_store::{AccessKey, S3Settings, Settings, Store};
use taster_testkit::s3::{self, Server};

use crate::{
    Outcome, memory,
    table::{Goal, Table},
};

const PART: &str = "TASTER_BENCH_S3";

/// Whether this process was started to be the server.
pub(crate) fn is_server() -> bool {
    env::var_os(PART).is_some()
}

/// Serves until the other process closes its end.
pub(crate) async fn serve() -> Outcome<()> {
    let server = Server::start().await;
    println!("{}", server.endpoint());
    tokio::task::spawn_blocking(|| std::io::stdin().lines().count()).await?;
    Ok(())
}

fn settings(endpoint: &str) -> Settings {
    let access_key = AccessKey { id: s3::ID.to_owned(), secret: s3::SECRET.to_owned() };
    let s3 = S3Settings { endpoint: Some(endpoint.to_owned()), access_key: Some(access_key), ..S3Settings::default() };
    Settings { url: format!("s3://{}/stage", s3::BUCKET), s3 }
}

/// Stores a census in a bucket.
pub(crate) async fn measure(recorded: &CensusFile, many: &str, table: &mut Table) -> Outcome<()> {
    let mut command = Command::new(env::current_exe()?);
    let mut server = command.env(PART, "1").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut endpoint = String::new();
    BufReader::new(server.stdout.take().ok_or("no output")?).read_line(&mut endpoint)?;
    let place = &recorded.identity;
    let store = Store::open_verified(settings(endpoint.trim())).await?.app(&place.app).run(&place.run);

    memory::forget_peak()?;
    let begun = Instant::now();
    let object = store.put_census(place.side, &place.attempt, recorded).await?;
    let took = begun.elapsed();
    if object.length != recorded.length {
        return Err("not all of it is in the bucket".into());
    }
    let what = format!("peak memory, census of {many} documents into a bucket");
    table.line(&what, memory::peak_mib()?, "MiB", Goal::AtMost(128.0));
    drop(server.stdin.take());
    server.wait()?;

    // what any program would do that copies a file and makes sure of it
    let mut file = recorded.file.try_clone()?;
    file.rewind()?;
    let begun = Instant::now();
    let mut copy = tempfile::tempfile()?;
    std::io::copy(&mut file, &mut copy)?;
    copy.flush()?;
    copy.sync_all()?;
    let ratio = took.as_secs_f64() / begun.elapsed().as_secs_f64();
    table.ratio("that, against a copy of the file that is made sure of", ratio, Goal::None);
    Ok(())
}
