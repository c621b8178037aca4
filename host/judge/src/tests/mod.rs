//! Tests of the judgement as a whole: the invariants by name, the rules by tables, and what holds for any input.

mod census;
mod changes;
mod declared;
mod invariants;
mod properties;
mod rules;
mod sides;
