//! The program `tamis`. Exit codes: 0 all went well, 1 the job or the command failed, 2 it was called wrongly.

use std::process::ExitCode;

fn main() -> ExitCode {
    tamis::cli::main()
}
