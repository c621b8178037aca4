//! A real control plane for tests, started once per test process.
