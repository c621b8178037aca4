//! What digests are keyed with.

use std::fmt;

use crate::CensusError;

/// Length of a secret of XXH3.
const LENGTH: usize = 192;

/// The key of a baseline's censuses: a random secret of XXH3. `post` uses the baseline's.
///
/// It stands in the capture: it keeps two unlike documents from being made alike on purpose by somebody who has not seen
/// it, and it does not keep whoever reads the store from guessing values of few possibilities.
#[derive(Clone, PartialEq, Eq)]
pub struct Key([u8; LENGTH]);

impl Key {
    /// A new one.
    pub fn random() -> Result<Self, CensusError> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).map_err(|error| CensusError::NoEntropy(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// One that was written by [`Key::to_hex`].
    pub fn from_hex(text: &str) -> Result<Self, CensusError> {
        let mut bytes = [0; LENGTH];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| CensusError::BadKey)?;
        Ok(Self(bytes))
    }

    /// As it stands in a capture.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The secret.
    pub(crate) fn secret(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// Tells keys apart without giving them away.
    #[must_use]
    pub fn id(&self) -> String {
        use sha2::Digest as _;
        hex::encode(&sha2::Sha256::digest(self.0)[..8])
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}
