//! The `taster` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    taster::main()
}
