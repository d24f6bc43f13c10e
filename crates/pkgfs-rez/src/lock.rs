//! Who holds rez's cache lock, from the name of the file it is linked to.
//!
//! `LockBase.__init__` (vendor/lockfile/__init__.py) names that file
//! `<host>-<thread>.<pid><hash(path)>`: the thread in hex, and after the dot the process id and a
//! 64-bit signed hash with nothing in between. A negative hash brings its own minus sign and the
//! process id is certain; otherwise every cut that leaves a possible id and a possible hash is given,
//! the likeliest first. Only when *all* candidates are dead is the owner known to be gone.

/// The greatest process id Linux gives (`PID_MAX_LIMIT`).
const PID_MAX: u32 = 4_194_304;

/// What the name of a lock's owner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockOwner {
    /// The host's name, as `socket.gethostname` gave it there.
    pub host: String,
    /// The lower 32 bits of the thread's identity.
    pub thread: u32,
    /// The process ids it can be, the likeliest first; never empty.
    pub pids: Vec<u32>,
}

impl LockOwner {
    /// Reads the name of a lock owner's file; `None` for any other name.
    pub fn parse(name: &str) -> Option<Self> {
        let (owner, number) = name.rsplit_once('.')?;
        let (host, thread) = owner.rsplit_once('-')?;
        let spelled_as_python_does = !thread.is_empty()
            && thread.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
            && (thread == "0" || !thread.starts_with('0'));
        if host.is_empty() || host.contains('/') || !spelled_as_python_does {
            return None;
        }
        let thread = u32::from_str_radix(thread, 16).ok()?;
        let pids = match number.split_once('-') {
            Some((pid, hash)) => {
                // i64::MIN is a possible hash, so the magnitude may be one more than i64::MAX.
                let hash = decimal(hash).filter(|hash| (1..=1 << 63).contains(hash));
                vec![hash.and_then(|_| self::pid(pid))?]
            }
            None => candidates(number),
        };
        (!pids.is_empty()).then(|| Self { host: host.to_owned(), thread, pids })
    }

    /// Whether the process id is beyond doubt.
    pub fn is_certain(&self) -> bool {
        self.pids.len() == 1
    }
}

/// Every cut of `digits` into a process id and a hash from 0 to `i64::MAX`. Nearly all hashes have 18
/// or 19 digits, so the shortest id (the longest hash) comes first.
fn candidates(digits: &str) -> Vec<u32> {
    if !digits.is_ascii() {
        return Vec::new();
    }
    (1..digits.len())
        .take(7)
        .filter_map(|cut| {
            let (id, hash) = digits.split_at(cut);
            decimal(hash).filter(|hash| i64::try_from(*hash).is_ok())?;
            pid(id)
        })
        .collect()
}

fn pid(digits: &str) -> Option<u32> {
    decimal(digits)
        .and_then(|pid| u32::try_from(pid).ok())
        .filter(|pid| (1..=PID_MAX).contains(pid))
}

/// A number as Python prints it: digits only, no leading zero.
fn decimal(digits: &str) -> Option<u64> {
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'));
    plain.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_hash_leaves_no_doubt() {
        let owner =
            LockOwner::parse("node-07.farm.example-7f3a1b40.4242-1234567890123456789").unwrap();
        assert_eq!(
            owner,
            LockOwner {
                host: "node-07.farm.example".into(),
                thread: 0x7f3a_1b40,
                pids: vec![4242]
            }
        );
        assert!(owner.is_certain());
    }

    #[test]
    fn a_positive_hash_gives_every_process_it_can_be() {
        let owner = LockOwner::parse("ws1-1f.42421234567890123456789").unwrap();
        assert!(owner.pids.contains(&4242), "{owner:?}");
        assert!(!owner.is_certain());
        // One digit of the id moved into the hash would overflow 64 bits here.
        assert_eq!(LockOwner::parse("ws1-1f.42429223372036854775807").unwrap().pids[0], 4242);
    }

    #[test]
    fn other_names_are_no_lock_owners() {
        for name in [
            "",
            ".lock.lock",
            "log",
            "a-b",
            "h-1f.",
            "h-1f.x",
            "h-.12",
            "-1f.123",
            "h-1F.123",
            "h-1f.0123",
            "h-01.123",
        ] {
            assert_eq!(LockOwner::parse(name), None, "{name}");
        }
    }
}
