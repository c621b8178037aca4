//! Error codes of failed runs. [`crate::EngineError`] has those of errors before a run.

/// The guest trapped.
pub(crate) const TRAP: &str = "T0320";
/// The wall deadline passed.
pub(crate) const DEADLINE: &str = "T0321";
/// All memories and tables together exceed the limit.
pub(crate) const MEMORY: &str = "T0322";
/// Too many instances, tables or memories.
pub(crate) const PARTS: &str = "T0323";
/// One call made the host allocate too many bytes.
pub(crate) const HOSTCALL_BYTES: &str = "T0324";
/// Too many handles.
pub(crate) const HANDLES: &str = "T0325";
/// Too many metrics.
pub(crate) const METRICS: &str = "T0326";
/// The result is too large.
pub(crate) const RESULT_BYTES: &str = "T0327";
/// A metric is invalid.
pub(crate) const BAD_METRIC: &str = "T0328";
/// The manifest does not declare a metric.
pub(crate) const UNDECLARED_METRIC: &str = "T0329";
/// The manifest does not declare a method.
pub(crate) const UNDECLARED_METHOD: &str = "T0330";
/// The stack overflowed.
pub(crate) const STACK: &str = "T0331";
/// The guest exited its process.
pub(crate) const EXIT: &str = "T0332";
/// The guest violates the rules of the component model.
pub(crate) const MISUSE: &str = "T0333";
