//! `pkgfs logon`: mount when this user logs on.
//!
//! A value of the registry's key `Run` ("Run and RunOnce Registry Keys") and no scheduled task: a task
//! that is triggered by logging on is for administrators to make on many machines, and this is nobody's
//! business but the user's. What `pkgfs mount` starts needs no looking after: it lives on by itself.

use std::{env, path::PathBuf, process::Command};

use anyhow::{Context, bail};

use crate::{cli::LogonAction, config, output::Outcome};

/// Where Windows looks.
const KEY: &str = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Run";
/// The value of ours.
const VALUE: &str = "pkgfs";

pub(crate) fn run(action: &LogonAction) -> anyhow::Result<Outcome> {
    match action {
        LogonAction::Install { file } => {
            let settings = config::load_with(file)?.settings;
            let Some(mountpoint) = settings.mountpoint else {
                bail!(
                    "no mountpoint: set `mountpoint` in the configuration, which is read at each logon"
                );
            };
            let program = env::current_exe().context("cannot tell where this program lies")?;
            let mut line = format!("\"{}\" mount", program.display());
            if let Some(path) = &file.path {
                let path = std::path::absolute(path)?;
                line = format!("{line} --config \"{}\"", path.display());
            }
            let there = current()?;
            if there.as_deref() == Some(line.as_str()) {
                return Ok(
                    format!("{} is mounted at each logon already\n", mountpoint.display()).into()
                );
            }
            reg(&["add", KEY, "/v", VALUE, "/t", "REG_SZ", "/d", &line, "/f"])?;
            Ok(format!("{} will be mounted at each logon of yours\n", mountpoint.display()).into())
        }
        LogonAction::Uninstall => {
            if current()?.is_none() {
                return Ok("nothing is mounted at logon\n".to_owned().into());
            }
            reg(&["delete", KEY, "/v", VALUE, "/f"])?;
            Ok("nothing will be mounted at logon any more\n".to_owned().into())
        }
    }
}

/// The command line that is there.
fn current() -> anyhow::Result<Option<String>> {
    let asked = program().args(["query", KEY, "/v", VALUE]).output();
    let asked = asked.context("cannot run reg.exe")?;
    if !asked.status.success() {
        return Ok(None);
    }
    // `    pkgfs    REG_SZ    "C:\…\pkgfs.exe" mount`
    let said = String::from_utf8_lossy(&asked.stdout);
    let line = said.lines().find_map(|line| line.trim().strip_prefix(VALUE)?.split_once("REG_SZ"));
    Ok(line.map(|(_, value)| value.trim().to_owned()))
}

fn reg(arguments: &[&str]) -> anyhow::Result<()> {
    let done = program().args(arguments).output().context("cannot run reg.exe")?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        bail!("the registry refused: {}", said.trim());
    }
    Ok(())
}

/// Windows' own, not whatever lies on the search path.
fn program() -> Command {
    let system =
        env::var_os("SystemRoot").map_or_else(|| PathBuf::from(r"C:\Windows"), PathBuf::from);
    Command::new(system.join(r"System32\reg.exe"))
}
