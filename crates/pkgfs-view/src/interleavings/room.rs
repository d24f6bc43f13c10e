//! Eviction beside readers: what is open stays, and its reader needs no storage; what went is
//! fetched again, and whoever asks for room is answered.

use std::sync::Arc;

use futures::future::join_all;

use super::{
    Scene, check,
    scene::{OPENER, SMALL},
};
use crate::{RestOfLargeFiles, node::Node};

/// Room for one small file, and for no second.
const QUOTA: Option<u64> = Some(SMALL as u64 + 10);

/// Has a file become local and durable.
async fn hydrate(scene: &Scene, n: usize) {
    scene.read(n, &[0..SMALL]).await.unwrap();
    scene.view.hydration.committed().await;
}

#[test]
fn what_is_open_does_not_go_for_what_comes() {
    check(async |ground| {
        let scene = Scene::with(ground, &[SMALL; 3], RestOfLargeFiles::Background, QUOTA);
        hydrate(&scene, 0).await;
        let node = Node::Entry(scene.key(0)).into();
        let open = scene.view.open_file(node, false, OPENER).await.unwrap();
        let comers = [1, 2].map(|n| {
            let scene = scene.clone();
            tokio::spawn(async move {
                hydrate(&scene, n).await;
                scene.view.room.make().await;
            })
        });
        join_all(comers).await.into_iter().for_each(|ended| ended.unwrap());
        assert!(scene.blob(0).is_some(), "it went");
        assert_eq!(scene.storage.asked("f0"), 1);
        scene.view.release(open);
        scene.end().await;
    });
}

#[test]
fn what_is_local_when_it_is_opened_is_read_without_storage_until_it_is_closed() {
    check(async |ground| {
        let scene = Scene::with(ground, &[SMALL, SMALL], RestOfLargeFiles::Background, QUOTA);
        hydrate(&scene, 0).await;
        let reader = || {
            let scene = scene.clone();
            tokio::spawn(async move {
                let node = Node::Entry(scene.key(0)).into();
                let open = scene.view.open_file(node, false, OPENER).await.unwrap();
                let (local, asked) = (scene.blob(0).is_some(), scene.storage.asked("f0"));
                tokio::task::yield_now().await;
                let read = scene.view.read(open, 0, SMALL).await.unwrap();
                assert_eq!(read, *scene.content(0, 0, SMALL));
                if local {
                    assert_eq!(scene.storage.asked("f0"), asked, "it went while it was open");
                }
                scene.view.release(open);
            })
        };
        let readers = [reader(), reader()];
        let other = {
            let scene = scene.clone();
            tokio::spawn(async move {
                hydrate(&scene, 1).await;
                scene.view.room.make().await;
            })
        };
        join_all(readers).await.into_iter().for_each(|ended| ended.unwrap());
        other.await.unwrap();
        scene.end().await;
    });
}

#[test]
fn what_went_is_not_held_open_and_is_fetched_again() {
    check(async |ground| {
        let scene = Scene::with(ground, &[SMALL, SMALL], RestOfLargeFiles::Background, QUOTA);
        hydrate(&scene, 0).await;
        let readers = [0, 1, 0].map(|n| {
            let scene = scene.clone();
            tokio::spawn(async move {
                let read = scene.read(n, &[0..SMALL]).await.unwrap();
                assert_eq!(read[0], *scene.content(n, 0, SMALL));
                scene.view.room.make().await;
            })
        });
        join_all(readers).await.into_iter().for_each(|ended| ended.unwrap());
        scene.view.hydration.settle().await;
        scene.view.room.make().await;
        for n in [0, 1] {
            let known = scene.view.open_blobs.digest_of(scene.key(n));
            let held = scene.view.open_blobs.of(scene.key(n)).is_some();
            if scene.blob(n).is_none() {
                assert!(known.is_none() && !held, "a blob that went is held open: f{n}");
            }
        }
        assert!(scene.view.store.usage().blob_bytes <= QUOTA.unwrap());
        for n in [0, 1] {
            let read = scene.read(n, &[0..SMALL]).await.unwrap();
            assert_eq!(read[0], *scene.content(n, 0, SMALL));
        }
        scene.end().await;
    });
}

#[test]
fn who_opens_a_file_just_as_it_goes_keeps_nothing_that_went() {
    check(async |ground| {
        let rest = RestOfLargeFiles::Background;
        let (scene, _asked) = Scene::without_keeper(ground, &[SMALL, SMALL], rest, QUOTA);
        hydrate(&scene, 0).await;
        hydrate(&scene, 1).await;
        let opener = {
            let scene = scene.clone();
            tokio::spawn(async move {
                let node = Node::Entry(scene.key(0)).into();
                let open = scene.view.open_file(node, false, OPENER).await.unwrap();
                scene.view.release(open);
            })
        };
        let making = {
            let view = Arc::clone(&scene.view);
            tokio::spawn(async move { view.make_room().await })
        };
        opener.await.unwrap();
        assert_eq!(making.await.unwrap(), Ok(true));
        scene.view.hydration.settle().await;
        if scene.blob(0).is_none() {
            assert!(scene.view.open_blobs.of(scene.key(0)).is_none(), "it is held open");
            assert!(scene.view.open_blobs.digest_of(scene.key(0)).is_none());
        }
        scene.end().await;
    });
}

#[test]
fn whoever_asks_for_room_is_answered() {
    check(async |ground| {
        let scene = Scene::with(ground, &[SMALL; 3], RestOfLargeFiles::Background, QUOTA);
        let tasks = (0..3).map(|n| {
            let scene = scene.clone();
            tokio::spawn(async move {
                scene.read(n, &[0..SMALL]).await.unwrap();
                scene.view.hydration.room().await;
                scene.view.room.refused(&"the disk is full");
                scene.view.room.make().await;
                scene.view.room.freed().await;
            })
        });
        join_all(tasks).await.into_iter().for_each(|ended| ended.unwrap());
        scene.end().await;
    });
}
