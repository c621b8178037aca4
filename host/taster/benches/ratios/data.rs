//! What is read: documents of one size, much like a small order.

use bson::{DateTime, Decimal128, RawDocumentBuf, oid::ObjectId, rawdoc};
use mongodb::Client;

use crate::Outcome;

/// The database.
pub(crate) const DATABASE: &str = "bench";
/// The collection that is timed.
pub(crate) const LARGE: &str = "documents";
/// A tenth of it, to see what grows with the collection.
pub(crate) const SMALL: &str = "tenth";
/// Size of each document.
pub(crate) const DOCUMENT_BYTES: usize = 315;

const BATCH: u64 = 10_000;
const STATUS: [&str; 4] = ["open", "paid", "gone", "late"];

/// Loads so many documents.
pub(crate) async fn load(client: &Client, collection: &str, documents: u64) -> Outcome<()> {
    let collection = client.database(DATABASE).collection::<RawDocumentBuf>(collection);
    let mut next = 0;
    while next < documents {
        let end = documents.min(next + BATCH);
        let batch: Vec<_> = (next..end).map(document).collect();
        collection.insert_many(&batch).await?;
        next = end;
    }
    Ok(())
}

/// The document of that index.
pub(crate) fn document(index: u64) -> RawDocumentBuf {
    let with = |note: &str| {
        let seconds = 1_743_498_000 + index as u32;
        let [.., a, b, c] = index.to_be_bytes();
        rawdoc! {
            "_id": ObjectId::from_parts(seconds, *b"bench", [a, b, c]),
            "number": index as i32,
            "customer": { "name": "Hanna Lindqvist", "email": "hanna.lindqvist@example.com" },
            "items": [{ "sku": "RIB-01", "qty": 1 + (index % 3) as i32, "price": Decimal128::from_bytes([7; 16]) }],
            "total": Decimal128::from_bytes(u128::from(index).to_le_bytes()),
            "status": STATUS[(index % 4) as usize],
            "created": DateTime::from_millis(i64::from(seconds) * 1000),
            "note": note,
        }
    };
    let bare = with("").as_bytes().len();
    with(&"n".repeat(DOCUMENT_BYTES - bare))
}
