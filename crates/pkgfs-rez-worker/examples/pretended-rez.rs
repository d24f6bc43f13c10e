//! A program that tests start in the place of rez's Python: it says what it is asked to say. A
//! package named `late` is late, one named `dead` has ended its process, one named `end` ends this one, and to one named
//! `silent` nothing is said.

use std::io::{BufRead, Write};

use serde_json::{Value, json};

fn main() {
    let say = |told: Value| {
        let mut out = std::io::stdout().lock();
        _ = writeln!(out, "{told}").and_then(|()| out.flush());
    };
    say(json!({ "rez": "pretended" }));
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let Ok(asked) = serde_json::from_str::<Value>(&line) else { return };
        let name = asked["about"]["name"].as_str().unwrap_or_default();
        let id = &asked["id"];
        match name {
            "end" => return,
            "silent" => {}
            "late" => say(json!({ "id": id, "late": true })),
            "dead" => say(json!({ "id": id, "died": true })),
            "wrong" => say(json!({ "id": id, "error": "it is wrong" })),
            "none" => say(json!({ "id": id, "answer": null })),
            name => say(json!({ "id": id, "answer": {
                "name": name, "version": null, "location": asked["about"]["location"],
                "cachable": true, "local": false, "variants": [],
            } })),
        }
    }
}
