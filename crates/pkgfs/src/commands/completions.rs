//! `pkgfs completions`: a script for a shell, from the same definition as the flags.

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use crate::{cli::Cli, output::Outcome};

pub(crate) fn run(shell: Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    // The generators offer hidden subcommands too, so these are left out beforehand.
    let whole = Cli::command();
    let shown = whole.get_subcommands().filter(|subcommand| !subcommand.is_hide_set());
    let mut command = Command::new("pkgfs").version(env!("CARGO_PKG_VERSION"));
    command = command.subcommands(shown.cloned());
    clap_complete::generate(shell, &mut command, "pkgfs", &mut script);
    Ok(String::from_utf8(script)?.into())
}
