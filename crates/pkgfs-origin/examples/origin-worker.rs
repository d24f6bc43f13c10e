//! The worker as a program of its own: what tests start, and all that a program which
//! embeds an origin needs to have.

fn main() -> std::process::ExitCode {
    pkgfs_origin::worker::main()
}
