//! Lock owners: the names that rez's `LockFile` makes are read back.

use pkgfs_rez::LockOwner;
use serde_json::json;

use crate::oracle::ask;

#[test]
fn the_owner_of_a_lock_is_read_from_the_name_rez_gives_it() {
    let paths: Vec<_> = (0..500).map(|number| format!("/cache/{number}/.sys/.lock")).collect();
    let answer = ask("locks", json!(paths));
    let pid = u32::try_from(answer["pid"].as_u64().unwrap()).unwrap();
    let (mut certain, mut first) = (0, 0);
    for path in answer["names"].as_array().unwrap() {
        let name = path.as_str().unwrap().rsplit('/').next().unwrap();
        let owner = LockOwner::parse(name).unwrap_or_else(|| panic!("{name} is not understood"));
        assert_eq!(json!(owner.host), answer["host"], "{name}");
        assert_eq!(json!(owner.thread), answer["thread"], "{name}");
        assert!(owner.pids.contains(&pid), "{name}: {pid} is not among {:?}", owner.pids);
        certain += usize::from(owner.is_certain());
        first += usize::from(owner.pids[0] == pid);
    }
    // Half the hashes are negative, and they leave no doubt.
    assert!(certain > 150, "only {certain} of 500 owners are certain");
    assert!(first >= certain, "{first} of 500 are named first, {certain} are certain");
}
