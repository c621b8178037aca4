//! The key of digests.

use std::fmt;

use crate::CensusError;

/// Length of a secret of XXH3.
const LENGTH: usize = 192;

/// The key of a baseline's censuses: a random secret of XXH3. `post` uses the baseline's.
///
/// The capture contains it. It prevents collisions that are constructed without knowing the key. It does not prevent anyone
/// who can read the store from guessing low-entropy values.
#[derive(Clone, PartialEq, Eq)]
pub struct CensusKey([u8; LENGTH]);

impl CensusKey {
    /// A new random key.
    pub fn random() -> Result<Self, CensusError> {
        let mut bytes = [0; LENGTH];
        getrandom::fill(&mut bytes).map_err(|error| CensusError::NoEntropy(error.to_string()))?;
        Ok(Self(bytes))
    }

    /// Parses a key that [`CensusKey::to_hex`] wrote.
    pub fn from_hex(text: &str) -> Result<Self, CensusError> {
        let mut bytes = [0; LENGTH];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| CensusError::BadKey)?;
        Ok(Self(bytes))
    }

    /// The key as captures contain it.
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The secret.
    pub(crate) fn secret(&self) -> &[u8; LENGTH] {
        &self.0
    }

    /// Identifies the key without revealing it.
    #[must_use]
    pub fn id(&self) -> String {
        use sha2::Digest as _;
        hex::encode(&sha2::Sha256::digest(self.0)[..8])
    }
}

impl fmt::Debug for CensusKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.id())
    }
}
