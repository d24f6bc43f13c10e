//! rez's own settings, asked of rez itself.
//!
//! They are Python and executable, so they are never parsed: `rez-config --json`
//! prints the values in force. A mount must not fail because rez is not there: then
//! rez's defaults go, and the status says so.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use pkgfs_rez::RezSettings;
use tokio::process::Command;

use crate::{RezKeys, sys};

/// The settings, and why they are not rez's own if they are not.
pub(crate) async fn read(keys: &RezKeys) -> (RezSettings, Option<String>) {
    match ask(keys).await {
        Ok(settings) => (settings, None),
        Err(reason) => {
            let defaults = RezSettings::defaults(&sys::home(), &std::env::temp_dir());
            let note = format!(
                "{reason}; rez's defaults are taken for what may be cached: put rez on PATH or \
                 set rez.config_command, and mount again"
            );
            tracing::warn!("{note}");
            (defaults, Some(note))
        }
    }
}

/// rez could not be asked; the text says what was run and why it failed.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct RezUnavailable(String);

/// rez's settings, for a command that cannot do without them.
///
/// # Errors
/// [`RezUnavailable`] where rez does not print them in time.
pub async fn rez_settings(keys: &RezKeys) -> Result<RezSettings, RezUnavailable> {
    ask(keys).await.map_err(RezUnavailable)
}

/// The command that runs rez's own Python: as it is set, or the one that belongs to the
/// command that prints the settings.
pub(crate) fn python_command(keys: &RezKeys) -> Option<Vec<String>> {
    if !keys.python_command.is_empty() {
        return Some(keys.python_command.clone());
    }
    let (program, arguments) = keys.config_command.split_first()?;
    let path = Path::new(program);
    match (path.file_name()?.to_str()?, arguments.first().map(String::as_str)) {
        ("rez-config", _) => {
            Some(vec![path.with_file_name("rez-python").to_string_lossy().into_owned()])
        }
        ("rez", Some("config")) => Some(vec![program.clone(), "python".to_owned()]),
        _ => None,
    }
}

async fn ask(keys: &RezKeys) -> Result<RezSettings, String> {
    let Some((program, arguments)) = keys.config_command.split_first() else {
        return Err("rez.config_command is empty".to_owned());
    };
    let shown = keys.config_command.join(" ");
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .current_dir(PathBuf::from("/"))
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("`{shown}` cannot be run ({error})"))?;
    let deadline = Duration::from_secs(keys.config_deadline_seconds);
    let output = tokio::time::timeout(deadline, child.wait_with_output())
        .await
        .map_err(|_| format!("`{shown}` did not end within {} s", deadline.as_secs()))?
        .map_err(|error| format!("`{shown}` failed ({error})"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("no message");
        return Err(format!("`{shown}` failed ({last})"));
    }
    RezSettings::from_rez_config(&output.stdout).map_err(|error| error.to_string())
}

// The commands and paths in these are Unix's.
#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn keys(command: &[&str]) -> RezKeys {
        RezKeys {
            config_command: command.iter().map(ToString::to_string).collect(),
            config_deadline_seconds: 1,
            ..RezKeys::default()
        }
    }

    #[tokio::test]
    async fn a_rez_that_is_missing_fails_or_hangs_leaves_defaults_and_a_note() {
        for (command, expected) in [
            (&["/no/rez-config"][..], "cannot be run"),
            (&["sh", "-c", "echo broken >&2; exit 3"], "broken"),
            (&["sh", "-c", "exec sleep 60"], "did not end"),
            (&["echo", "nothing"], "not a JSON object"),
            (&[], "empty"),
        ] {
            let (settings, note) = read(&keys(command)).await;
            let note = note.unwrap();
            assert!(note.contains(expected), "{note}");
            assert_eq!(settings.default_cachable, Some(false));
        }
    }

    #[tokio::test]
    async fn what_rez_prints_is_taken() {
        let (settings, note) = read(&keys(&["echo", r#"{"default_cachable": true}"#])).await;
        assert_eq!((settings.default_cachable, note), (Some(true), None));
    }

    #[test]
    fn the_python_of_a_rez_lies_beside_its_other_commands() {
        let of = |command: &[&str]| python_command(&keys(command)).map(|command| command.join(" "));
        assert_eq!(of(&["rez-config", "--json"]).as_deref(), Some("rez-python"));
        assert_eq!(
            of(&["/sw/rez/bin/rez/rez-config"]).as_deref(),
            Some("/sw/rez/bin/rez/rez-python")
        );
        assert_eq!(of(&["/sw/rez", "config", "--json"]).as_deref(), Some("/sw/rez python"));
        assert_eq!(of(&["echo", "{}"]), None);
        assert_eq!(of(&[]), None);
        let set = RezKeys { python_command: vec!["py".to_owned()], ..keys(&["echo"]) };
        assert_eq!(python_command(&set), Some(vec!["py".to_owned()]));
    }
}
