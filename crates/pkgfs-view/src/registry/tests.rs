use std::collections::HashMap;

use parking_lot::Mutex;
use pkgfs_rez::VariantHandle;
use pkgfs_store::{NewRegistration, RegistrationState};

use super::*;

fn handle(name: &str, version: &str) -> VariantHandle {
    let json = serde_json::json!({
        "key": "filesystem.variant",
        "variables": {
            "repository_type": "filesystem", "location": "/sw/pkg",
            "name": name, "version": version, "index": 0,
        },
    });
    VariantHandle::from_dict(&json).unwrap()
}

fn new(name: &str, version: &str) -> NewRegistration {
    let handle = handle(name, version);
    NewRegistration {
        name: name.to_owned(),
        version_dir: version.to_owned(),
        h4: handle.h4(),
        stem: "a".to_owned(),
        handle_key: handle.to_json(),
        json: pkgfs_rez::registration::encode(&handle),
        repository: "/sw/pkg".into(),
        root: Some("/sw/pkg/root".into()),
        state: RegistrationState::Served,
    }
}

fn level(name: &str, version: &str) -> LevelPath {
    LevelPath::of_handle(&handle(name, version))
}

struct Scene {
    store: Arc<Store>,
    problems: Arc<Problems>,
    registry: Registry,
    _dir: tempfile::TempDir,
}

/// A registry that was just opened on a store with these registrations.
fn opened(registered: &[NewRegistration]) -> Scene {
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(dir.path()).unwrap());
    for new in registered {
        store.register(new.clone()).unwrap();
    }
    let problems = Arc::new(Problems::default());
    let registry = Registry::new(Arc::clone(&store), Arc::clone(&problems), (1, 2));
    Scene { store, problems, registry, _dir: dir }
}

fn names(names: &[Box<str>]) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

#[test]
fn only_the_version_that_is_asked_about_comes_into_memory() {
    let mut scene = opened(&[new("a", "1"), new("a", "2"), new("b", "1")]);
    assert_eq!(scene.registry.slots().count(), 0);
    assert!(scene.registry.has_level(&LevelPath::of_name("a")).unwrap());
    assert_eq!(names(&scene.registry.sublevels(None).unwrap()), ["a", "b"]);
    let a = LevelPath::of_name("a");
    assert_eq!(names(&scene.registry.sublevels(Some(&a)).unwrap()), ["1", "2"]);
    assert_eq!(scene.registry.slots().count(), 0);
    let id = scene.registry.slot_of_stem(&level("a", "2"), "a").unwrap().unwrap();
    assert_eq!(scene.registry.slots().count(), 1);
    assert_eq!(scene.registry.slot(id).unwrap().handle, Some(handle("a", "2")));
    assert_eq!(scene.registry.slot(id).unwrap().json.as_ref().unwrap().owner, (1, 2));
}

#[test]
fn a_registration_is_found_by_handle_and_by_number_though_nobody_asked_about_its_version() {
    let mut scene = opened(&[new("a", "1"), new("a", "2")]);
    let by_handle = scene.registry.of_handle(&handle("a", "1").to_json()).unwrap().unwrap();
    assert_eq!(scene.registry.slot(by_handle).unwrap().handle, Some(handle("a", "1")));
    let second = scene.store.registrations().unwrap()[1].id;
    let by_number = scene.registry.of_registration(second).unwrap();
    assert_eq!(scene.registry.slot(by_number).unwrap().handle, Some(handle("a", "2")));
    assert_eq!(scene.registry.of_handle(&handle("a", "3").to_json()).unwrap(), None);
}

#[test]
fn what_was_made_since_is_taken_in_once() {
    let mut scene = opened(&[new("a", "1")]);
    let known = scene.store.register(new("a", "2")).unwrap();
    // Somebody looks between the store's answer and ours.
    let seen = scene.registry.slot_of_stem(&level("a", "2"), "a").unwrap().unwrap();
    assert_eq!(scene.registry.load(known, handle("a", "2")).unwrap(), seen);
    assert_eq!(scene.registry.slots_in(&level("a", "2")).unwrap().len(), 1);
    let known = scene.store.register(new("a", "3")).unwrap();
    scene.registry.load(known, handle("a", "3")).unwrap();
    let path = LevelPath::of_name("a");
    assert_eq!(names(&scene.registry.sublevels(Some(&path)).unwrap()), ["1", "2", "3"]);
}

#[test]
fn what_was_removed_does_not_come_back_from_its_row() {
    let mut scene = opened(&[new("a", "1"), new("a", "2")]);
    let path = level("a", "1");
    let id = scene.registry.slot_of_stem(&path, "a").unwrap().unwrap();
    let mut slot = scene.registry.slot_mut(id).unwrap();
    (slot.json, slot.payload) = (None, Payload::Absent);
    drop(slot);
    scene.registry.drop_if_empty(id);
    let version = path.parent().unwrap();
    assert_eq!(scene.registry.remove_level(&version).unwrap(), Removal::NotEmpty);
    assert_eq!(scene.registry.remove_level(&path).unwrap(), Removal::Removed);
    assert_eq!(scene.registry.remove_level(&version).unwrap(), Removal::Removed);
    assert!(!scene.registry.has_level(&path).unwrap());
    let name = LevelPath::of_name("a");
    assert_eq!(names(&scene.registry.sublevels(Some(&name)).unwrap()), ["2"]);
    assert_eq!(scene.registry.remove_level(&name).unwrap(), Removal::NotEmpty);
}

/// Now and then nothing could be made in a directory that had been removed and made again.
#[test]
fn a_directory_that_is_made_again_has_another_number() {
    let mut scene = opened(&[]);
    let path = level("a", "1");
    let first = scene.registry.make_level(&path).unwrap();
    assert_eq!(scene.registry.make_level(&path).unwrap(), first);
    assert_eq!(scene.registry.remove_level(&path).unwrap(), Removal::Removed);
    let second = scene.registry.make_level(&path).unwrap();
    assert_ne!(first, second);
    assert_eq!(scene.registry.level_id(&path), second);
    assert_eq!(scene.registry.level(first), scene.registry.level(second));
}

#[test]
fn a_package_with_versions_that_nobody_asked_about_is_not_empty() {
    let mut scene = opened(&[new("a", "1")]);
    let name = LevelPath::of_name("a");
    assert_eq!(scene.registry.remove_level(&name).unwrap(), Removal::NotEmpty);
    assert_eq!(scene.registry.remove_level(&LevelPath::of_name("b")).unwrap(), Removal::Absent);
}

#[test]
fn names_that_mean_nothing_leave_nothing_in_memory() {
    let mut scene = opened(&[new("a", "1")]);
    for n in 0..100 {
        let path = level(&format!("no{n}"), "1");
        assert!(!scene.registry.has_level(&path).unwrap());
        assert!(!scene.registry.has_level(&LevelPath::of_name(&path.name)).unwrap());
        assert!(scene.registry.sublevels(path.parent().as_ref()).unwrap().is_empty());
        assert!(scene.registry.slots_in(&path).unwrap().is_empty());
    }
    assert_eq!(scene.registry.recalled.size(), 0);
    assert!(scene.registry.names.is_empty());
}

#[test]
fn a_damaged_json_is_told_when_it_is_met_and_fails_no_other() {
    let damaged = NewRegistration { json: "{".to_owned(), ..new("a", "1") };
    let mut scene = opened(&[damaged, new("a", "2")]);
    assert!(scene.registry.slot_of_stem(&level("a", "2"), "a").unwrap().is_some());
    assert!(scene.problems.all().is_empty());
    let id = scene.registry.slot_of_stem(&level("a", "1"), "a").unwrap().unwrap();
    assert_eq!(scene.registry.slot(id).unwrap().handle, None);
    let told = scene.problems.all();
    assert!(told[0].text.starts_with(&handle("a", "1").to_json()), "{told:?}");
}

#[test]
fn a_directory_that_rez_made_and_removed_asks_the_store_no_more() {
    let mut scene = opened(&[]);
    let path = level("a", "1");
    scene.registry.make_level(&path).unwrap();
    assert_eq!(scene.registry.remove_level(&path).unwrap(), Removal::Removed);
    // Its row is still to be removed from the store, or just came.
    scene.store.register(new("a", "1")).unwrap();
    assert!(!scene.registry.has_level(&path).unwrap());
    assert!(scene.registry.slots_in(&path).unwrap().is_empty());
}

/// The places of all that a walk sees, of one package or of all.
fn walked(store: &Store, registry: &Mutex<Registry>, package: Option<&str>) -> Vec<(String, bool)> {
    let mut walk = walk::Walk::new(store, registry, package);
    let place = |level: &LevelPath, slot: &Slot| {
        let version = level.version.as_deref().unwrap();
        Some((format!("{}/{version}/{}", level.name, slot.stem), slot.pinned))
    };
    std::iter::from_fn(|| walk.next(place).unwrap()).flatten().collect()
}

#[test]
fn a_walk_sees_each_registration_once_in_order_and_leaves_nothing_in_memory() {
    // More than three pages, a version of them with several variants.
    let mut all: Vec<_> = (0..400)
        .flat_map(|n| ["1", "2"].map(|version| new(&format!("p{n:03}"), version)))
        .collect();
    all.extend(["b", "c"].map(|stem| NewRegistration {
        stem: stem.to_owned(),
        handle_key: format!("another {stem}"),
        ..new("p127", "2")
    }));
    let scene = opened(&all);
    let registry = Mutex::new(scene.registry);
    let place = |new: &NewRegistration| format!("{}/{}/{}", new.name, new.version_dir, new.stem);
    all.sort_by_key(|new| (new.name.clone(), new.version_dir.clone(), new.handle_key.clone()));
    let expected: Vec<_> = all.iter().map(place).collect();
    let seen: Vec<_> =
        walked(&scene.store, &registry, None).into_iter().map(|(place, _)| place).collect();
    assert_eq!(seen, expected);
    assert_eq!(walked(&scene.store, &registry, Some("p127")).len(), 4);
    assert!(walked(&scene.store, &registry, Some("p")).is_empty());
    let registry = registry.into_inner();
    assert_eq!((registry.slots().count(), registry.recalled.size()), (0, 0));
    assert!(registry.names.is_empty() && registry.levels.is_empty());
}

#[test]
fn a_walk_sees_what_memory_has_where_memory_answers() {
    let scene = opened(&[new("a", "1"), new("a", "2"), new("b", "1")]);
    let mut registry = scene.registry;
    for (name, version) in [("a", "1"), ("b", "1")] {
        let id = registry.slot_of_stem(&level(name, version), "a").unwrap().unwrap();
        registry.slot_mut(id).unwrap().pinned = true;
    }
    // Removed in memory; its row is still to be removed.
    let id = registry.slot_of_stem(&level("b", "1"), "a").unwrap().unwrap();
    registry.unindex(id);
    let seen: HashMap<_, _> =
        walked(&scene.store, &Mutex::new(registry), None).into_iter().collect();
    assert_eq!(seen, HashMap::from([("a/1/a".to_owned(), true), ("a/2/a".to_owned(), false)]));
}
