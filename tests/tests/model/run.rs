//! Running a history, step by step beside the model.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use pkgfs_tests::{Scene, VariantHandle};
use rustix::io::Errno;

use crate::expected::{Node, Shown, Tree, is};
use crate::files::{Subject, Way};
use crate::history::{Act, History, Step, THREADS, Then};
use crate::looks::{Done, Plan};
use crate::origin::{self, Planned};
use crate::rez;

static STEPS: AtomicU64 = AtomicU64::new(0);

/// Steps made so far.
pub(crate) fn steps() -> u64 {
    STEPS.load(Ordering::Relaxed)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    Served,
    /// rez's own copy. Where its origin was known when it was sealed, a flush lets go of it.
    Sealed {
        from_known: bool,
    },
}

/// A variant, as it must be.
pub(crate) struct Variant {
    handle: VariantHandle,
    /// At origin.
    root: PathBuf,
    /// Look-ups find it.
    announced: bool,
    /// rez removed it: look-ups leave it alone.
    removed: bool,
    state: State,
    /// What lies at origin.
    pub(crate) tree: Tree,
    pub(crate) shown: Shown,
}

/// A family: a plain package, one with a variant, and one that is not released yet.
struct Family {
    name: String,
    variants: Vec<Variant>,
}

impl Family {
    fn new(scene: &Scene, name: &str) -> Self {
        let repository = scene.repository();
        let variants = [("1.0", None), ("2.0", Some(0)), ("3.0", None)];
        let variants = variants.map(|(version, index)| Variant {
            handle: repository.handle(name, version, index),
            root: match index {
                Some(_) => repository.directory(name, version).join("os-linux"),
                None => repository.directory(name, version),
            },
            announced: false,
            removed: false,
            state: State::Absent,
            tree: origin::tree(),
            shown: Shown::default(),
        });
        let mut family = Self { name: name.to_owned(), variants: variants.into() };
        family.variants[..2].iter_mut().for_each(|variant| variant.release(scene));
        family
    }
}

impl Variant {
    fn release(&mut self, scene: &Scene) {
        if self.announced {
            return;
        }
        let (name, version) = (&*self.handle.name, self.handle.version.as_deref());
        let fill = |root: &std::path::Path| origin::fill(root, &self.tree);
        if self.handle.index.is_some() {
            let fill = |_, root: &std::path::Path| fill(root);
            scene.repository().release_variants(name, version, &[&["os-linux"]], fill);
        } else {
            scene.repository().release(name, version, fill);
            let text = fs::read(self.root.join("package.py")).unwrap();
            self.tree.insert("package.py".to_owned(), Node::File(text.into()));
        }
        self.announced = true;
    }

    fn serve(&mut self) {
        if self.state == State::Absent {
            self.state = State::Served;
            self.removed = false;
            self.shown = Shown::of(&self.tree);
        }
    }

    fn flushed(&mut self) {
        if let State::Served | State::Sealed { from_known: true } = self.state {
            self.state = State::Served;
            self.shown = Shown::of(&self.tree);
        }
    }

    /// Somebody looks where it would be. Whether it is there then.
    fn looked_at(&mut self) -> bool {
        if self.announced && !self.removed {
            self.serve();
        }
        self.state != State::Absent
    }

    fn payload(&self) -> String {
        format!("{}/a", rez::place(&self.handle))
    }

    fn file(&self, number: usize) -> String {
        let paths = self.shown.paths();
        paths[number % paths.len()].clone()
    }

    fn directory(&self, number: usize) -> String {
        ["", "d", "more0", "more1"][number % 4].to_owned()
    }
}

/// What differs from the model, and in which step.
pub(crate) type Judged = Result<(), String>;

/// Runs a history.
pub(crate) fn run<S: Subject>(history: &History) -> Judged {
    let scene = Scene::new();
    let own = (0..THREADS).map(|number| Mutex::new(Family::new(&scene, &format!("own{number}"))));
    let own: Vec<_> = own.collect();
    let shared = Mutex::new(Family::new(&scene, "shared"));
    let mut subject = S::start(&scene);
    // As `PackageCache` does.
    for part in ["log", "pending", "to_delete"] {
        assert!(subject.exists(&format!(".sys/{part}")).unwrap());
    }
    for (number, round) in history.0.iter().enumerate() {
        let outcomes: Vec<Judged> = thread::scope(|scope| {
            let threads: Vec<_> = (round.threads.iter().zip(&own))
                .map(|(steps, own)| {
                    let world = World { subject: &subject, scene: &scene, shared: &shared };
                    scope.spawn(move || {
                        let mut own = own.lock().unwrap();
                        steps.iter().try_for_each(|step| world.take(step, &mut own))
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let wrong: Vec<_> = outcomes.into_iter().filter_map(Result::err).collect();
        if !wrong.is_empty() {
            subject.end();
            return Err(format!("round {number}: {}", wrong.join("; ")));
        }
        match round.then {
            Then::Nothing => {}
            Then::Kill => subject.restart(true),
            Then::Restart => subject.restart(false),
            Then::FlushAll => flush_all(&subject, &own, &shared),
        }
    }
    // In the end nothing is in doubt.
    flush_all(&subject, &own, &shared);
    let whole = own.iter().chain([&shared]).try_for_each(|family| {
        family.lock().unwrap().variants.iter().try_for_each(|variant| whole(&subject, variant))
    });
    subject.end();
    whole.map_err(|wrong| format!("in the end: {wrong}"))
}

fn flush_all(subject: &impl Subject, own: &[Mutex<Family>], shared: &Mutex<Family>) {
    subject.flush(None);
    for family in own.iter().chain([shared]) {
        for variant in &mut family.lock().unwrap().variants {
            variant.flushed();
        }
    }
}

/// All names and bytes of a variant.
fn whole(subject: &impl Subject, variant: &Variant) -> Judged {
    if variant.state == State::Absent {
        return Ok(());
    }
    let payload = variant.payload();
    let told = |wrong, path: &str| format!("{}: {path}: {wrong}", variant.handle.qualified_name());
    variant
        .shown
        .judge_names("", &subject.names(&payload))
        .map_err(|wrong| told(wrong, "its root"))?;
    variant.shown.paths().iter().try_for_each(|path| {
        let at = format!("{payload}/{path}");
        let judged = match subject.names(&at) {
            Err(error) if is(&error, Errno::NOTDIR) => {
                let part = 0..usize::MAX / 2;
                variant.shown.judge_read(path, &part, &subject.read(&at, part.clone(), Way::Read))
            }
            names => variant.shown.judge_names(path, &names),
        };
        judged.map_err(|wrong| told(wrong, path))
    })
}

struct World<'a, S> {
    subject: &'a S,
    scene: &'a Scene,
    shared: &'a Mutex<Family>,
}

impl<S: Subject> World<'_, S> {
    fn take(&self, step: &Step, own: &mut Family) -> Judged {
        STEPS.fetch_add(1, Ordering::Relaxed);
        let judged =
            if step.shared { self.take_shared(&step.act) } else { self.take_own(step, own) };
        judged.map_err(|wrong| {
            let whose = if step.shared { "shared" } else { &*own.name };
            format!("{:?} on variant {} of {whose}: {wrong}", step.act, step.variant)
        })
    }

    /// On what only this thread uses: what comes of it is certain.
    fn take_own(&self, step: &Step, own: &mut Family) -> Judged {
        let files = self.subject;
        if let Act::Family = step.act {
            return self.family(own);
        }
        let variant = &mut own.variants[step.variant];
        let told = |error: io::Error| error.to_string();
        match &step.act {
            Act::Find => {
                let expected = variant.looked_at().then(|| variant.payload());
                same(&rez::find(files, &variant.handle).map_err(told)?, &expected)
            }
            Act::Ask => {
                if variant.announced {
                    variant.serve();
                }
                rez::ask(files, &variant.handle).map_err(told)
            }
            Act::Copy => {
                let new = !variant.looked_at();
                if new {
                    variant.state = State::Sealed { from_known: variant.announced };
                    variant.removed = false;
                    variant.shown = Shown::of(&variant.tree);
                }
                same(&rez::copy_in(files, &variant.handle, &variant.tree).map_err(told)?, &new)
            }
            Act::Remove => {
                // rez looks with its lock held, and nothing is registered by that.
                let there = variant.state != State::Absent;
                variant.state = State::Absent;
                variant.removed |= there;
                same(&rez::remove(files, &variant.handle).map_err(told)?, &there)
            }
            Act::Flush => {
                if variant.state != State::Absent {
                    files.flush(Some(&variant.handle));
                }
                variant.flushed();
                Ok(())
            }
            Act::Release => {
                variant.release(self.scene);
                Ok(())
            }
            Act::Change(change) => {
                if variant.announced
                    && let Some(planned) = Planned::new(*change, &variant.tree)
                {
                    self.change(variant, &planned);
                }
                Ok(())
            }
            Act::Family => Ok(()),
            act => {
                let there = variant.looked_at();
                let done = self.look(act, variant);
                if there { done.judge(variant) } else { done.is_missing() }
            }
        }
    }

    /// On what others use as well: what is seen was there at some time.
    fn take_shared(&self, act: &Act) -> Judged {
        let variant = |look: &mut dyn FnMut(&mut Variant) -> Judged| {
            look(&mut self.shared.lock().unwrap().variants[0])
        };
        if let Act::Change(change) = act {
            return variant(&mut |variant| {
                if let Some(planned) = Planned::new(*change, &variant.tree) {
                    self.change(variant, &planned);
                }
                Ok(())
            });
        }
        let mut looks = None;
        variant(&mut |variant| {
            variant.looked_at();
            looks = Some((variant.handle.clone(), self.plan(act, variant)));
            Ok(())
        })?;
        let (handle, planned) = looks.unwrap();
        let Some(planned) = planned else {
            let found = rez::find(self.subject, &handle).map_err(|error| error.to_string())?;
            return same(&found, &Some(format!("{}/a", rez::place(&handle))));
        };
        // Not with the model locked: others are to come between.
        let done = planned.perform(self.subject);
        variant(&mut |variant| done.judge(variant))
    }

    fn change(&self, variant: &mut Variant, planned: &Planned) {
        for (path, node) in &planned.states {
            if variant.state == State::Served {
                variant.shown.changes(path, node.clone());
            }
            match node {
                Some(node) => _ = variant.tree.insert(path.clone(), node.clone()),
                None => _ = variant.tree.remove(path),
            }
        }
        planned.make(self.scene, &variant.root);
    }

    /// The versions that are registered, and no others.
    fn family(&self, own: &Family) -> Judged {
        let there = own.variants.iter().filter(|variant| variant.state != State::Absent);
        let there = there.map(|variant| variant.handle.version_dir().to_owned());
        let there: BTreeSet<String> = there.collect();
        match self.subject.names(&own.name) {
            Ok(names) if names.len() == there.len() => same(&names.into_iter().collect(), &there),
            Err(error) if there.is_empty() && is(&error, Errno::NOENT) => Ok(()),
            listed => Err(format!("{listed:?} is listed where {there:?} are registered")),
        }
    }

    fn look(&self, act: &Act, variant: &Variant) -> Done {
        self.plan(act, variant).unwrap_or(Plan::Touch(variant.payload())).perform(self.subject)
    }

    fn plan(&self, act: &Act, variant: &Variant) -> Option<Plan> {
        let payload = variant.payload();
        let there = variant.state != State::Absent;
        let file = |number| if there { variant.file(number) } else { "a".to_owned() };
        Some(match *act {
            Act::Read { file: number, from, length, way } => {
                let path = file(number);
                // A mapping of what has gone ends the process, as it must.
                let way = if variant.shown.is_certain(&path) { way } else { Way::Read };
                Plan::Read(payload, path, from..from.saturating_add(length), way)
            }
            Act::List { directory } => Plan::List(payload, variant.directory(directory)),
            Act::Attempt { what, file: number } => {
                let is_file = |path: &String| variant.tree.get(path) != Some(&Node::Directory);
                let path = Some(file(number)).filter(is_file);
                Plan::Attempt(payload, path.unwrap_or_else(|| "a".to_owned()), what)
            }
            Act::Touch => Plan::Touch(payload),
            _ => return None,
        })
    }
}

fn same<T: PartialEq + std::fmt::Debug>(found: &T, expected: &T) -> Judged {
    if found == expected { Ok(()) } else { Err(format!("{found:?} instead of {expected:?}")) }
}
