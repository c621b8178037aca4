//! Invariant 10: memory does not grow with the collection.
//!
//! Measured on the binary itself: the peak of `pre` over a collection and over one that is eight times as large. Both are
//! larger than the buffers of batches, so that those are full in both runs.

use std::{
    fs,
    process::{Child, Stdio},
    thread,
    time::Duration,
};

use mongodb::bson::{Document, doc};

use crate::support::{SHOP, ShopDatabase, Workspace};

/// Documents of the smaller collection: 50 MB.
const DOCUMENTS: i32 = 50_000;
/// How many times as large the other one is: 350 MB more.
const FACTOR: i32 = 8;
/// Bytes of a document.
const SIZE: usize = 1000;
/// How much more memory the larger collection may take, in MiB. Keeping a seventh of its documents takes more, and so does
/// keeping 150 bytes of each.
const MAX_GROWTH: f64 = 50.0;
/// The same as a ratio, for a machine where everything takes more memory.
const MAX_RATIO: f64 = 1.5;

/// Fills a collection on the server, which is faster than sending the documents.
async fn fill(shop: &ShopDatabase, collection: &str, documents: i32) {
    let stages = [
        doc! {"$documents": [{"n": {"$range": [0, documents]}}]},
        doc! {"$unwind": "$n"},
        doc! {"$project": {"_id": "$n", "text": {"$literal": "x".repeat(SIZE)}}},
        doc! {"$out": collection},
    ];
    shop.database.aggregate(stages).await.expect("the collection is filled");
    let count = shop.database.collection::<Document>(collection).estimated_document_count().await.expect("a count");
    assert_eq!(count, u64::try_from(documents).expect("a positive number"));
}

/// The peak memory of a process, in MiB, once it has ended. It only grows, so reading it often enough is exact enough.
fn peak_memory(child: &mut Child) -> f64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0_f64;
    while child.try_wait().expect("a child").is_none() {
        let text = fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
        peak = line.map_or(peak, |kib| kib.parse::<f64>().expect("a number") / 1024.0);
        thread::sleep(Duration::from_millis(2));
    }
    peak
}

/// The peak memory of a `pre` that records a census of the collection and reads it by a guest.
fn peak_of_pre(shop: &ShopDatabase, collection: &str) -> f64 {
    let workspace: Workspace = shop.workspace();
    workspace.configure(&format!(
        "{SHOP}probes:\n  - {{name: documents, component: census, collections: [{collection}]}}\n  \
         - {{name: shape, component: schema-shape, collections: [{collection}]}}\n"
    ));
    let mut child =
        workspace.command(&["pre"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let peak = peak_memory(&mut child);
    let output = child.wait_with_output().expect("a child");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    peak
}

#[tokio::test]
async fn invariant_10_memory_does_not_grow_with_the_collection() {
    let shop = ShopDatabase::standalone(10).await;
    fill(&shop, "small", DOCUMENTS).await;
    fill(&shop, "large", DOCUMENTS * FACTOR).await;
    // the first run compiles the probes, which takes more memory than running them
    peak_of_pre(&shop, "orders");
    let (small, large) = (peak_of_pre(&shop, "small"), peak_of_pre(&shop, "large"));
    println!("{small:.0} MiB for {DOCUMENTS} documents, {large:.0} MiB for {FACTOR} times as many");
    assert!(small > 1.0, "no peak was measured");
    assert!(
        large - small <= MAX_GROWTH && large / small <= MAX_RATIO,
        "{large:.0} MiB for {FACTOR} times as many documents as take {small:.0} MiB"
    );
}
