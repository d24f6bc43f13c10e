//! What rez says of packages, as rez itself would.

use std::{fs, path::PathBuf};

use pkgfs_rez_worker::{RezError, ToldPackage};

use crate::scene::{Scene, VERSIONS};

/// The indices and roots below the package's directory.
fn roots(scene: &Scene, package: &ToldPackage) -> Vec<(Option<u32>, String)> {
    let base = scene.repository().join(&package.name);
    let below = |root: &PathBuf| root.strip_prefix(&base).unwrap().to_str().unwrap().to_owned();
    let variants = package.variants.iter();
    variants.map(|variant| (variant.index, below(variant.root.as_ref().unwrap()))).collect()
}

fn raised(error: RezError) -> String {
    let RezError::Raised(said) = error else { panic!("{error}") };
    said
}

#[tokio::test]
async fn packages_are_told_as_rez_sees_them_literal_or_not() {
    for version in VERSIONS {
        let scene = Scene::new(version);
        let plain = scene.ask_of("name = 'asked'\nversion = '1'\n").await.unwrap();
        assert_eq!(roots(&scene, &plain), [(None, "1".to_owned())]);
        assert!(plain.cachable && !plain.local);
        assert_eq!(plain.location, scene.location());

        let looped = "variants = [['os-%s' % x] for x in 'ab']\ncachable = 1 > 2\n";
        let looped = scene.ask_of(looped).await.unwrap();
        let expected = [(Some(0), "1/os-a".to_owned()), (Some(1), "1/os-b".to_owned())];
        assert_eq!(roots(&scene, &looped), expected);
        assert!(!looped.cachable);

        let early = "@early()\ndef variants():\n    import sys\n    return [['os-early']]\n";
        let early = scene.ask_of(early).await.unwrap();
        assert_eq!(roots(&scene, &early), [(Some(0), "1/os-early".to_owned())]);

        let late = "@late()\ndef cachable():\n    return this.name != 'asked'\n";
        assert!(!scene.ask_of(late).await.unwrap().cachable);

        let scope = format!(
            "with scope('config') as c:\n    c.local_packages_path = {:?}\n",
            scene.location()
        );
        assert!(scene.ask_of(&scope).await.unwrap().local);

        let hashed = "hashed_variants = True\nvariants = [['os-' + 'x']]\n";
        let hashed = roots(&scene, &scene.ask_of(hashed).await.unwrap()).remove(0).1;
        let links = scene.repository().join("asked/1/_v");
        fs::create_dir(&links).unwrap();
        std::os::unix::fs::symlink(hashed.replace("1/", "../"), links.join("a")).unwrap();
        let linked = "hashed_variants = True\nvariants = [['os-x' + '']]\n";
        let linked = scene.ask_of(linked).await.unwrap();
        assert_eq!(roots(&scene, &linked), [(Some(0), "1/_v/a".to_owned())]);
        scene.end().await;
    }
}

#[tokio::test]
async fn a_variant_without_a_place_does_not_hide_the_others() {
    let scene = Scene::new(VERSIONS[0]);
    let told = scene.ask_of("variants = [[], ['os-' + 'a']]\n").await.unwrap();
    assert!(told.variants[0].root.is_none() && told.variants[0].why.is_some());
    assert!(told.variants[1].root.is_some());
    scene.end().await;
}

#[tokio::test]
async fn what_is_not_there_is_nothing_and_what_is_broken_is_said() {
    let scene = Scene::new(VERSIONS[0]);
    assert_eq!(scene.ask("none").await, Ok(None));
    fs::create_dir_all(scene.repository().join("empty/1")).unwrap();
    assert_eq!(scene.ask("empty").await, Ok(None));
    assert_eq!(scene.worker.package("/nowhere", "none", None).await, Ok(None));
    for (definition, expected) in [
        ("raise ValueError('my words')\n", "ResourceError: Problem loading"),
        ("raise ValueError('my words')\n", "my words"),
        ("import nonsuch\n", "No module named 'nonsuch'"),
        ("name = (\n", "was never closed"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("raise KeyboardInterrupt\n", "KeyboardInterrupt"),
        ("x = input()\n", "EOF when reading a line"),
        ("cachable = 'y' + 'es'\n", "should be instance of"),
        ("variants = [['a ' + 'b']]\n", "Not a valid package name: 'a b'"),
        ("raise ValueError('\\udcff' * 3)\n", "???"),
    ] {
        let said = raised(scene.ask_of(definition).await.unwrap_err());
        assert!(said.contains(expected) && !said.contains('\n'), "{definition}: {said}");
    }
    scene.end().await;
}

#[tokio::test]
async fn what_a_definition_prints_or_does_to_its_process_is_no_part_of_answers() {
    for version in VERSIONS {
        let scene = Scene::new(version);
        for definition in [
            "print('{\"answer\": 1}')\n",
            "import os\nos.write(1, b'noise\\n' * 100000)\n",
            "import os\nos.system('echo noise; echo noise >&2')\n",
            "import sys\nsys.stdout.close()\nsys.stderr.close()\nsys.stdin.close()\n",
            "import os\nos.environ.clear()\nos.chdir('/dev')\n",
            "import rez.packages\nrez.packages.Package.is_cachable = False\n",
            "import rez\nrez.__version__ = '0'\n",
            "import os\nos.fork()\nos.fork()\n",
            "import threading\nthreading.Thread(target=threading.Event().wait).start()\n",
        ] {
            scene.ask_of(definition).await.unwrap_or_else(|error| panic!("{definition}: {error}"));
            let plain = scene.ask_of("name = 'asked'\n").await.unwrap();
            assert!(plain.cachable, "{definition}");
        }
        let status = scene.worker.status();
        assert_eq!((status.started, status.version.as_deref()), (1, Some(version)));
        scene.end().await;
    }
}

#[tokio::test]
async fn what_is_on_disk_now_is_what_is_told() {
    let scene = Scene::new(VERSIONS[0]);
    let library = scene.repository().join("library.py");
    let definition = format!(
        "import sys\nsys.path.insert(0, {:?})\nimport library\nvariants = library.VARIANTS\n",
        scene.location()
    );
    for name in ["one", "two", "three"] {
        fs::write(&library, format!("VARIANTS = [['{name}']]\n")).unwrap();
        // Python trusts compiled modules by the second.
        let _ = fs::remove_dir_all(scene.repository().join("__pycache__"));
        let told = scene.ask_of(&definition).await.unwrap();
        assert_eq!(roots(&scene, &told), [(Some(0), format!("1/{name}"))]);
        let told = scene.ask_of(&format!("variants = [[str('{name}')]]\n")).await.unwrap();
        assert_eq!(roots(&scene, &told), [(Some(0), format!("1/{name}"))]);
    }
    assert_eq!(scene.worker.status().started, 1);
    scene.end().await;
}
