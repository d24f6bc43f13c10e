//! Without fork: processes that are made ready ahead of the questions.

use pkgfs_rez_worker::RezError;

use crate::scene::{Scene, VERSIONS, eventually};

const STRAY: &str = "import subprocess\nsubprocess.Popen(['setsid', 'sh', '-c', 'sleep 1000 &'])\n";

#[tokio::test]
async fn each_question_has_a_process_of_its_own() {
    for version in VERSIONS {
        let scene = Scene::without_fork(version);
        for round in 0..3 {
            // What one leaves in its process is not there for the next.
            let told = scene
                .ask_of("import os\nname = 'asked'\ndescription = os.environ.get('LEFT', 'none')\nassert description == 'none'\nos.environ['LEFT'] = 'something'\n")
                .await;
            assert_eq!(told.unwrap().name, "asked", "{round}");
        }
        let error = scene.ask_of("raise ValueError('no use')\n").await.unwrap_err();
        assert!(matches!(&error, RezError::Raised(said) if said.contains("no use")), "{error}");
        let status = scene.worker.status();
        assert_eq!((status.started, status.version.as_deref()), (1, Some(version)));
        scene.end().await;
    }
}

#[tokio::test]
async fn a_definition_that_does_not_end_is_ended_with_all_it_started() {
    let scene = Scene::without_fork(VERSIONS[0]);
    for endless in ["while True:\n    pass\n", "import time\ntime.sleep(1000)\n"] {
        let error = scene.ask_of(&format!("{STRAY}{endless}")).await.unwrap_err();
        assert!(matches!(error, RezError::TimedOut { .. }), "{endless}: {error}");
        let sleeps = || scene.processes().iter().any(|(_, line)| line.starts_with("sleep"));
        eventually("what it started is gone", || !sleeps());
        assert!(scene.ask_of("name = 'asked'\n").await.is_ok(), "{endless}");
    }
    let status = scene.worker.status();
    assert_eq!((status.timed_out, status.started), (2, 1));
    scene.end().await;
}

#[tokio::test]
async fn what_a_definition_started_ends_with_the_answer() {
    let scene = Scene::without_fork(VERSIONS[0]);
    for definition in [STRAY, "import os, time\nif os.fork() == 0:\n    time.sleep(1000)\n"] {
        assert!(scene.ask_of(definition).await.is_ok(), "{definition}");
        // rez-python, the Python that it starts, and the process for the next question.
        eventually("only the worker runs", || scene.processes().len() == 3);
    }
    scene.end().await;
}

#[tokio::test]
async fn a_definition_that_ends_its_process_ends_no_more_than_that() {
    let scene = Scene::without_fork(VERSIONS[0]);
    for definition in ["import os\nos._exit(0)\n", "import os\nos.kill(os.getpid(), 9)\n"] {
        let error = scene.ask_of(definition).await.unwrap_err();
        assert_eq!(error, RezError::Died, "{definition}");
        assert!(scene.ask_of("name = 'asked'\n").await.is_ok(), "{definition}");
    }
    assert_eq!(scene.worker.status().started, 1);
    scene.end().await;
}

#[tokio::test]
async fn a_command_that_is_no_rez_is_an_error_that_names_it() {
    let worker = pkgfs_rez_worker::RezWorker::without_fork(pkgfs_rez_worker::RezWorkerSettings {
        command: vec!["python3".to_owned(), "-S".to_owned()],
        deadline: std::time::Duration::from_secs(1),
    });
    let error = worker.package("/", "any", None).await.unwrap_err();
    let RezError::Start { reason, .. } = &error else { panic!("{error}") };
    assert!(reason.contains("it ended"), "{error}");
}
