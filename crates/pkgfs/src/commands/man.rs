//! `pkgfs man`: one page for the command and its subcommands, from the same definition
//! as the flags.

use clap::CommandFactory;
use clap_mangen::Man;

use crate::{cli::Cli, output::Outcome};

pub(crate) fn run() -> anyhow::Result<Outcome> {
    let mut command = Cli::command();
    command.build();
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    for subcommand in command.get_subcommands() {
        if subcommand.is_hide_set() || subcommand.get_name() == "help" {
            continue;
        }
        let title = format!("\n.SH \"PKGFS {}\"\n", subcommand.get_name().to_uppercase());
        page.extend_from_slice(title.as_bytes());
        let man = Man::new(subcommand.clone());
        man.render_description_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_options_section(&mut page)?;
    }
    Ok(String::from_utf8(page)?.into())
}
