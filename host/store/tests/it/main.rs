//! What the store promises across processes: kills, races, damage on the disk, a full disk.

#![expect(clippy::unwrap_used, reason = "every file of this binary is a test or plays for one")]

mod child;
mod damage;
mod kills;
mod races;
mod shop;
mod space;
