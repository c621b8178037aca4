//! Tests of the judgement as a whole: the invariants by name, the rules by tables, and what holds for any input.

mod census;
mod changes;
mod explained;
mod invariants;
mod not_comparable;
mod parts;
mod properties;
mod rules;
