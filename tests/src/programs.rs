//! The programs under test, as cargo built them.

use std::path::PathBuf;

/// A program of the workspace, beside the running test. Cargo builds only the binaries of the
/// package under test; `cargo xtask test` builds the others first.
#[must_use]
pub fn built(package: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let places = test.ancestors().skip(1).take(2);
    places.map(|place| place.join(package)).find(|program| program.is_file()).unwrap_or_else(|| {
        panic!("no {package} beside {}: run `cargo build -p {package}`", test.display())
    })
}
