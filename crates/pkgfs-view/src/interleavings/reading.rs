//! Readers of the same file: each gets its bytes, storage is asked once, nobody is forgotten.

use futures::future::join_all;

use super::{
    Scene, check,
    scene::{LARGE, OPENER, SMALL},
};
use crate::{RestOfLargeFiles, hydration::Need, node::Node, payload::Payloads};

#[test]
fn readers_of_a_small_file_share_one_fetch_and_have_its_bytes() {
    check(async |ground| {
        let scene = Scene::new(ground, &[SMALL]);
        let readers = (0..3).map(|_| {
            let scene = scene.clone();
            tokio::spawn(async move { scene.read(0, &[0..SMALL, 500..600]).await })
        });
        let committing = {
            let scene = scene.clone();
            tokio::spawn(async move { scene.view.hydration.committed().await })
        };
        let content = scene.content(0, 0, SMALL);
        for read in join_all(readers).await {
            assert_eq!(read.unwrap(), Ok(vec![content.to_vec(), content[500..600].to_vec()]));
        }
        committing.await.unwrap();
        assert_eq!(scene.storage.asked("f0"), 1);
        scene.end().await;
    });
}

#[test]
fn readers_of_a_large_file_share_one_fetch_and_have_the_parts_they_ask_for() {
    check(async |ground| {
        let scene = Scene::new(ground, &[LARGE]);
        let parts = [0..10, LARGE - 10..LARGE, LARGE - 1010..LARGE - 990];
        let readers = parts.clone().map(|part| {
            let scene = scene.clone();
            tokio::spawn(async move { scene.read(0, &[part.clone(), 0..10, part]).await })
        });
        let whole = {
            let scene = scene.clone();
            tokio::spawn(async move {
                let directory = scene.view.payloads.by_id(scene.key(0).directory).unwrap();
                let wanted = Payloads::wanted(&directory, 0);
                scene.view.fetch(&wanted, Need::Whole).unwrap().outcome().await
            })
        };
        let content = scene.content(0, 0, LARGE);
        for (read, part) in join_all(readers).await.into_iter().zip(parts) {
            let [first, second, third] = &read.unwrap().unwrap()[..] else { unreachable!() };
            assert_eq!(*second, content[..10]);
            assert_eq!((first, third), (&content[part.clone()].to_vec(), &content[part].to_vec()));
        }
        assert_eq!(whole.await.unwrap(), Ok(()));
        scene.view.hydration.committed().await;
        assert!(scene.blob(0).is_some());
        assert_eq!(scene.storage.asked("f0"), 1);
        scene.end().await;
    });
}

#[test]
fn who_reads_what_was_let_go_has_it_fetched_again() {
    check(async |ground| {
        let scene = Scene::with(ground, &[LARGE], RestOfLargeFiles::Never, None);
        let readers = [0..10, LARGE - 10..LARGE].map(|part| {
            let scene = scene.clone();
            tokio::spawn(async move { (scene.read(0, std::slice::from_ref(&part)).await, part) })
        });
        let letting_go = {
            let scene = scene.clone();
            tokio::spawn(async move {
                scene.view.hydration.let_all_rest_go();
                tokio::task::yield_now().await;
                scene.view.hydration.let_all_rest_go();
            })
        };
        let content = scene.content(0, 0, LARGE);
        for read in join_all(readers).await {
            let (read, part) = read.unwrap();
            assert_eq!(read, Ok(vec![content[part].to_vec()]));
        }
        letting_go.await.unwrap();
        // It was let go twice at most, and each reader asked for what it waits for once.
        assert!(scene.storage.asked("f0") <= 3, "asked {} times", scene.storage.asked("f0"));
        scene.end().await;
    });
}

#[test]
fn a_failure_is_told_to_all_who_wait_and_the_next_reader_asks_again() {
    check(async |ground| {
        let scene = Scene::new(ground, &[SMALL, LARGE]);
        scene.storage.fail(2);
        let readers = [0, 1, 0, 1].map(|n| {
            let scene = scene.clone();
            tokio::spawn(async move { (scene.read(n, &[0..10]).await, n) })
        });
        for read in join_all(readers).await {
            let (read, n) = read.unwrap();
            if let Ok(read) = read {
                assert_eq!(read[0], scene.content(n, 0, 10)[..]);
            }
        }
        for n in [0, 1] {
            let read = scene.read(n, &[0..10]).await.unwrap();
            assert_eq!(read[0], scene.content(n, 0, 10)[..]);
        }
        let asked = scene.storage.asked("f0") + scene.storage.asked("f1");
        assert!(asked <= 4, "asked {asked} times for two files and two failures");
        scene.end().await;
    });
}

#[test]
fn a_reader_who_is_killed_holds_up_nobody() {
    check(async |ground| {
        let scene = Scene::with(ground, &[LARGE], RestOfLargeFiles::Never, None);
        let open = scene.view.open_file(Node::Entry(scene.key(0)).into(), false, OPENER).await;
        let open = open.unwrap();
        let killed = {
            let view = scene.view.clone();
            tokio::spawn(async move { view.read(open, 0, 10).await })
        };
        let reader = {
            let scene = scene.clone();
            tokio::spawn(async move { scene.read(0, &[LARGE - 10..LARGE, 0..10]).await })
        };
        killed.abort();
        let read = reader.await.unwrap().unwrap();
        let content = scene.content(0, 0, LARGE);
        assert_eq!(read, [content[LARGE - 10..].to_vec(), content[..10].to_vec()]);
        // Whether it came to its end or not.
        let _ = killed.await;
        scene.view.release(open);
        scene.end().await;
    });
}

#[test]
fn a_directory_is_listed_once_however_many_look_into_it() {
    check(async |ground| {
        let scene = Scene::new(ground, &[SMALL]);
        let place = || scene.root("below");
        let lookers = (0..3).map(|_| {
            let (payloads, place) = (scene.view.payloads.clone(), place());
            tokio::spawn(async move { payloads.directory(place).await.map(|listed| listed.id) })
        });
        let listed: Vec<_> =
            join_all(lookers).await.into_iter().map(|listed| listed.unwrap().unwrap()).collect();
        assert_eq!(listed, [listed[0]; 3]);
        assert_eq!(scene.storage.asked(""), 1);
        scene.end().await;
    });
}
