//! Changes of an input: what a damaged disk, a careless tool or a hostile user makes of it.

use proptest::{prelude::*, sample::Index};

/// No changed input grows beyond this.
const LONGEST: usize = 96 << 10;

/// Bytes that mean something to a parser here.
const PIECES: &[&[u8]] = &[
    b"\0",
    b"/",
    b"..",
    b"../",
    b".",
    b"\n",
    b"\r\n",
    b"\xff",
    b"\x80",
    b"\xff\xff\xff\xff\x0f",
    b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
    b"[",
    b"]",
    b"{",
    b"}",
    b"{}",
    b"[]",
    b"\"",
    b"\\",
    b"\\u0000",
    b"\\udc80",
    b":",
    b",",
    b"0,",
    b"null",
    b"true",
    b"-1",
    b"1e999",
    b"18446744073709551616",
    b"'",
    b"'''",
    b"(",
    b")",
    b"#",
    b"=",
    b"&a ",
    b"*a",
    b"!!python/object:os.system ",
    b"- ",
    b"? ",
    b"|",
    b">",
    b"---\n",
    b"<<: ",
    b"@",
    b"<",
    b"!",
    b"~",
    b"if x:\n ",
    b"lambda: ",
    b"f'{",
    b"\xe2\x80\xa8",
];

/// One change.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Flip(Index, u8),
    Put(Index, &'static [u8]),
    Cut(Index, u8),
    Truncate(Index),
    Copy(Index, u8, Index),
    Repeat(Index, u8, u16),
    Join(Index, Index),
}

impl Arbitrary for Change {
    type Parameters = ();
    type Strategy = BoxedStrategy<Self>;

    fn arbitrary_with((): ()) -> Self::Strategy {
        let at = any::<Index>;
        prop_oneof![
            4 => (at(), 1..=255u8).prop_map(|(at, bits)| Self::Flip(at, bits)),
            6 => (at(), prop::sample::select(PIECES)).prop_map(|(at, piece)| Self::Put(at, piece)),
            3 => (at(), any::<u8>()).prop_map(|(at, length)| Self::Cut(at, length)),
            1 => at().prop_map(Self::Truncate),
            3 => (at(), any::<u8>(), at()).prop_map(|(from, length, to)| Self::Copy(from, length, to)),
            1 => (at(), 1..40u8, any::<u16>()).prop_map(|(at, length, times)| Self::Repeat(at, length, times)),
            1 => (at(), at()).prop_map(|(seed, at)| Self::Join(seed, at)),
        ]
        .boxed()
    }
}

impl Change {
    /// Makes the change, to an input of a target with these seeds.
    pub(super) fn apply(&self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let length = input.len();
        let place = |at: &Index| at.index(length + 1);
        let range = |at: &Index, most: u8| {
            let start = place(at);
            start..length.min(start + usize::from(most))
        };
        match self {
            Self::Flip(at, bits) => {
                if let Some(byte) = input.get_mut(place(at)) {
                    *byte ^= bits;
                }
            }
            Self::Put(at, piece) => drop(input.splice(place(at)..place(at), piece.iter().copied())),
            Self::Cut(at, most) => drop(input.drain(range(at, *most))),
            Self::Truncate(at) => input.truncate(place(at)),
            Self::Copy(from, most, to) => {
                let copied = input[range(from, *most)].to_vec();
                drop(input.splice(place(to)..place(to), copied));
            }
            Self::Repeat(at, most, times) => {
                let repeated = range(at, *most);
                let room = LONGEST.saturating_sub(length) / repeated.len().max(1);
                let copies = input[repeated.clone()].repeat(usize::from(*times).min(room));
                drop(input.splice(repeated.end..repeated.end, copies));
            }
            Self::Join(seed, at) => {
                let other = &seeds[seed.index(seeds.len())];
                drop(input.splice(place(at).., other.iter().copied()));
            }
        }
        input.truncate(LONGEST);
    }
}
