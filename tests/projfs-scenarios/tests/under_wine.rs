//! The scenarios under Wine, as far as they have been built for it: `cargo xtask test windows` does that,
//! and names in `PKGFS_WINE_RUN` what runs a Windows program. Without it there is nothing to run with,
//! and the tests say so.
#![cfg(unix)]

use std::{env, path::Path, process::Command};

/// Plays all scenarios of a subject; what failed, if anything did.
fn play(arguments: &[&str]) {
    let Some(runner) = env::var_os("PKGFS_WINE_RUN") else {
        eprintln!("PKGFS_WINE_RUN is not set: scenarios are played by `cargo xtask test windows`");
        return;
    };
    let built = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../target/x86_64-pc-windows-gnu/debug/projfs-scenarios.exe");
    assert!(built.exists(), "{} is not built", built.display());
    let output = Command::new(runner).arg(built).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    println!("{said}");
}

#[test]
fn the_reference_provider_passes_all_scenarios_on_the_stand_in() {
    play(&["--subject", "reference"]);
}

#[test]
fn plain_copies_pass_what_needs_no_provider_through_calls_of_windows() {
    play(&["--subject", "copied", "--driver", "win32"]);
}
