//! Requests, as users write them.

use std::fs;

use pkgfs_rez_worker::RezError;

use crate::scene::{Scene, VERSIONS};

fn release(scene: &Scene, repository: &str, name: &str, version: &str) -> String {
    let location = scene.repository().join(repository);
    let directory = location.join(name).join(version);
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join("package.py"), format!("name = '{name}'\n")).unwrap();
    location.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_newest_package_that_a_request_asks_for_is_found() {
    for version in VERSIONS {
        let scene = Scene::new(version);
        let mut locations = Vec::new();
        for (repository, version) in
            [("a", "1.9"), ("a", "1.10"), ("a", "2.0"), ("b", "1.10"), ("b", "2.1.beta")]
        {
            locations.push(release(&scene, repository, "numpy", version));
        }
        locations.dedup();
        locations.push("/nowhere".to_owned());
        for (request, expected) in [
            ("numpy", Some(("b", "2.1.beta"))),
            ("numpy-1", Some(("a", "1.10"))),
            ("numpy-1+<1.10", Some(("a", "1.9"))),
            ("numpy<2|==2.0", Some(("a", "2.0"))),
            ("numpy==2.1.beta", Some(("b", "2.1.beta"))),
            ("numpy-7+", None),
            ("other", None),
        ] {
            let newest = scene.worker.newest(request, &locations).await.unwrap();
            let found = newest.map(|package| (package.location, package.version.unwrap()));
            let expected = expected.map(|(repository, version)| {
                (format!("{}/{repository}", scene.location()), version.to_owned())
            });
            assert_eq!(found, expected, "{request}");
        }
        scene.end().await;
    }
}

#[tokio::test]
async fn a_request_for_no_package_is_refused_in_one_line() {
    let scene = Scene::new(VERSIONS[0]);
    let packages = [("numpy".to_owned(), Some("1.0".to_owned()))];
    for request in
        ["!numpy", "~numpy", "~numpy-1", ".numpy-1", "", "num py", "numpy-2+<1", "-", "🦀"]
    {
        let newest = scene.worker.newest(request, &[scene.location()]).await.unwrap_err();
        let matching = scene.worker.matching(request, &packages).await.unwrap_err();
        for error in [newest, matching] {
            let RezError::Raised(said) = &error else { panic!("{request}: {error}") };
            assert!(!said.contains('\n') && !said.contains("Attribute"), "{request}: {said}");
        }
    }
    scene.end().await;
}

#[tokio::test]
async fn packages_are_matched_as_rez_matches_them() {
    for version in VERSIONS {
        let scene = Scene::new(version);
        let packages: Vec<_> = [
            ("numpy", Some("1.0")),
            ("numpy", Some("1.0-beta")),
            ("numpy", Some("2")),
            ("numpy", None),
            ("num", Some("1.0")),
        ]
        .map(|(name, version): (&str, Option<&str>)| (name.to_owned(), version.map(str::to_owned)))
        .into();
        for (request, expected) in [
            ("numpy", [true, true, true, true, false]),
            ("numpy-1", [true, true, false, false, false]),
            ("numpy==1.0", [true, false, false, false, false]),
            ("numpy<2", [true, true, false, true, false]),
            ("other", [false; 5]),
        ] {
            let matching = scene.worker.matching(request, &packages).await.unwrap();
            assert_eq!(matching, expected, "{request}");
        }
        scene.end().await;
    }
}
