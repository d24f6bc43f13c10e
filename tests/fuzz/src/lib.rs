//! What must hold of every parser, whatever it is given.
//!
//! A [`Target`] reads bytes that a stranger could have written and checks what came of them: no
//! panic; what was read is read again from its own spelling; what was decoded keeps the rules of its
//! type; and no more memory is taken than so many bytes for each byte of input. The same targets are
//! driven in two ways: by `tests/inputs.rs` in every test run, from the inputs in `seeds/` and
//! changes of them, and by libFuzzer, guided by coverage, for as long as `cargo xtask fuzz` is told.
//!
//! An input that was found to break a target goes into `seeds/<target>/`, named after what it broke.

mod targets;

/// One parser, or a few that read the same input.
#[derive(Debug)]
pub struct Target {
    /// Its name, that of its directory in `seeds/`, too.
    pub name: &'static str,
    /// Bytes that may be taken at once for each byte of input.
    taken: u64,
    read: fn(&[u8]) -> bool,
}

/// Bytes that any input may take: caches, tables, and what libraries take by the block.
const AT_ONCE: u64 = 3 << 20;

/// All targets.
pub const TARGETS: &[Target] = &[
    // Trees of `serde_json` take 32 bytes for a value of two (`0,`), and as much again while they grow.
    Target { name: "registration", taken: 160, read: targets::rez::registration },
    Target { name: "context", taken: 160, read: targets::rez::context },
    Target { name: "rez-settings", taken: 160, read: targets::rez::settings },
    Target { name: "names", taken: 400, read: targets::rez::names },
    // The nodes of a syntax tree: hundreds of bytes for a token.
    Target { name: "package-py", taken: 2_000, read: targets::rez::python },
    Target { name: "package-yaml", taken: 2_000, read: targets::rez::yaml },
    Target { name: "listing", taken: 64, read: targets::stored::listing },
    Target { name: "profile", taken: 400, read: targets::stored::profile },
    Target { name: "index", taken: 400, read: targets::stored::index },
    Target { name: "frame", taken: 400, read: targets::said::frame },
    Target { name: "control", taken: 400, read: targets::said::control },
    Target { name: "import", taken: 400, read: targets::said::import },
    Target { name: "configuration", taken: 2_000, read: targets::configuration },
];

impl Target {
    /// Reads an input and checks all that must hold. Tells whether there was something in it, or
    /// it was refused.
    ///
    /// # Panics
    /// Where something does not hold.
    pub fn check(&self, input: &[u8]) -> bool {
        let mut was_read = false;
        let taken = allocation_counter::measure(|| was_read = (self.read)(input)).bytes_max;
        let most = AT_ONCE + self.taken * input.len() as u64;
        let name = self.name;
        assert!(taken <= most, "{name}: {} bytes took {taken}, more than {most}", input.len());
        was_read
    }
}
