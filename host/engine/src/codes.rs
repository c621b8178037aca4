//! Codes of what ends a run. Those of what fails before one stand at [`crate::EngineError`].

/// The guest trapped.
pub(crate) const TRAP: &str = "T0320";
/// The wall deadline passed.
pub(crate) const DEADLINE: &str = "T0321";
/// Memories and tables together are past the limit.
pub(crate) const MEMORY: &str = "T0322";
/// Too many instances, tables or memories.
pub(crate) const PARTS: &str = "T0323";
/// One call made the host allocate too much.
pub(crate) const HOSTCALL_BYTES: &str = "T0324";
/// Too many handles.
pub(crate) const HANDLES: &str = "T0325";
/// Too many metrics.
pub(crate) const METRICS: &str = "T0326";
/// Too large a result.
pub(crate) const RESULT_BYTES: &str = "T0327";
/// A metric that breaks the rules of metrics.
pub(crate) const BAD_METRIC: &str = "T0328";
/// A metric that the manifest does not declare.
pub(crate) const UNDECLARED_METRIC: &str = "T0329";
/// A method that the manifest does not declare.
pub(crate) const UNDECLARED_METHOD: &str = "T0330";
/// Recursion without end.
pub(crate) const STACK: &str = "T0331";
/// The guest ended its process.
pub(crate) const EXIT: &str = "T0332";
/// The guest breaks the rules of the component model.
pub(crate) const MISUSE: &str = "T0333";
