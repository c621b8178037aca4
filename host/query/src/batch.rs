//! Server replies into batches: documents back to back, without the array around them.
//!
//! Only lengths are read, never a document: the server stores invalid UTF-8, duplicate names and unknown types, and all
//! of it must reach the probe as it is.

use bytes::{BufMut, Bytes, BytesMut};
use mongodb::raw_batch_cursor::RawBatch;

/// One reply of the server, as far as it was not handed out yet.
pub(crate) struct Reply {
    /// `None`: nothing came, because nothing was left to ask for.
    batch: Option<RawBatch>,
    /// Offset of the next element in the array.
    offset: usize,
    /// Whether the server has closed its cursor with this reply.
    pub(crate) last: bool,
}

/// What was cut off a reply.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// Whole documents; at least one.
    Documents { bytes: Bytes, documents: u64 },
    /// There is a next document of this length, and it is longer than `bytes` or one more than `documents`.
    TooLong(u64),
    /// Nothing is left.
    Empty,
}

/// The reply is not what a server sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BadReply;

/// How much may be cut off at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    /// Bytes, unless the first document is longer.
    pub(crate) comfortable: usize,
    /// Bytes, the first document included.
    pub(crate) bytes: u64,
    /// Documents.
    pub(crate) documents: u64,
}

impl Reply {
    pub(crate) fn new(batch: RawBatch) -> Result<Self, BadReply> {
        let cursor = batch.as_raw_document().get_document("cursor").map_err(|_| BadReply)?;
        let last = cursor.get_i64("id").map_err(|_| BadReply)? == 0;
        Ok(Self { batch: Some(batch), offset: FIRST, last })
    }

    /// Says that there is nothing more.
    pub(crate) fn end() -> Self {
        Self { batch: None, offset: FIRST, last: true }
    }

    /// The documents as an array, the way the server sent them.
    fn array(&self) -> Result<Option<&[u8]>, BadReply> {
        let Some(batch) = &self.batch else { return Ok(None) };
        batch.doc_slices().map(|array| Some(array.as_bytes())).map_err(|_| BadReply)
    }

    /// Cuts off as many documents as may be.
    pub(crate) fn cut(&mut self, most: Most) -> Result<Cut, BadReply> {
        let mut offset = self.offset;
        let Some(array) = self.array()? else { return Ok(Cut::Empty) };
        let cut = cut(array, &mut offset, most);
        self.offset = offset;
        cut
    }

    /// Every document that the server put into it, each where it lies: nothing is copied.
    pub(crate) fn each(&self) -> Result<Each<'_>, BadReply> {
        Ok(Each { array: self.array()?.unwrap_or(NOTHING), offset: FIRST })
    }

    /// How many documents the server put into it.
    pub(crate) fn documents(&self) -> u64 {
        self.each().map_or(0, |each| each.take_while(Result::is_ok).count() as u64)
    }

    /// Whether everything was handed out.
    pub(crate) fn is_empty(&self) -> bool {
        self.array().is_ok_and(|array| array.is_none_or(|array| self.offset + 1 >= array.len()))
    }
}

/// The documents of a reply one by one. It ends with the first that is not whole.
pub(crate) struct Each<'a> {
    array: &'a [u8],
    offset: usize,
}

impl<'a> Iterator for Each<'a> {
    type Item = Result<&'a [u8], BadReply>;

    fn next(&mut self) -> Option<Self::Item> {
        let found = element(self.array, self.offset);
        match found {
            Ok(Some((document, next))) => {
                self.offset = next;
                Some(Ok(document))
            }
            Ok(None) => None,
            Err(bad) => {
                (self.array, self.offset) = (NOTHING, FIRST);
                Some(Err(bad))
            }
        }
    }
}

/// An array without elements.
const NOTHING: &[u8] = &[5, 0, 0, 0, 0];
/// Offset of the first element of an array: behind its length.
const FIRST: usize = 4;
/// The type of an element that is a document.
const DOCUMENT: u8 = 3;

fn cut(array: &[u8], offset: &mut usize, most: Most) -> Result<Cut, BadReply> {
    let room = array.len().saturating_sub(*offset).min(most.comfortable);
    let mut bytes = BytesMut::new();
    let mut documents = 0;
    while let Some((document, next)) = element(array, *offset)? {
        let length = document.len() as u64;
        if documents == most.documents || bytes.len() as u64 + length > most.bytes {
            return Ok(if documents == 0 {
                Cut::TooLong(length)
            } else {
                Cut::Documents { bytes: bytes.freeze(), documents }
            });
        }
        if documents == 0 {
            bytes.reserve(room.max(document.len()));
        } else if bytes.len() + document.len() > most.comfortable {
            break;
        }
        bytes.put_slice(document);
        documents += 1;
        *offset = next;
    }
    Ok(if documents == 0 { Cut::Empty } else { Cut::Documents { bytes: bytes.freeze(), documents } })
}

/// The document at an offset and the offset behind it; `None` at the end of the array.
fn element(array: &[u8], offset: usize) -> Result<Option<(&[u8], usize)>, BadReply> {
    match array.get(offset) {
        Some(0) if offset + 1 == array.len() => return Ok(None),
        Some(&DOCUMENT) => {}
        _ => return Err(BadReply),
    }
    // the name is the number of the element, at most seven digits
    let name = array.get(offset + 1..).ok_or(BadReply)?;
    let end = name.iter().take(12).position(|byte| *byte == 0).ok_or(BadReply)?;
    let start = offset + 1 + end + 1;
    let (length, _) = array.get(start..).and_then(<[u8]>::split_first_chunk::<4>).ok_or(BadReply)?;
    let length = usize::try_from(i32::from_le_bytes(*length)).map_err(|_| BadReply)?;
    // five bytes: the empty document; the array's own end comes after
    let document = array.get(start..start.saturating_add(length)).filter(|d| d.len() >= 5).ok_or(BadReply)?;
    Ok(Some((document, start + length)))
}

#[cfg(test)]
mod tests {
    use bson::{RawArrayBuf, rawdoc};
    use proptest::prelude::*;

    use super::*;

    const ALL: Most = Most { comfortable: usize::MAX, bytes: u64::MAX, documents: u64::MAX };

    fn array(sizes: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let documents: Vec<_> = sizes.iter().map(|size| rawdoc! {"a": "x".repeat(*size)}).collect();
        let array: RawArrayBuf = documents.iter().cloned().collect();
        let raw: &bson::RawArray = array.as_ref();
        (raw.as_bytes().to_vec(), documents.into_iter().map(bson::RawDocumentBuf::into_bytes).collect())
    }

    proptest! {
        #[test]
        fn every_document_comes_once_and_whole(
            sizes in prop::collection::vec(0usize..200, 0..60), comfortable in 1usize..2000,
        ) {
            let (array, documents) = array(&sizes);
            let mut offset = FIRST;
            let mut all = Vec::new();
            let mut count = 0;
            while let Cut::Documents { bytes, documents } = cut(&array, &mut offset, Most { comfortable, ..ALL }).unwrap() {
                prop_assert!(bytes.len() <= comfortable || documents == 1);
                prop_assert!(!bytes.is_empty());
                all.extend_from_slice(&bytes);
                count += documents;
            }
            prop_assert_eq!(count, documents.len() as u64);
            prop_assert_eq!(all, documents.concat());
        }

        #[test]
        fn documents_are_lent_one_by_one(sizes in prop::collection::vec(0usize..200, 0..60)) {
            let (array, documents) = array(&sizes);
            let lent: Vec<_> = Each { array: &array, offset: FIRST }.map(Result::unwrap).collect();
            prop_assert_eq!(lent, documents);
        }

        #[test]
        fn broken_replies_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), offset in 0usize..220) {
            let mut offset = offset;
            let lent = Each { array: &bytes, offset }.count();
            prop_assert!(lent <= bytes.len().max(1));
            let _ = cut(&bytes, &mut offset, ALL);
        }

        #[test]
        fn damaged_replies_never_panic(at in 0usize..200, byte in any::<u8>()) {
            let (mut array, _) = array(&[3, 50, 7]);
            let at = at % array.len();
            array[at] = byte;
            let mut offset = FIRST;
            while let Ok(Cut::Documents { .. }) = cut(&array, &mut offset, Most { comfortable: 1, ..ALL }) {}
        }
    }

    #[test]
    fn budgets_stop_at_the_document_that_does_not_fit() {
        let (array, documents) = array(&[10, 10, 10]);
        let size = documents[0].len() as u64;
        let mut offset = FIRST;
        let two = cut(&array, &mut offset, Most { documents: 2, ..ALL }).unwrap();
        assert!(matches!(two, Cut::Documents { documents: 2, .. }));
        assert_eq!(cut(&array, &mut offset, Most { documents: 0, ..ALL }), Ok(Cut::TooLong(size)));
        assert_eq!(cut(&array, &mut offset, Most { bytes: size - 1, ..ALL }), Ok(Cut::TooLong(size)));
        assert!(matches!(
            cut(&array, &mut offset, Most { bytes: size, ..ALL }),
            Ok(Cut::Documents { documents: 1, .. })
        ));
        assert_eq!(cut(&array, &mut offset, Most { documents: 0, ..ALL }), Ok(Cut::Empty));
    }
}
