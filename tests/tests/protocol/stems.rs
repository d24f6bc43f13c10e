//! Stems are rez's own sequence, and stay once given.

use std::fs;

use pkgfs_tests::{MountOptions, Scene, VariantHandle};

use crate::actions::{Cache, names};
use crate::payloads::{self, assert_same};

/// Three variants of one package whose handles share a `<h4>`.
fn colliding(scene: &Scene) -> [u32; 3] {
    let repository = scene.repository();
    let mut seen = std::collections::HashMap::<String, Vec<u32>>::new();
    for index in 0.. {
        let alike = seen.entry(repository.handle("many", "1.0", index).h4()).or_default();
        alike.push(index);
        if let [a, b, c] = alike[..] {
            return [a, b, c];
        }
    }
    unreachable!("there are 65,536 of them");
}

/// The stem under which a variant is registered.
fn stem(cache: &Cache, handle: &VariantHandle) -> String {
    let root = cache.find(handle).unwrap().unwrap_or_else(|| panic!("{}", handle.uri()));
    root.file_name().unwrap().to_str().unwrap().to_owned()
}

#[test]
fn variants_that_share_a_directory_get_rezs_sequence_and_keep_it() {
    let scene = Scene::new();
    let repository = scene.repository();
    let indices = colliding(&scene);
    let requires: Vec<String> = (0..=indices[2]).map(|index| format!("os-{index}")).collect();
    let variants: Vec<Vec<&str>> = requires.iter().map(|name| vec![name.as_str()]).collect();
    let variants: Vec<&[&str]> = variants.iter().map(Vec::as_slice).collect();
    repository.release_variants("many", "1.0", &variants, |index, root| {
        fs::write(root.join("which"), index.to_string()).unwrap();
    });
    // By handles, and not in the order of the indices.
    let mounted = scene.mount(&payloads::pending_only());
    let cache = Cache::new(mounted.mountpoint());
    let [first, second, third] =
        [2, 0, 1].map(|at: usize| repository.handle("many", "1.0", indices[at]));
    let given = |expected: &[(&VariantHandle, &str)]| {
        for (handle, expected) in expected {
            assert_eq!(stem(&cache, handle), *expected, "{}", handle.uri());
            let root = cache.find(handle).unwrap().unwrap();
            let which = fs::read_to_string(root.join("which")).unwrap();
            assert_eq!(which, handle.index.unwrap().to_string());
        }
    };
    for handle in [&first, &second, &third] {
        let _ = cache.ask(handle);
    }
    let all = [(&first, "a"), (&second, "b"), (&third, "c")];
    given(&all);
    mounted.remount();
    given(&all);
    mounted.kill_daemon();
    mounted.mount_again();
    given(&all);

    // As rez: the next after the greatest, not the first that is free.
    cache.remove(&first);
    given(&all[1..]);
    let _ = cache.ask(&first);
    given(&[(&second, "b"), (&third, "c"), (&first, "d")]);
    mounted.remount();
    given(&[(&second, "b"), (&third, "c"), (&first, "d")]);
    let place = cache.place(&first);
    assert_eq!(names(&place), ["b", "b.json", "c", "c.json", "d", "d.json"]);

    // A look-up registers all that share the place.
    let looked_up = scene.mount(&MountOptions::default());
    let cache = Cache::new(looked_up.mountpoint());
    let stems = [&first, &second, &third].map(|handle| stem(&cache, handle));
    let mut sorted = stems.clone();
    sorted.sort();
    assert_eq!(sorted, ["a", "b", "c"]);
    let source = repository.source().join("many/1.0").join(&requires[indices[0] as usize]);
    assert_same(&source, &cache.find(&second).unwrap().unwrap());
}
