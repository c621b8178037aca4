//! A hostile probe ends as `unknown` for itself, with the limit and its setting named; the others still run.
