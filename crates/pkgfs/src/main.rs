//! The program `pkgfs`: all of it is in the library, so that fuzzing reaches how it reads its
//! configuration.

fn main() -> std::process::ExitCode {
    pkgfs::main()
}
