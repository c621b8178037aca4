//! Replies of the server, and the batches that are cut from them: documents back to back, without the array around them.
//!
//! Only lengths are parsed, never a document: the server stores invalid UTF-8, duplicate field names and unknown types, and
//! they must reach the probe unchanged.

use bytes::{BufMut, Bytes, BytesMut};
use mongodb::raw_batch_cursor::RawBatch;

/// One reply of the server, and how much of it was handed out.
pub(crate) struct Reply {
    /// `None`: an empty reply that the host made to end a scan.
    batch: Option<RawBatch>,
    /// Offset of the next element in the array.
    offset: usize,
    /// Whether the server has closed its cursor with this reply.
    pub(crate) last: bool,
}

/// The next batch of a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Batch {
    /// Whole documents; at least one.
    Documents { bytes: Bytes, documents: u64 },
    /// The next document has this length and does not fit into the limits.
    LimitReached(u64),
    /// All documents were handed out.
    Exhausted,
}

/// The reply is not well-formed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MalformedReply;

/// The size of one batch.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BatchLimits {
    /// Bytes that a batch should not exceed. A longer first document is handed out alone.
    pub(crate) target_bytes: usize,
    /// Bytes that a batch must not exceed.
    pub(crate) max_bytes: u64,
    /// Documents that a batch must not exceed.
    pub(crate) max_documents: u64,
}

impl Reply {
    pub(crate) fn new(batch: RawBatch) -> Result<Self, MalformedReply> {
        let cursor = batch.as_raw_document().get_document("cursor").map_err(|_| MalformedReply)?;
        let last = cursor.get_i64("id").map_err(|_| MalformedReply)? == 0;
        Ok(Self { batch: Some(batch), offset: FIRST, last })
    }

    /// An empty reply that ends a scan.
    pub(crate) fn end() -> Self {
        Self { batch: None, offset: FIRST, last: true }
    }

    /// The documents as the BSON array that the server sent.
    fn array(&self) -> Result<Option<&[u8]>, MalformedReply> {
        let Some(batch) = &self.batch else { return Ok(None) };
        batch.doc_slices().map(|array| Some(array.as_bytes())).map_err(|_| MalformedReply)
    }

    /// Takes the next batch: as many documents as fit into the limits.
    pub(crate) fn next_batch(&mut self, limits: BatchLimits) -> Result<Batch, MalformedReply> {
        let mut offset = self.offset;
        let Some(array) = self.array()? else { return Ok(Batch::Exhausted) };
        let batch = next_batch(array, &mut offset, limits);
        self.offset = offset;
        batch
    }

    /// All documents of the reply, borrowed from it: nothing is copied.
    pub(crate) fn documents(&self) -> Result<Documents<'_>, MalformedReply> {
        Ok(Documents { array: self.array()?.unwrap_or(EMPTY_ARRAY), offset: FIRST })
    }

    /// The number of documents in the reply.
    pub(crate) fn count(&self) -> u64 {
        self.documents().map_or(0, |documents| documents.take_while(Result::is_ok).count() as u64)
    }

    /// Whether all documents were handed out.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.array().is_ok_and(|array| array.is_none_or(|array| self.offset + 1 >= array.len()))
    }
}

/// The documents of a reply one by one. It ends with the first malformed one.
pub(crate) struct Documents<'a> {
    array: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Documents<'a> {
    type Item = Result<&'a [u8], MalformedReply>;

    fn next(&mut self) -> Option<Self::Item> {
        match element(self.array, self.offset) {
            Ok(Some((document, next))) => {
                self.offset = next;
                Some(Ok(document))
            }
            Ok(None) => None,
            Err(error) => {
                (self.array, self.offset) = (EMPTY_ARRAY, FIRST);
                Some(Err(error))
            }
        }
    }
}

/// An array without elements.
const EMPTY_ARRAY: &[u8] = &[5, 0, 0, 0, 0];
/// Offset of the first element of an array: after its length.
const FIRST: usize = 4;
/// The BSON type of a document.
const DOCUMENT: u8 = 3;

fn next_batch(array: &[u8], offset: &mut usize, limits: BatchLimits) -> Result<Batch, MalformedReply> {
    let capacity = array.len().saturating_sub(*offset).min(limits.target_bytes);
    let mut bytes = BytesMut::new();
    let mut documents = 0;
    while let Some((document, next)) = element(array, *offset)? {
        let length = document.len() as u64;
        if documents == limits.max_documents || bytes.len() as u64 + length > limits.max_bytes {
            return Ok(if documents == 0 {
                Batch::LimitReached(length)
            } else {
                Batch::Documents { bytes: bytes.freeze(), documents }
            });
        }
        if documents == 0 {
            bytes.reserve(capacity.max(document.len()));
        } else if bytes.len() + document.len() > limits.target_bytes {
            break;
        }
        bytes.put_slice(document);
        documents += 1;
        *offset = next;
    }
    Ok(if documents == 0 { Batch::Exhausted } else { Batch::Documents { bytes: bytes.freeze(), documents } })
}

/// The document at an offset, and the offset of the next one; `None` at the end of the array.
fn element(array: &[u8], offset: usize) -> Result<Option<(&[u8], usize)>, MalformedReply> {
    match array.get(offset) {
        Some(0) if offset + 1 == array.len() => return Ok(None),
        Some(&DOCUMENT) => {}
        _ => return Err(MalformedReply),
    }
    // the field name is the index of the element, at most seven digits
    let name = array.get(offset + 1..).ok_or(MalformedReply)?;
    let end = name.iter().take(12).position(|byte| *byte == 0).ok_or(MalformedReply)?;
    let start = offset + 1 + end + 1;
    let (length, _) = array.get(start..).and_then(<[u8]>::split_first_chunk::<4>).ok_or(MalformedReply)?;
    let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| MalformedReply)?;
    // five bytes is the empty document; the array's own end comes after the last document
    let document = array.get(start..start.saturating_add(length)).filter(|d| d.len() >= 5).ok_or(MalformedReply)?;
    Ok(Some((document, start + length)))
}

#[cfg(test)]
mod tests {
    use bson::{RawArrayBuf, rawdoc};
    use proptest::prelude::*;

    use super::*;

    const UNLIMITED: BatchLimits =
        BatchLimits { target_bytes: usize::MAX, max_bytes: u64::MAX, max_documents: u64::MAX };

    fn array(sizes: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let documents: Vec<_> = sizes.iter().map(|size| rawdoc! {"a": "x".repeat(*size)}).collect();
        let array: RawArrayBuf = documents.iter().cloned().collect();
        let raw: &bson::RawArray = array.as_ref();
        (raw.as_bytes().to_vec(), documents.into_iter().map(bson::RawDocumentBuf::into_bytes).collect())
    }

    proptest! {
        #[test]
        fn every_document_is_handed_out_once_and_whole(
            sizes in prop::collection::vec(0usize..200, 0..60), target_bytes in 1usize..2000,
        ) {
            let (array, documents) = array(&sizes);
            let mut offset = FIRST;
            let mut all = Vec::new();
            let mut count = 0;
            while let Batch::Documents { bytes, documents } = next_batch(&array, &mut offset, BatchLimits { target_bytes, ..UNLIMITED }).unwrap() {
                prop_assert!(bytes.len() <= target_bytes || documents == 1);
                prop_assert!(!bytes.is_empty());
                all.extend_from_slice(&bytes);
                count += documents;
            }
            prop_assert_eq!(count, documents.len() as u64);
            prop_assert_eq!(all, documents.concat());
        }

        #[test]
        fn documents_are_borrowed_one_by_one(sizes in prop::collection::vec(0usize..200, 0..60)) {
            let (array, documents) = array(&sizes);
            let borrowed: Vec<_> = Documents { array: &array, offset: FIRST }.map(Result::unwrap).collect();
            prop_assert_eq!(borrowed, documents);
        }

        #[test]
        fn broken_replies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), offset in 0usize..220) {
            let mut offset = offset;
            let borrowed = Documents { array: &bytes, offset }.count();
            prop_assert!(borrowed <= bytes.len().max(1));
            let _ = next_batch(&bytes, &mut offset, UNLIMITED);
        }

        #[test]
        fn damaged_replies_never_panic(at in 0usize..200, byte in any::<u8>()) {
            let (mut array, _) = array(&[3, 50, 7]);
            let at = at % array.len();
            array[at] = byte;
            let mut offset = FIRST;
            while let Ok(Batch::Documents { .. }) = next_batch(&array, &mut offset, BatchLimits { target_bytes: 1, ..UNLIMITED }) {}
        }
    }

    #[test]
    fn a_batch_stops_before_the_document_that_exceeds_a_limit() {
        let (array, documents) = array(&[10, 10, 10]);
        let size = documents[0].len() as u64;
        let mut offset = FIRST;
        let two = next_batch(&array, &mut offset, BatchLimits { max_documents: 2, ..UNLIMITED }).unwrap();
        assert!(matches!(two, Batch::Documents { documents: 2, .. }));
        assert_eq!(
            next_batch(&array, &mut offset, BatchLimits { max_documents: 0, ..UNLIMITED }),
            Ok(Batch::LimitReached(size))
        );
        assert_eq!(
            next_batch(&array, &mut offset, BatchLimits { max_bytes: size - 1, ..UNLIMITED }),
            Ok(Batch::LimitReached(size))
        );
        assert!(matches!(
            next_batch(&array, &mut offset, BatchLimits { max_bytes: size, ..UNLIMITED }),
            Ok(Batch::Documents { documents: 1, .. })
        ));
        assert_eq!(
            next_batch(&array, &mut offset, BatchLimits { max_documents: 0, ..UNLIMITED }),
            Ok(Batch::Exhausted)
        );
    }
}
