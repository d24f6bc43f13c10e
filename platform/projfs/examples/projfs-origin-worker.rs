//! The process that reads repositories, which tests start.

fn main() -> std::process::ExitCode {
    pkgfs_origin::worker::main()
}
