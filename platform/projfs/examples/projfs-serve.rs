//! The provider without a daemon: as much of `pkgfs mount --foreground`, `unmount` and `flush` as
//! `projfs-scenarios --subject pkgfs --pkgfs projfs-serve.exe` needs. Commands are files beside the store.

#[cfg(not(windows))]
fn main() {
    eprintln!("only Windows projects files");
}

#[cfg(windows)]
fn main() -> std::process::ExitCode {
    serve::main()
}

#[cfg(windows)]
mod serve {
    use std::{
        fs,
        path::{Path, PathBuf},
        process::ExitCode,
        sync::Arc,
        thread::sleep,
        time::Duration,
    };

    use pkgfs_origin::{Origin, OriginSettings};
    use pkgfs_projfs::{Mount, MountOptions};
    use pkgfs_rez::{Locations, RezSettings};
    use pkgfs_store::Store;
    use pkgfs_view::{
        ProfileSettings, RepositoryPlace, RestOfLargeFiles, ScrubSettings, StoreLimits, View,
        ViewSettings,
    };

    const TICK: Duration = Duration::from_millis(10);

    pub(super) fn main() -> ExitCode {
        let all: Vec<String> = std::env::args().skip(1).collect();
        let words: Vec<&str> = all.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["origin-worker", ..] => pkgfs_origin::worker::main(),
            ["mount", "--foreground", root, "--store", store, "--repo", repository, ..] => {
                mount(Path::new(root), Path::new(store), Path::new(repository))
            }
            ["unmount", _, "--store", store, ..] => ask(Path::new(store), "unmount"),
            ["flush", _, "--store", store, ..] => ask(Path::new(store), "flush"),
            _ => ExitCode::from(2),
        }
    }

    fn wish(store: &Path) -> PathBuf {
        store.with_file_name("wish")
    }

    fn answer(store: &Path) -> PathBuf {
        store.with_file_name("answer")
    }

    /// Writes a wish down and waits for what came of it.
    fn ask(store: &Path, what: &str) -> ExitCode {
        let _ = fs::remove_file(answer(store));
        if fs::write(wish(store), what).is_err() {
            return ExitCode::FAILURE;
        }
        loop {
            match fs::read_to_string(answer(store)) {
                Ok(text) if text == "done" => return ExitCode::SUCCESS,
                Ok(text) if !text.is_empty() => {
                    eprintln!("{text}");
                    return ExitCode::FAILURE;
                }
                _ => sleep(TICK),
            }
        }
    }

    fn mount(root: &Path, store: &Path, repository: &Path) -> ExitCode {
        if let Ok(filter) = std::env::var("PROJFS_SERVE_LOG") {
            let Ok(log) = fs::File::create(store.with_file_name("log")) else {
                return ExitCode::FAILURE;
            };
            tracing_subscriber::fmt()
                .with_env_filter(filter)
                .with_writer(std::sync::Mutex::new(log))
                .with_ansi(false)
                .init();
        }
        match run(root, store, repository) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    fn run(root: &Path, store: &Path, repository: &Path) -> Result<(), Box<dyn std::error::Error>> {
        fs::create_dir_all(root)?;
        let runtime = tokio::runtime::Runtime::new()?;
        let view = runtime.block_on(async {
            let origin = Origin::start(OriginSettings::default())?;
            let store = Arc::new(Store::open(store)?);
            let repository = fs::canonicalize(repository)?.to_string_lossy().to_lowercase();
            let repository = repository.strip_prefix(r"\\?\").unwrap_or(&repository).to_owned();
            Ok::<_, Box<dyn std::error::Error>>(View::open(
                store,
                origin,
                settings(repository),
                None,
            )?)
        })?;
        let options = MountOptions { threads: 8 };
        let mount = Mount::start(Arc::clone(&view), root, options, runtime.handle().clone())?;
        println!("mounted");
        loop {
            let Ok(what) = fs::read_to_string(wish(store)) else {
                sleep(TICK);
                continue;
            };
            let _ = fs::remove_file(wish(store));
            let done = match what.as_str() {
                "unmount" => {
                    runtime.block_on(view.settle());
                    mount.unmount(false).map_err(|error| error.to_string())
                }
                _ => runtime.block_on(view.flush(&[])).map(drop).map_err(|error| error.to_string()),
            };
            let text = done.clone().err().unwrap_or_else(|| "done".to_owned());
            fs::write(answer(store), text)?;
            if what == "unmount" && done.is_ok() {
                let _ = fs::remove_dir(root);
                return Ok(());
            }
        }
    }

    fn settings(repository: String) -> ViewSettings {
        let hour = Duration::from_secs(3600);
        ViewSettings {
            repositories: vec![RepositoryPlace::Known(repository.into())],
            locations: Locations::default(),
            rez: RezSettings {
                package_cache_same_device: true,
                tmpdir: r"c:\nowhere".to_owned(),
                ..RezSettings::default()
            },
            rez_worker: None,
            on_lookup: true,
            on_pending: true,
            believe: Duration::ZERO,
            tombstone: hour,
            freshness: hour,
            owner: (0, 0),
            rest_of_large_files: RestOfLargeFiles::Background,
            limits: StoreLimits { quota: None, floor: 0 },
            scrub: ScrubSettings { bytes_per_second: 8 << 20, every: hour, delay: hour },
            profiles: ProfileSettings { learn: false, ahead_bytes: 0, ahead_files: 0 },
            shared: false,
        }
    }
}
