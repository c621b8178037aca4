//! Error codes of the server that Taster tells apart, as in the server's `error_codes.yml`.

use std::ops::RangeFrom;

pub(crate) const UNAUTHORIZED: i32 = 13;
pub(crate) const AUTHENTICATION_FAILED: i32 = 18;
pub(crate) const NAMESPACE_NOT_FOUND: i32 = 26;
pub(crate) const CURSOR_NOT_FOUND: i32 = 43;
pub(crate) const MAX_TIME_EXPIRED: i32 = 50;
pub(crate) const COMMAND_NOT_SUPPORTED_ON_VIEW: i32 = 166;
pub(crate) const SNAPSHOT_TOO_OLD: i32 = 239;
pub(crate) const SNAPSHOT_UNAVAILABLE: i32 = 246;
pub(crate) const NO_DISK_USE: i32 = 292;

/// A server that starts, stops or holds an election: `HostUnreachable`, `HostNotFound`, `NetworkTimeout`,
/// `ShutdownInProgress`, `PrimarySteppedDown`, `ExceededTimeLimit`, `SocketException`, `NotYetInitialized`,
/// `NotWritablePrimary`, `InterruptedAtShutdown`, `InterruptedDueToReplStateChange`, `NotPrimaryNoSecondaryOk`,
/// `NotPrimaryOrSecondary`.
pub(crate) const TRANSIENT: [i32; 13] = [6, 7, 89, 91, 94, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436];

/// The query is invalid: `BadValue`, `FailedToParse`, `TypeMismatch`, `IndexNotFound`, `PathNotViable`, `InvalidOptions`,
/// `InvalidPipelineOperator`, `NotImplemented`, `ConversionFailure`.
pub(crate) const INVALID_QUERY: [i32; 9] = [2, 9, 14, 27, 28, 72, 168, 238, 241];

/// Errors without a name have five digits and more. Nearly all of them come from parsing and evaluating queries; codes
/// about shutdowns and elections end at 13436.
pub(crate) const UNNAMED: RangeFrom<i32> = 13_437..;
