//! Settings: their layers, where each came from, and what is said about mistakes.
// Mounts through FUSE, users by number and signals: tests/windows.rs is for the other side.
#![cfg(unix)]
#![allow(clippy::unwrap_used, missing_docs)]

mod support;

use std::fs;

use support::{Place, ran};

fn shown(place: &Place, arguments: &[&str], variables: &[(&str, &str)]) -> serde_json::Value {
    let mut all = vec!["config", "--json"];
    all.extend(arguments);
    let output = place.command(&all).envs(variables.iter().copied()).output().unwrap();
    serde_json::from_str(&ran(output).good().out).unwrap()
}

fn system(place: &Place, toml: &str) -> String {
    fs::create_dir_all(place.at("system/pkgfs")).unwrap();
    fs::write(place.at("system/pkgfs/config.toml"), toml).unwrap();
    place.at("system/pkgfs/config.toml").to_str().unwrap().to_owned()
}

#[test]
fn each_layer_goes_over_the_one_before_and_is_named() {
    let place = Place::new();
    let user = place.at("config/pkgfs/config.toml");
    let user = user.to_str().unwrap();
    let system = system(
        &place,
        "threads = 1\nfreshness_minutes = 1\nstore = '/s'\n[origin]\nparallel = 1\ndeadline_seconds = 1\n",
    );
    place.configure("freshness_minutes = 2\nstore = '/u'\n[origin]\nparallel = 2\n");
    let variables = [
        ("PKGFS_STORE", "/v"),
        ("PKGFS_ORIGIN_PARALLEL", "3"),
        ("PKGFS_REPOSITORIES", "/a:/b"),
        ("PKGFS_ORIGIN_KEEP_ACLS", "true"),
    ];
    let config = shown(&place, &["--store", "f", "--allow-other"], &variables);
    let entry = |key: &str| (config[key]["value"].clone(), config[key]["from"].as_str().unwrap());
    assert_eq!(entry("threads"), (1.into(), &*system));
    assert_eq!(entry("origin.deadline_seconds"), (1.into(), &*system));
    assert_eq!(entry("freshness_minutes"), (2.into(), user));
    assert_eq!(entry("origin.parallel"), (3.into(), "PKGFS_ORIGIN_PARALLEL"));
    assert_eq!(entry("repositories").0, serde_json::json!(["/a", "/b"]));
    assert_eq!(entry("store"), (place.at("f").to_str().unwrap().into(), "--store"));
    assert_eq!(entry("allow_other"), (true.into(), "--allow-other"));
    assert_eq!(entry("origin.keep_acls"), (true.into(), "PKGFS_ORIGIN_KEEP_ACLS"));
    assert_eq!(entry("registration.on_lookup"), (true.into(), "default"));
}

#[test]
fn a_file_that_is_named_takes_the_place_of_the_users() {
    let place = Place::new();
    place.configure("threads = 5\n");
    fs::write(place.at("other.toml"), "freshness_minutes = 7\n").unwrap();
    let other = place.at("other.toml").to_str().unwrap().to_owned();
    for (arguments, variables) in
        [(vec!["--config", &*other], vec![]), (vec![], vec![("PKGFS_CONFIG", &*other)])]
    {
        let config = shown(&place, &arguments, &variables);
        assert_eq!(config["freshness_minutes"]["value"], 7);
        assert_eq!(config["threads"]["from"], "default");
    }
    place
        .run(&["config", "--config", "missing.toml"])
        .refused(&["missing.toml", "correct the path"]);
}

#[test]
fn what_config_prints_is_a_configuration() {
    let place = Place::new();
    let printed = place.run(&["config", "--repo", "repo"]).good().out;
    fs::write(place.at("printed.toml"), &printed).unwrap();
    let again = shown(&place, &["--config", "printed.toml"], &[]);
    let repository = place.at("repo").to_str().unwrap().to_owned();
    assert_eq!(again["repositories"]["value"], serde_json::json!([repository]));
    assert_eq!(again["repositories"]["from"], "printed.toml");
}

#[test]
fn an_unknown_key_is_an_error_that_names_the_file_and_the_nearest_key() {
    let place = Place::new();
    let file = place.at("config/pkgfs/config.toml");
    for (toml, unknown, nearest) in [
        ("stroe = '/x'", "`stroe`", "`store`"),
        ("[origin]\nparalel = 3", "`origin.paralel`", "`origin.parallel`"),
        ("[orgin]\nparallel = 3", "`orgin.parallel`", "`origin.parallel`"),
        ("on_lookup = true", "`on_lookup`", "`registration.on_lookup`"),
        ("[registrations]", "`registrations`", "`registration."),
    ] {
        place.configure(toml);
        place.run(&["config"]).refused(&[file.to_str().unwrap(), unknown, nearest]);
        // Every command reads it, not only the one that shows it.
        place.mount(&[]).refused(&[unknown, nearest]);
    }
}

#[test]
fn an_unknown_variable_is_an_error_that_names_the_nearest() {
    let place = Place::new();
    let output = place.command(&["config"]).env("PKGFS_ORIGIN_PARALEL", "1").output().unwrap();
    ran(output).refused(&["PKGFS_ORIGIN_PARALEL", "did you mean PKGFS_ORIGIN_PARALLEL?"]);
}

#[test]
fn a_wrong_value_is_blamed_on_the_layer_that_brought_it() {
    let place = Place::new();
    let file = place.at("config/pkgfs/config.toml");
    let file = file.to_str().unwrap();
    for (toml, words) in [
        ("threads = 'many'", [file, "threads"]),
        ("threads = -1", [file, "threads"]),
        ("repositories = 3", [file, "repositories"]),
        ("store = 'relative'", [file, "must be an absolute path"]),
        ("repositories = ['a']", [file, "`repositories` must be an absolute path"]),
        ("threads = ", [file, "is not valid TOML"]),
    ] {
        place.configure(toml);
        place.run(&["config"]).refused(&words);
    }
    place.configure("");
    let output = place.command(&["config"]).env("PKGFS_ALLOW_OTHER", "maybe").output().unwrap();
    ran(output).refused(&["PKGFS_ALLOW_OTHER"]);
    let output = place.command(&["mount", "mnt"]).env("PKGFS_LOG_LEVEL", "a=b=c").output().unwrap();
    ran(output).refused(&["log_level", "use error, warn, info"]);
}

#[test]
fn a_path_may_begin_with_the_home_directory() {
    let place = Place::new();
    place.configure("store = '~/there'\n");
    let config = shown(&place, &[], &[]);
    assert_eq!(config["store"]["value"], place.at("home/there").to_str().unwrap());
}

#[test]
fn completions_and_man_page_come_from_the_flags() {
    let place = Place::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = place.run(&["completions", shell]).good().out;
        assert!(script.contains("allow-other") && script.contains("unmount"), "{shell}");
        assert!(!script.contains("origin-worker"), "{shell} completes a hidden command");
    }
    let page = place.run(&["man"]).good().out;
    for word in ["PKGFS UNMOUNT", "allow\\-other", "Exit codes"] {
        assert!(page.contains(word), "no {word} in {page}");
    }
}

#[test]
fn wrong_usage_exits_with_2() {
    let place = Place::new();
    assert_eq!(place.run(&["mount", "--no-such-flag"]).code, Some(2));
    assert_eq!(place.run(&["fly"]).code, Some(2));
}
