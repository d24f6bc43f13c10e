//! `pkgfs completions`: a script for a shell, from the same definition as the flags.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{cli::Cli, output::Outcome};

pub(crate) fn run(shell: Shell) -> anyhow::Result<Outcome> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "pkgfs", &mut script);
    Ok(String::from_utf8(script)?.into())
}
