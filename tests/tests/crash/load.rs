//! Load on a mount that may die at any moment: readers of cold files, registrations by all three
//! ways in, and the record of what was acknowledged.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex};
use std::thread;

use pkgfs_tests::{Mounted, Scene};

use crate::packages;

/// What the load did until the mount died.
#[derive(Default)]
pub(crate) struct Load {
    /// Packages whose registration was acknowledged.
    acknowledged: Mutex<Vec<usize>>,
    /// What succeeded: who waits for a moment counts these.
    steps: Mutex<usize>,
    step: Condvar,
    /// From now on the mount may be dead.
    ending: AtomicBool,
}

/// How a package comes into the view.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    LookUp,
    Pending,
    CopyIn,
}

impl Load {
    /// Registers `packages` and reads them while that goes on, until `end` has killed the mount.
    /// `end` is given this, to wait for its moment.
    pub(crate) fn run(
        &self,
        scene: &Scene,
        mounted: &Mounted,
        packages: &[usize],
        end: impl FnOnce(&Self),
    ) {
        let [by_look_up, by_pending, by_copy] =
            [0, 1, 2].map(|way| packages.iter().copied().skip(way).step_by(3));
        thread::scope(|scope| {
            for (way, numbers) in
                [(Way::LookUp, by_look_up), (Way::Pending, by_pending), (Way::CopyIn, by_copy)]
            {
                scope.spawn(move || {
                    for number in numbers {
                        match register(scene, mounted, number, way) {
                            Ok(true) => self.acknowledge(number),
                            Ok(false) => {}
                            Err(error) => return self.assert_ending(&error),
                        }
                    }
                });
            }
            for _ in 0..2 {
                scope.spawn(|| {
                    loop {
                        if let Err(error) = self.read_something(mounted) {
                            return self.assert_ending(&error);
                        }
                    }
                });
            }
            end(self);
        });
    }

    /// Waits until the load has come this far; from then on failures are no surprise.
    pub(crate) fn reaches(&self, steps: usize) {
        let done = self.steps.lock().unwrap();
        let _done = self.step.wait_while(done, |done| *done < steps).unwrap();
        self.ending.store(true, Ordering::SeqCst);
    }

    fn stepped(&self) {
        *self.steps.lock().unwrap() += 1;
        self.step.notify_all();
    }

    fn assert_ending(&self, error: &io::Error) {
        let ending = self.ending.swap(true, Ordering::SeqCst);
        // Whoever waits for a moment must not wait for ever.
        *self.steps.lock().unwrap() = usize::MAX / 2;
        self.step.notify_all();
        assert!(ending, "before anything was killed: {error}");
    }

    pub(crate) fn acknowledged(&self) -> Vec<usize> {
        self.acknowledged.lock().unwrap().clone()
    }

    fn acknowledge(&self, number: usize) {
        self.acknowledged.lock().unwrap().push(number);
        self.stepped();
    }

    /// Reads all of the latest package; its bytes must be right for as long as there are any.
    fn read_something(&self, mounted: &Mounted) -> io::Result<()> {
        let Some(number) = self.acknowledged.lock().unwrap().last().copied() else {
            fs::metadata(mounted.mountpoint().join(".sys"))?;
            return Ok(());
        };
        let root = mounted.payload(&packages::name(number), "1.0", None);
        for (file, path) in packages::files() {
            let bytes = fs::read(root.join(&path))?;
            assert!(bytes == packages::content(number, file), "{number}: {path}");
            self.stepped();
        }
        Ok(())
    }
}

/// Registers a package; `Ok(true)` is the acknowledgement.
pub(crate) fn register(
    scene: &Scene,
    mounted: &Mounted,
    number: usize,
    way: Way,
) -> io::Result<bool> {
    let name = packages::name(number);
    let handle = scene.repository().handle(&name, "1.0", None);
    let place = mounted.registration(&name, "1.0", None);
    match way {
        Way::LookUp => {
            fs::metadata(&place)?;
            Ok(true)
        }
        Way::Pending => {
            let pending = mounted.mountpoint().join(".sys/pending").join(format!("{name}.json"));
            let mut file = File::create(pending)?;
            file.write_all(handle.to_json().as_bytes())?;
            close(file)?;
            Ok(place.join("a.json").try_exists()?)
        }
        Way::CopyIn => {
            fs::create_dir_all(&place)?;
            copy_in(&handle.to_json(), &scene.repository().directory(&name, "1.0"), &place)?;
            Ok(true)
        }
    }
}

/// As rez adds a variant.
fn copy_in(handle: &str, source: &Path, place: &Path) -> io::Result<()> {
    let mark = place.join(".copying-a");
    close(File::create(&mark)?)?;
    let mut json = File::create(place.join("a.json"))?;
    json.write_all(format!("{{\"handle\": {handle}}}").as_bytes())?;
    close(json)?;
    copy_tree(source, &place.join("a"))?;
    fs::remove_file(mark)
}

fn copy_tree(source: &Path, target: &Path) -> io::Result<()> {
    fs::create_dir(target)?;
    for entry in fs::read_dir(source)? {
        let from: PathBuf = entry?.path();
        let to = target.join(from.file_name().unwrap());
        if from.is_dir() {
            copy_tree(&from, &to)?;
        } else {
            fs::write(&to, fs::read(&from)?)?;
        }
    }
    Ok(())
}

/// Closes a file, and tells what came of it: nothing is acknowledged before.
fn close(file: File) -> io::Result<()> {
    use std::os::fd::IntoRawFd;
    nix::unistd::close(file.into_raw_fd()).map_err(io::Error::from)
}
