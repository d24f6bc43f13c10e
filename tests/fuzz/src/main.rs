//! The program that libFuzzer drives: `PKGFS_FUZZ_TARGET` names the target, the arguments are
//! libFuzzer's. See `cargo xtask fuzz`.
#![no_main]

use std::sync::LazyLock;

use pkgfs_fuzz::{TARGETS, Target};

static TARGET: LazyLock<&Target> = LazyLock::new(|| {
    let name = std::env::var("PKGFS_FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|target| target.name == name);
    found.expect("PKGFS_FUZZ_TARGET names a target")
});

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    TARGET.check(input);
});
