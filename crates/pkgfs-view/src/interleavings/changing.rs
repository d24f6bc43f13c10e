//! Files that change at origin while they are read: old bytes or new ones, whole, or an error.

use std::{io::Read, ops::Range, sync::Arc};

use futures::future::join_all;

use super::{
    Scene, check,
    scene::{LARGE, SMALL},
};
use crate::{RestOfLargeFiles, ViewError, view::blocking};

async fn change_under_readers(scene: Scene, size: usize, parts: [Range<usize>; 2]) {
    let readers = (0..2).map(|_| {
        let (scene, parts) = (scene.clone(), parts.clone());
        tokio::spawn(async move { scene.read(0, &parts).await })
    });
    let readers: Vec<_> = readers.collect();
    let changing = {
        let scene = scene.clone();
        tokio::spawn(async move { scene.change(0, size) })
    };
    let old = scene.content(0, 0, size);
    for read in join_all(readers).await {
        // They have the file open that was listed: never the new bytes.
        match read.unwrap() {
            Ok(read) => {
                let expected = parts.clone().map(|part| old[part].to_vec());
                assert_eq!(read, expected);
            }
            Err(error) => assert_eq!(error, ViewError::Stale),
        }
    }
    changing.await.unwrap();
    scene.view.hydration.settle().await;
    // What was kept is whole, and what the number stands for.
    if let Some(digest) = scene.blob(0) {
        let mut kept = Vec::new();
        let mut blob = scene.view.store.open_blob(&digest).unwrap().unwrap();
        blob.read_to_end(&mut kept).unwrap();
        assert!(kept == *old, "what is kept is not what was listed");
    }
    scene.end().await;
}

#[test]
fn a_small_file_that_changes_is_read_as_it_was_listed_or_not_at_all() {
    check(async |ground| {
        let scene = Scene::new(ground, &[SMALL]);
        change_under_readers(scene, SMALL, [0..SMALL, 10..20]).await;
    });
}

#[test]
fn a_large_file_that_changes_is_read_as_it_was_listed_or_not_at_all() {
    check(async |ground| {
        let scene = Scene::new(ground, &[LARGE]);
        change_under_readers(scene, LARGE, [LARGE - 10..LARGE, 0..10]).await;
    });
}

#[test]
fn a_large_file_whose_rest_is_left_changes_and_is_not_mixed() {
    check(async |ground| {
        let scene = Scene::with(ground, &[LARGE], RestOfLargeFiles::Never, None);
        change_under_readers(scene, LARGE, [LARGE - 10..LARGE, 0..10]).await;
    });
}

/// A flush while this goes on: what is listed after it is what lies there.
async fn flush_beside(scene: Scene, going_on: tokio::task::JoinHandle<()>) {
    // Origin may have been asked, and not have answered.
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
    scene.change(0, SMALL + 2);
    // What a flush does of it, without the questions to origin, at which others catch up.
    let (store, registration) = (Arc::clone(&scene.view.store), scene.registration);
    let forgotten = blocking(move || store.retire_directories(registration));
    scene.view.payloads.forget_when(registration, forgotten).await.unwrap();
    let root = scene.root("");
    let listed = scene.view.payloads.directory(root.clone()).await.unwrap();
    assert_eq!(listed.listing, scene.storage.listing(), "what was before the flush is listed");
    going_on.await.unwrap();
    let listed = scene.view.payloads.directory(root).await.unwrap();
    assert_eq!(listed.listing, scene.storage.listing(), "what was before came back");
    scene.end().await;
}

#[test]
fn what_is_listed_after_a_flush_is_as_new_as_the_flush() {
    check(async |ground| {
        let scene = Scene::new(ground, &[SMALL]);
        let (payloads, root) = (scene.view.payloads.clone(), scene.root(""));
        let looking = tokio::spawn(async move { drop(payloads.directory(root).await.unwrap()) });
        flush_beside(scene, looking).await;
    });
}

#[test]
fn a_check_that_was_under_way_does_not_undo_a_flush() {
    check(async |ground| {
        let scene = Scene::new(ground, &[SMALL]);
        scene.change(0, SMALL + 1);
        let (payloads, registration) = (scene.view.payloads.clone(), scene.registration);
        let checking = tokio::spawn(async move {
            payloads.refresh(registration).await.unwrap();
        });
        flush_beside(scene, checking).await;
    });
}
