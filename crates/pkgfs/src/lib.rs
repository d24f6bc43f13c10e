//! The command `pkgfs`.
//!
//! `cli` is the one definition of flags, man page and completions; each subcommand
//! is a file in `commands`; `config` knows where settings come from. What a user
//! reads goes through `output`: results on standard output, one line for an error.

mod cli;
mod commands;
mod config;
#[doc(hidden)]
pub mod fuzzing;
mod output;
mod size;
mod sys;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};
pub use sys::{ALLOCATOR, Allocator};

/// Runs the command that the process was started as.
pub fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Mount(arguments) => commands::mount::run(&arguments),
        Command::Unmount(arguments) => commands::unmount::run(&arguments),
        Command::Flush(arguments) => commands::flush::run(&arguments),
        Command::List(arguments) => commands::list::run(&arguments),
        Command::Add(arguments) => commands::change::add(&arguments),
        Command::Remove(arguments) => commands::change::remove(&arguments),
        Command::Warm(arguments) => commands::warm::run(&arguments),
        Command::Pin(arguments) => commands::change::pin(&arguments, true),
        Command::Unpin(arguments) => commands::change::pin(&arguments, false),
        Command::Profile { action } => commands::profile::run(&action),
        Command::Clean(arguments) => commands::clean::run(&arguments),
        Command::Verify(arguments) => commands::verify::run(&arguments),
        Command::Status(arguments) => commands::status::run(&arguments),
        Command::Config(arguments) => commands::config::run(&arguments),
        Command::Scan(arguments) => commands::scan::run(&arguments),
        Command::Completions { shell } => commands::completions::run(shell),
        Command::Man => commands::man::run(),
        Command::Upgrade(arguments) => commands::upgrade::run(&arguments),
        #[cfg(windows)]
        Command::Service { action } => commands::service::run(&action),
        #[cfg(windows)]
        Command::Logon { action } => commands::logon::run(&action),
        // These speak a protocol on their standard streams, not to people.
        Command::Daemon { take_over } => return commands::daemon::run(take_over),
        Command::Holder => return pkgfs_daemon::holder(),
        Command::OriginWorker => return pkgfs_daemon::origin_worker(),
    };
    output::finish(result)
}
