//! The program `pkgfs`: all of it is in the library, so that fuzzing reaches how it reads its
//! configuration.

#[global_allocator]
static ALLOCATOR: pkgfs::Allocator = pkgfs::ALLOCATOR;

fn main() -> std::process::ExitCode {
    pkgfs::main()
}
