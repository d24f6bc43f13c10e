//! The flags. The help, the man page and the shell completions are made from this.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

/// A read-only, deduplicated, on-demand package cache for rez.
///
/// A mount that rez uses as its cache_packages_path: every cachable variant is there at
/// once, only what is read is copied, and nobody can change a payload.
#[derive(Debug, Parser)]
#[command(
    name = "pkgfs",
    version,
    after_help = "Exit codes: 0 done; 1 not done, the reason is on standard error; \
                  2 wrong usage; 3 nothing is mounted (status)."
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Mount the package cache; the daemon goes to the background
    Mount(MountArguments),
    /// Unmount it; the daemon ends with its last mount
    #[command(visible_alias = "umount")]
    Unmount(UnmountArguments),
    /// Forget local bytes and listings: the next read asks shared storage again
    Flush(FlushArguments),
    /// List registered variants
    List(ListArguments),
    /// Register variants, as rez-pkg-cache --add-variants does, without copying
    Add(TargetArguments),
    /// Remove variants; look-ups do not bring them back
    Remove(RemoveArguments),
    /// Fetch variants whole, ahead of their use
    Warm(WarmArguments),
    /// Keep variants, however long nobody uses them
    Pin(TargetArguments),
    /// Take pins back
    Unpin(TargetArguments),
    /// What starts were seen to touch, which is fetched ahead of the next
    Profile {
        #[command(subcommand)]
        action: ProfileAction,
    },
    /// Take away what nobody needs: unused variants, stalled copies, leftovers
    Clean(CleanArguments),
    /// Compare all local bytes with their digests; what is bad is out of use, and fetched anew
    Verify(VerifyArguments),
    /// Show mounts, registrations, and what was copied
    Status(StatusArguments),
    /// Show the settings in force and where each came from
    Config(ConfigArguments),
    /// List the packages of repositories, as rez enumerates them, without running anything
    Scan(ScanArguments),
    /// Print a completion script for a shell
    Completions {
        /// The shell to complete in
        shell: Shell,
    },
    /// Print the man page
    Man,
    /// Let this program, or another, take over a mount while it is in use
    Upgrade(UpgradeArguments),
    /// Mount when Windows starts, for everybody: the mount of %ProgramData%\pkgfs\config.toml
    #[cfg(windows)]
    Service {
        /// What to do.
        #[command(subcommand)]
        action: ServiceAction,
    },
    /// Mount when this user logs on
    #[cfg(windows)]
    Logon {
        /// What to do.
        #[command(subcommand)]
        action: LogonAction,
    },
    /// Serve a store; started by mount, with the order on standard input
    #[command(hide = true)]
    Daemon {
        /// Go on for a daemon that has died; started by its holder
        #[arg(long)]
        take_over: bool,
    },
    /// Keep mounts alive; started by the daemon
    #[command(hide = true)]
    Holder,
    /// Read shared storage; started by the daemon
    #[command(hide = true)]
    OriginWorker,
}

#[derive(Debug, Args)]
pub(crate) struct MountArguments {
    /// Where to mount; made if missing, and removed by unmount [default: the setting mountpoint]
    pub(crate) mountpoint: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    /// Stay in the terminal, log to standard error, unmount on Ctrl-C
    #[arg(long)]
    pub(crate) foreground: bool,
}

/// Settings that flags override.
#[derive(Debug, Default, Args)]
pub(crate) struct SettingFlags {
    /// Keep local bytes here; on a local disk
    #[arg(long, value_name = "DIR")]
    pub(crate) store: Option<PathBuf>,
    /// Serve the packages of this repository when they are looked up; may be repeated
    #[arg(long = "repo", value_name = "DIR")]
    pub(crate) repositories: Vec<PathBuf>,
    /// Let other users in
    #[arg(long)]
    pub(crate) allow_other: bool,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

#[derive(Debug, Default, Args)]
pub(crate) struct FileFlag {
    /// Read this file instead of the user's pkgfs/config.toml
    #[arg(long = "config", value_name = "FILE")]
    pub(crate) path: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct UnmountArguments {
    /// What to unmount [default: the setting mountpoint]
    pub(crate) mountpoint: Option<PathBuf>,
    /// Detach it although it is in use; those who use it can finish
    #[arg(long)]
    pub(crate) lazy: bool,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

#[derive(Debug, Args)]
pub(crate) struct UpgradeArguments {
    /// Which mount, if there are several; all mounts of its store go along
    pub(crate) mountpoint: Option<PathBuf>,
    /// The program that takes over [default: this one]
    #[arg(long, value_name = "FILE")]
    pub(crate) program: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

#[derive(Debug, Args)]
pub(crate) struct FlushArguments {
    /// The mountpoint, if there are several, and the variants to forget: see `pkgfs list
    /// --help`. None is all.
    #[arg(value_name = "MOUNTPOINT | TARGET")]
    pub(crate) targets: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

/// Variants that must be named.
#[derive(Debug, Args)]
pub(crate) struct TargetArguments {
    /// The variants, and the mountpoint, if there are several: a URI as rez prints it, a
    /// package request (numpy, numpy-2.1+<3), a context of rez-env (.rxt), or a path in the
    /// mount
    #[arg(value_name = "MOUNTPOINT | TARGET", required = true)]
    pub(crate) targets: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

#[derive(Debug, Args)]
pub(crate) struct ListArguments {
    /// The mountpoint, if there are several, and the variants to list: a URI as rez prints
    /// it, a package request (numpy, numpy-2.1+<3), a context of rez-env (.rxt), or a path
    /// in the mount. None is all.
    #[arg(value_name = "MOUNTPOINT | TARGET")]
    pub(crate) targets: Vec<PathBuf>,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArguments {
    #[command(flatten)]
    pub(crate) what: TargetArguments,
    /// Remove pinned ones, too
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct WarmArguments {
    #[command(flatten)]
    pub(crate) what: TargetArguments,
    /// Leave out files larger than this: bytes, or with K, M, G or T
    #[arg(long, value_name = "SIZE", value_parser = crate::size::parse)]
    pub(crate) max_file_size: Option<u64>,
    /// Fetch no more than this in all
    #[arg(long, value_name = "SIZE", value_parser = crate::size::parse)]
    pub(crate) max_total: Option<u64>,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Return at once; the daemon goes on, and its log tells the end
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProfileAction {
    /// Show for each variant and context how many files and bytes a start touches
    Show(ListArguments),
    /// Write profiles as JSON, for another machine to import
    Export {
        #[command(flatten)]
        what: VariantArguments,
        /// Write to this file instead of standard output
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Take in what export wrote, in the place of what is known of the same variants and contexts
    Import {
        /// What export wrote; - is standard input
        #[arg(value_name = "FILE")]
        input: PathBuf,
        /// The mountpoint, if there are several
        mountpoint: Option<PathBuf>,
        #[command(flatten)]
        file: FileFlag,
    },
    /// Forget profiles
    Clear(VariantArguments),
}

/// Variants that may be named.
#[derive(Debug, Args)]
pub(crate) struct VariantArguments {
    /// The mountpoint, if there are several, and the variants: a URI as rez prints it, a package
    /// request (numpy, numpy-2.1+<3), a context of rez-env (.rxt), or a path in the mount. None
    /// is all.
    #[arg(value_name = "MOUNTPOINT | TARGET")]
    pub(crate) targets: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

#[derive(Debug, Args)]
pub(crate) struct CleanArguments {
    /// The mountpoint, if there are several
    pub(crate) mountpoint: Option<PathBuf>,
    /// Only tell what would be taken away
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArguments {
    /// The mountpoint, if there are several
    pub(crate) mountpoint: Option<PathBuf>,
    /// Fetch anew at once what was bad, not when it is next read
    #[arg(long)]
    pub(crate) repair: bool,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
    /// Show no progress
    #[arg(long, short)]
    pub(crate) quiet: bool,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Only this mount [default: all]
    pub(crate) mountpoint: Option<PathBuf>,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArguments {
    /// The repositories, read by rez's default rules. None is rez's packages_path, read by the
    /// rules that rez is set to, which costs one run of rez-config
    #[arg(value_name = "REPO")]
    pub(crate) repositories: Vec<PathBuf>,
    /// One object a line: repository, family, version, format, path, combined
    #[arg(long)]
    pub(crate) json: bool,
    /// Read everything, whatever is remembered of the last scan
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Read the repositories by the rules that rez is set to (package_filenames,
    /// check_package_definition_files, allow_unversioned_packages, file_lock_dir)
    #[arg(long)]
    pub(crate) ask_rez: bool,
    /// Operations on storage at a time
    #[arg(long, value_name = "N", default_value_t = pkgfs_scan::DEFAULT_JOBS,
          value_parser = jobs)]
    pub(crate) jobs: usize,
    #[command(flatten)]
    pub(crate) file: FileFlag,
}

fn jobs(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(jobs @ 1..=1024) => Ok(jobs),
        _ => Err("a number from 1 to 1024".to_owned()),
    }
}

/// What becomes of the service.
#[cfg(windows)]
#[derive(Debug, Subcommand)]
pub(crate) enum ServiceAction {
    /// Make or change the service; for administrators
    Install {
        /// Run it as this account, which needs no password here: NT AUTHORITY\NetworkService, or a
        /// managed one (DOMAIN\name$) [default: LocalSystem]
        #[arg(long, value_name = "NAME")]
        account: Option<String>,
    },
    /// Stop the service and take it away; for administrators
    Uninstall,
    /// Serve; started by the service control manager
    #[command(hide = true)]
    Run,
}

/// What becomes of the mount at logon.
#[cfg(windows)]
#[derive(Debug, Subcommand)]
pub(crate) enum LogonAction {
    /// Have `pkgfs mount` run at each logon of this user
    Install {
        #[command(flatten)]
        file: FileFlag,
    },
    /// Have it run no more
    Uninstall,
}

#[derive(Debug, Args)]
pub(crate) struct ConfigArguments {
    #[command(flatten)]
    pub(crate) settings: SettingFlags,
    /// For programs
    #[arg(long)]
    pub(crate) json: bool,
}
