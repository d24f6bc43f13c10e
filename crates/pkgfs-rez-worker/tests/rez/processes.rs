//! Definitions that do not end, end too much, or leave something; commands that are no rez.

use std::{fs, os::unix::fs::PermissionsExt as _};

use pkgfs_rez_worker::RezError;

use crate::scene::{Scene, VERSIONS, eventually};

/// Starts a process that leaves the group, and its parent.
const STRAY: &str = "import subprocess\nsubprocess.Popen(['setsid', 'sh', '-c', 'sleep 1000 &'])\n";

#[tokio::test]
async fn a_definition_that_does_not_end_is_ended_with_all_it_started() {
    for version in VERSIONS {
        let scene = Scene::new(version);
        assert!(scene.ask_of("name = 'asked'\n").await.is_ok());
        for endless in [
            "while True:\n    pass\n",
            // Holds Python's lock, so that no other thread of its process runs.
            "sum(range(10 ** 15))\n",
            "import time\ntime.sleep(1000)\n",
            "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\n\
             while True:\n    time.sleep(1)\n",
            "import subprocess\nsubprocess.call(['sleep', '1000'])\n",
        ] {
            let error = scene.ask_of(&format!("{STRAY}{endless}")).await.unwrap_err();
            assert!(matches!(error, RezError::TimedOut { .. }), "{endless}: {error}");
            assert!(scene.ask_of("name = 'asked'\n").await.is_ok(), "{endless}");
            let sleeps = || scene.processes().iter().any(|(_, line)| line.starts_with("sleep"));
            eventually("what it started is gone", || !sleeps());
        }
        let status = scene.worker.status();
        assert_eq!((status.timed_out, status.started), (5, 1));
        scene.end().await;
    }
}

#[tokio::test]
async fn what_a_definition_started_ends_with_the_answer() {
    let scene = Scene::new(VERSIONS[0]);
    for definition in [
        STRAY,
        "import os, time\nif os.fork() == 0:\n    time.sleep(1000)\n",
        "import os, time\nif os.fork() == 0:\n    os.setsid()\n    time.sleep(1000)\n",
    ] {
        assert!(scene.ask_of(definition).await.is_ok(), "{definition}");
        // rez-python, and the Python that it starts.
        eventually("only the worker runs", || scene.processes().len() == 2);
    }
    scene.end().await;
}

#[tokio::test]
async fn a_definition_that_ends_its_process_ends_no_more_than_that() {
    let scene = Scene::new(VERSIONS[0]);
    for definition in [
        "import os\nos._exit(0)\n",
        "import os\nos.kill(os.getpid(), 9)\n",
        "import os\nos.abort()\n",
        "import os\nos.closerange(3, 100)\n",
    ] {
        let error = scene.ask_of(definition).await.unwrap_err();
        assert_eq!(error, RezError::Died, "{definition}");
        assert!(scene.ask_of("name = 'asked'\n").await.is_ok(), "{definition}");
    }
    assert_eq!(scene.worker.status().started, 1);
    scene.end().await;
}

#[tokio::test]
async fn a_process_that_somebody_killed_is_replaced_and_nobody_notices() {
    let scene = Scene::new(VERSIONS[0]);
    for round in 1..=3 {
        assert!(scene.ask_of("name = 'asked'\n").await.is_ok());
        assert_eq!(scene.worker.status().started, round);
        for (pid, _) in scene.processes() {
            let pid = rustix::process::Pid::from_raw(pid.cast_signed()).unwrap();
            // rez-python ends with the Python that it started.
            let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
        }
        eventually("they are gone", || scene.processes().is_empty());
    }
    scene.end().await;
}

#[tokio::test]
async fn a_command_that_is_no_rez_is_an_error_that_names_it() {
    let not_executable = tempfile::NamedTempFile::new().unwrap();
    let permissions = fs::Permissions::from_mode(0o644);
    fs::set_permissions(not_executable.path(), permissions).unwrap();
    for (command, expected) in [
        (&["/no/such/rez-python"][..], "it ended"),
        (&[not_executable.path().to_str().unwrap()], "it ended"),
        (&["true"], "it ended"),
        (&["python3", "-S"], "it ended"),
        (&["echo", "hello"], "no Python that has rez"),
        (&["sh", "-c", "echo '{}'; sleep 1000"], "no Python that has rez"),
    ] {
        let scene = Scene::with(command);
        let error = scene.ask("any").await.unwrap_err();
        let RezError::Start { command: shown, reason } = &error else { panic!("{error}") };
        assert!(shown.ends_with(&command.join(" ")) && reason.contains(expected), "{error}");
        assert_eq!(scene.worker.status().started, 0);
        scene.end().await;
    }
    let missing = pkgfs_rez_worker::RezWorker::new(pkgfs_rez_worker::RezWorkerSettings {
        command: vec!["/no/such/rez-python".to_owned()],
        deadline: std::time::Duration::from_secs(1),
    });
    let error = missing.package("/", "any", None).await.unwrap_err().to_string();
    assert!(error.contains("/no/such/rez-python") && error.contains("No such file"), "{error}");
}

#[tokio::test]
async fn a_command_that_fails_is_not_run_for_every_question() {
    let scene = Scene::with(&["sh", "-c", "echo >> \"$HOME/started\"; exit 1"]);
    for _ in 0..20 {
        assert!(matches!(scene.ask("any").await, Err(RezError::Start { .. })));
    }
    let started = scene.repository().with_file_name("started");
    assert_eq!(fs::read_to_string(started).unwrap().lines().count(), 1);
    scene.end().await;
}

#[tokio::test]
async fn nobody_waits_for_others_longer_than_the_deadline() {
    let scene = Scene::new(VERSIONS[0]);
    assert!(scene.ask_of("name = 'asked'\n").await.is_ok());
    scene.define("endless", "while True:\n    pass\n");
    let (worker, location) = (&scene.worker, scene.location());
    let ask = async || worker.package(&location, "endless", Some("1")).await;
    let (first, second, third) = tokio::join!(ask(), ask(), ask());
    let late = |answer: &Result<_, RezError>| match answer {
        Err(RezError::TimedOut { .. } | RezError::Busy { .. }) => true,
        Err(_) | Ok(_) => false,
    };
    assert!(late(&first) && late(&second) && late(&third), "{first:?} {second:?} {third:?}");
    assert!(scene.ask_of("name = 'asked'\n").await.is_ok());
    scene.end().await;
}
