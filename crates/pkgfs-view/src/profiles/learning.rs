//! The task that learns: it finds out who touched what, has a launch's profiles followed at its
//! first touch, and merges what was touched into them when the launch is over.

use std::{
    collections::HashMap,
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use pkgfs_manifest::Timestamp;
use pkgfs_store::{FileKey, Profile, RegistrationId};

use super::{
    Message, Messages, Opener,
    launches::{Launch, LaunchId, Launches, Seen, Touched},
    record::{Item, Record},
    run::Run,
};
use crate::{
    View, ViewError,
    sys::{self, ProcessId},
    view::blocking,
};

/// How often launches are looked at while any goes on.
const LOOK: Duration = Duration::from_millis(500);
/// The task rests this long when it has caught up, so that not each open has to wake it.
const REST: Duration = Duration::from_millis(5);
/// Processes above one that are looked at.
const MOST_ANCESTORS: usize = 32;

/// What the learning task works with.
struct Learning {
    launches: Launches<Arc<Run>>,
}

impl View {
    /// Learns for as long as the view lives.
    pub(crate) fn keep_learning(self: &Arc<Self>, messages: Messages) {
        tokio::spawn(learn(Arc::downgrade(self), messages));
    }

    /// By what the profiles of a registered variant are found: its handle, at its canonical place.
    fn profile_key(&self, registration: RegistrationId) -> Option<String> {
        let mut registry = self.registry.lock();
        let slot = registry.of_registration(registration).and_then(|id| registry.slot(id))?;
        let handle = slot.handle.as_ref()?;
        Some(self.settings.locations.at_canonical(handle).to_json())
    }
}

async fn learn(view: Weak<View>, mut messages: Messages) {
    let mut learning = Learning { launches: Launches::default() };
    loop {
        if messages.0.is_empty() {
            tokio::time::sleep(REST).await;
        }
        let message = if learning.launches.any() {
            match tokio::time::timeout(LOOK, messages.0.recv()).await {
                Ok(None) => return,
                Ok(message) => message,
                Err(_) => None,
            }
        } else {
            match messages.0.recv().await {
                None => return,
                message => message,
            }
        };
        let Some(view) = view.upgrade() else { return };
        match message {
            Some(Message::Touched { opener, registration, file }) => {
                learning.touched(&view, opener, registration, file).await;
            }
            Some(Message::Read { file, bytes }) => {
                learning.launches.read(file, &bytes, Instant::now());
            }
            Some(Message::End(ended)) => {
                for launch in learning.launches.end() {
                    launch.end(&view).await;
                }
                // Who asked may have stopped waiting.
                let _ = ended.send(());
            }
            None => {}
        }
        for launch in learning.launches.over(Instant::now(), |run| run.is_busy()) {
            launch.end(&view).await;
        }
    }
}

impl Learning {
    async fn touched(
        &mut self,
        view: &Arc<View>,
        opener: Opener,
        registration: RegistrationId,
        file: FileKey,
    ) {
        let Some((process, id)) = self.launch_of(view, opener.pid).await else { return };
        let now = Instant::now();
        self.launches.began_with(process, registration, file, opener.all_told);
        let first = self.launches.touch(id, registration, file, opener.all_told, now);
        let Some(launch) = self.launches.active(id) else { return };
        if first == Some(true) && view.profiles.fetches() {
            launch.lead(view, registration);
        }
    }

    /// The process that a thread belongs to, and the launch that it takes part in.
    async fn launch_of(&mut self, view: &Arc<View>, thread: u32) -> Option<(ProcessId, LaunchId)> {
        let now = Instant::now();
        let process = match self.launches.process_of(thread, now) {
            Some(process) => process,
            None => {
                let look = move || sys::of_thread(thread).ok_or(ViewError::NotFound);
                // One that has ended already was no start of anything.
                let process = blocking(look).await.ok()?.id;
                self.launches.thread_of(thread, process, now);
                process
            }
        };
        let known = self.launches.launch_of(process);
        if let Some(known) = known
            && !self.launches.is_uncertain(process)
        {
            return Some((process, known));
        }
        let look = move || {
            let ancestors = sys::ancestors(process, MOST_ANCESTORS);
            Ok::<_, ViewError>((ancestors, sys::context(process)))
        };
        let (ancestors, context) = blocking(look).await.ok()?;
        let context = match (context, known) {
            (Some(context), _) => context,
            (None, Some(known)) => return Some((process, known)),
            (None, None) => String::new(),
        };
        let seen = Seen { process, ancestors, context };
        let begin = || Run::begin(view, view.profiles.limits());
        Some((process, self.launches.join(seen, Instant::now(), begin)))
    }
}

impl Launch<Arc<Run>> {
    /// A variant is touched for the first time: its profile is followed; at the very first touch
    /// also those of all other variants in the same context.
    fn lead(&self, view: &Arc<View>, registration: RegistrationId) {
        let Some(key) = view.profile_key(registration) else { return };
        if self.run.begins() && !self.context.is_empty() {
            for profile in view.store.profiles_in(&self.context).unwrap_or_default() {
                let registered = if profile.handle_key == key {
                    Some(registration)
                } else {
                    let mut registry = view.registry.lock();
                    let id = registry.of_handle(&profile.handle_key).ok().flatten();
                    id.and_then(|id| registry.slot(id)).and_then(|slot| slot.registration)
                };
                registered.into_iter().for_each(|id| self.follow(view, id, &profile));
            }
        }
        if !self.run.leads(registration) {
            // What it touched in another context is a better guess than none.
            let profiles = view.store.profiles_of(&key).unwrap_or_default();
            let same = profiles.iter().find(|profile| profile.context == self.context);
            if let Some(profile) = same.or(profiles.first()) {
                self.follow(view, registration, profile);
            }
        }
    }

    fn follow(&self, view: &Arc<View>, registration: RegistrationId, profile: &Profile) {
        match Record::decode(&profile.record) {
            Ok(record) => {
                if self.run.lead(registration) && profile.context == self.context {
                    view.profiles.ahead.begin_leading(registration);
                }
                view.profiles.led.fetch_add(1, Ordering::Relaxed);
                view.lead(&self.run, registration, &record);
            }
            Err(error) => tracing::warn!("{}: {error}", profile.handle_key),
        }
    }

    /// It is over: nothing more is fetched ahead of it, and what it touched is merged into the
    /// profiles of its variants.
    async fn end(self, view: &Arc<View>) {
        self.run.end();
        self.run.led().into_iter().for_each(|id| view.profiles.ahead.end_leading(id));
        if !view.profiles.settings.learn || self.touched.is_empty() {
            return;
        }
        view.profiles.learnt.fetch_add(1, Ordering::Relaxed);
        let view = Arc::clone(view);
        let written = blocking(move || view.store.record_profiles(&self.merged(&view)));
        if let Err(error) = written.await {
            tracing::warn!(%error, "what a launch touched could not be written");
        }
    }

    /// The profiles of its variants with what it touched.
    fn merged(self, view: &View) -> Vec<Profile> {
        let mut variants: HashMap<RegistrationId, Vec<Item>> = HashMap::new();
        for (file, Touched { registration, rank, reads }) in self.touched {
            let Ok((directory, index)) = view.payloads.entry(file) else { continue };
            let entry = &directory.listing.entries()[index];
            let mut path = directory.path.to_vec();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(&entry.name);
            let (path, size) = (path.into_boxed_slice(), entry.attributes.size);
            let item = Item { path, size, spans: reads, rank, missed: 0 };
            variants.entry(registration).or_default().push(item);
        }
        let merged = variants.into_iter().filter_map(|(registration, touched)| {
            let handle_key = view.profile_key(registration)?;
            let known = view.store.profiles_of(&handle_key).unwrap_or_default();
            let known = known.into_iter().find(|profile| profile.context == self.context);
            let mut record =
                known.and_then(|profile| Record::decode(&profile.record).ok()).unwrap_or_default();
            let would_show = |item: &Item| self.all_show || view.would_show(registration, item);
            record.merge(touched, would_show);
            let (context, used) = (self.context.clone(), Timestamp::now());
            Some(Profile { handle_key, context, used, record: record.encode() })
        });
        merged.collect()
    }
}

impl View {
    /// Whether a touch of this file would have been told of, although the kernel answers by itself
    /// what it has in its caches: it has no byte of what nobody has read.
    fn would_show(&self, registration: RegistrationId, item: &Item) -> bool {
        let Ok(Some(directory)) = self.payloads.known(registration, item.directory()) else {
            return true;
        };
        let Some(index) = directory.listing.find(item.name()) else { return true };
        let file = FileKey { directory: directory.id, entry: index as u32 };
        self.profiles.ahead.is_unread(file) || matches!(self.store.content(file), Ok(None))
    }
}
