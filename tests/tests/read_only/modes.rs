//! The ways in which a mount can serve bytes, each of which must keep payloads as they are.

use pkgfs_tests::{MountOptions, Mounted};

/// Every mode: its name in `pkgfs status`, and the configuration that asks for it.
pub(crate) const MODES: [(&str, &str); 1] = [("cached", "")];

/// Options that ask for a mode.
pub(crate) fn options(configuration: &str, options: MountOptions) -> MountOptions {
    let configuration = format!("{configuration}\n{}", options.configuration);
    MountOptions { configuration, ..options }
}

/// The mount must be in the mode that was asked for: a test of another one proves nothing.
pub(crate) fn assert_mode(mounted: &Mounted, mode: &str) {
    assert_eq!(mounted.mode(), mode);
}
