//! What fuzzing reaches of the command: the reading of its configuration. Not for other use.

use std::{ffi::OsString, path::Path};

use crate::config::Reading;

/// Reads a file and variables over it, and checks what came of it: settings whose paths do not
/// depend on where they are read and which survive their own spelling, or one line. Tells whether there are settings.
///
/// # Panics
/// Where one of these does not hold.
pub fn configuration(text: &str, variables: Vec<(OsString, OsString)>) -> bool {
    let mut reading = Reading::new();
    let read = reading
        .text(Path::new("/etc/pkgfs/config.toml"), text)
        .and_then(|()| reading.variables(variables.into_iter()))
        .and_then(|()| reading.end());
    match read {
        Ok(in_force) => {
            let settings = in_force.settings;
            let paths = settings.repositories.iter().chain(&settings.mountpoint);
            assert!(paths.chain([&settings.store]).all(|path| path.is_absolute()), "{settings:?}");
            let spelled = serde_json::to_string(&settings).expect("settings have a JSON form");
            let again = serde_json::from_str(&spelled).expect("settings read their JSON form");
            assert_eq!(settings, again);
            true
        }
        Err(error) => {
            assert!(!error.to_string().is_empty());
            false
        }
    }
}
