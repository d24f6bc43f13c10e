//! Ranges of versions as rez reads, merges and prints them (`VersionRange`, `_VersionRangeParser` in
//! version/_version.py).

use std::cmp::Ordering;
use std::fmt;

use super::version::Version;

/// One or more bounds, disjoint and in order.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Range(Vec<Bound>);

/// The versions between two ends.
#[derive(Clone, Debug, PartialEq)]
struct Bound {
    lower: Lower,
    /// `None` is no end.
    upper: Option<Upper>,
}

#[derive(Clone, Debug, PartialEq)]
struct Lower {
    version: Version,
    inclusive: bool,
}

#[derive(Clone, Debug, PartialEq)]
struct Upper {
    version: Version,
    inclusive: bool,
}

impl Range {
    /// Reads a range; `None` where rez refuses it.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bounds = Vec::new();
        let mut any = false;
        for part in text.split('|') {
            if part.is_empty() {
                // An empty part makes it any version, but what follows must be right all the same.
                any = true;
            } else if any {
                syntax(part)?;
            } else {
                bounds.push(syntax(part)?.bound()?);
            }
        }
        Some(if any { Self(vec![Bound::any()]) } else { Self(union(bounds)) })
    }

    pub(super) fn holds(&self, version: &Version) -> bool {
        self.0.iter().any(|Bound { lower, upper }| {
            let after = match version.cmp(&lower.version) {
                Ordering::Less => false,
                Ordering::Equal => lower.inclusive,
                Ordering::Greater => true,
            };
            after
                && upper.as_ref().is_none_or(|upper| match version.cmp(&upper.version) {
                    Ordering::Less => true,
                    Ordering::Equal => upper.inclusive,
                    Ordering::Greater => false,
                })
        })
    }

    pub(super) fn is_any(&self) -> bool {
        self.0 == [Bound::any()]
    }

    /// All versions that are not in it; `None` where rez finds no such range.
    pub(super) fn inverse(&self) -> Option<Self> {
        let mut lowers = vec![None];
        let mut uppers = Vec::new();
        for Bound { lower, upper } in &self.0 {
            let starts = lower.version.is_empty() && lower.inclusive;
            uppers.push(
                (!starts)
                    .then(|| Upper { version: lower.version.clone(), inclusive: !lower.inclusive }),
            );
            lowers.push(upper.as_ref().map(|upper| Lower {
                version: upper.version.clone(),
                inclusive: !upper.inclusive,
            }));
        }
        uppers.push(None);
        let between = lowers.into_iter().zip(uppers);
        let bounds: Option<Vec<_>> = between
            .filter(|(lower, upper)| lower.is_some() || upper.is_some())
            .map(|(lower, upper)| Bound::new(lower.unwrap_or_else(Lower::least), upper))
            .collect();
        bounds.filter(|bounds| !bounds.is_empty()).map(Self)
    }
}

/// `VersionRange._union`: sorted, and those that touch made one.
fn union(mut bounds: Vec<Bound>) -> Vec<Bound> {
    bounds.sort_by(Bound::order);
    let mut merged: Vec<Bound> = Vec::new();
    // Whether the bound before, not the merged one, included its end.
    let mut before_inclusive = false;
    for bound in bounds {
        let inclusive = bound.upper.as_ref().is_none_or(|upper| upper.inclusive);
        match merged.last_mut() {
            Some(last) if !last.ends_before(&bound.lower, before_inclusive) => {
                if Upper::order(last.upper.as_ref(), bound.upper.as_ref()).is_lt() {
                    last.upper = bound.upper;
                }
            }
            _ => merged.push(bound),
        }
        before_inclusive = inclusive;
    }
    merged
}

impl Bound {
    fn any() -> Self {
        Self { lower: Lower::least(), upper: None }
    }

    /// `None` where nothing lies between the ends, which rez refuses.
    fn new(lower: Lower, upper: Option<Upper>) -> Option<Self> {
        if let Some(upper) = &upper {
            let both = lower.inclusive && upper.inclusive;
            let refused = match lower.version.cmp(&upper.version) {
                Ordering::Less => false,
                Ordering::Equal => !both,
                Ordering::Greater => true,
            };
            // Below the empty version there is none.
            if refused || (upper.version.is_empty() && !upper.inclusive) {
                return None;
            }
        }
        Some(Self { lower, upper })
    }

    fn order(&self, other: &Self) -> Ordering {
        let lower = self.lower.version.cmp(&other.lower.version);
        lower
            .then(other.lower.inclusive.cmp(&self.lower.inclusive))
            .then_with(|| Upper::order(self.upper.as_ref(), other.upper.as_ref()))
    }

    fn ends_before(&self, lower: &Lower, before_inclusive: bool) -> bool {
        self.upper.as_ref().is_some_and(|upper| match lower.version.cmp(&upper.version) {
            Ordering::Greater => true,
            Ordering::Equal => !lower.inclusive && !before_inclusive,
            Ordering::Less => false,
        })
    }
}

impl Lower {
    fn least() -> Self {
        Self { version: Version::empty(), inclusive: true }
    }
}

impl Upper {
    fn order(left: Option<&Self>, right: Option<&Self>) -> Ordering {
        match (left, right) {
            (Some(left), Some(right)) => {
                left.version.cmp(&right.version).then(left.inclusive.cmp(&right.inclusive))
            }
            (left, right) => left.is_none().cmp(&right.is_none()),
        }
    }
}

/// A part between `|`, as it is written.
enum Syntax {
    /// `V`: all versions that begin with it.
    Within(Version),
    /// `==V`
    Exactly(Version),
    Between(Lower, Option<Upper>),
}

impl Syntax {
    fn bound(self) -> Option<Bound> {
        match self {
            Self::Within(version) => {
                let upper = Upper { version: version.next(), inclusive: false };
                Bound::new(Lower { version, inclusive: true }, Some(upper))
            }
            Self::Exactly(version) => {
                let upper = Upper { version: version.clone(), inclusive: true };
                Bound::new(Lower { version, inclusive: true }, Some(upper))
            }
            Self::Between(lower, upper) => Bound::new(lower, upper),
        }
    }
}

/// The alternatives in rez's order; a version that is left out is the empty one.
fn syntax(part: &str) -> Option<Syntax> {
    // A line break at the end of a part counts for nothing: `$` of rez's pattern stands before it.
    let part = part.strip_suffix('\n').filter(|rest| !rest.is_empty()).unwrap_or(part);
    if let (Some(version), "") = Version::take(part) {
        return Some(Syntax::Within(version));
    }
    if let Some(exact) = part.strip_prefix("==") {
        return whole(exact).map(Syntax::Exactly);
    }
    inclusive(part)
        .or_else(|| lower(part))
        .or_else(|| upper(part).map(|upper| Syntax::Between(Lower::least(), Some(upper))))
        .or_else(|| ascending(part))
        .or_else(|| descending(part))
}

/// A version or nothing, to the end.
fn whole(text: &str) -> Option<Version> {
    let (version, rest) = Version::take(text);
    rest.is_empty().then(|| version.unwrap_or_else(Version::empty))
}

/// `A..B`
fn inclusive(part: &str) -> Option<Syntax> {
    let (from, rest) = Version::take(part);
    let to = whole(rest.strip_prefix("..")?)?;
    let lower = Lower { version: from.unwrap_or_else(Version::empty), inclusive: true };
    Some(Syntax::Between(lower, Some(Upper { version: to, inclusive: true })))
}

/// `>A`, `>=A`, `A+`
fn lower(part: &str) -> Option<Syntax> {
    let lower = if let Some(rest) = part.strip_prefix(">=") {
        Lower { version: whole(rest)?, inclusive: true }
    } else if let Some(rest) = part.strip_prefix('>') {
        Lower { version: whole(rest)?, inclusive: false }
    } else {
        Lower { version: whole(part.strip_suffix('+')?)?, inclusive: true }
    };
    Some(Syntax::Between(lower, None))
}

/// `<A`, `<=A`
fn upper(part: &str) -> Option<Upper> {
    if let Some(rest) = part.strip_prefix("<=") {
        return Some(Upper { version: whole(rest)?, inclusive: true });
    }
    let version = whole(part.strip_prefix('<')?)?;
    (!version.is_empty()).then_some(Upper { version, inclusive: false })
}

/// `A+<B`, `>A<=B`, with or without a comma between
fn ascending(part: &str) -> Option<Syntax> {
    let (inclusive, marked, rest) = match (part.strip_prefix(">="), part.strip_prefix('>')) {
        (Some(rest), _) => (true, true, rest),
        (None, Some(rest)) => (false, true, rest),
        (None, None) => (true, false, part),
    };
    let (version, mut rest) = Version::take(rest);
    if !marked {
        rest = rest.strip_prefix('+').unwrap_or(rest);
    }
    if version.is_some() {
        rest = rest.strip_prefix(',').unwrap_or(rest);
    }
    let lower = Lower { version: version.unwrap_or_else(Version::empty), inclusive };
    Some(Syntax::Between(lower, Some(upper(rest)?)))
}

/// `<B,>A`, `<=B,>=A`; a lower end after `<` is taken for an inclusive one
fn descending(part: &str) -> Option<Syntax> {
    let (inclusive, marked, rest) = match (part.strip_prefix("<="), part.strip_prefix('<')) {
        (Some(rest), _) => (true, true, rest),
        (None, Some(rest)) => (false, true, rest),
        (None, None) => (true, false, part),
    };
    let (version, mut rest) = Version::take(rest);
    if !marked {
        rest = rest.strip_prefix('+').unwrap_or(rest);
    }
    if version.is_some() {
        rest = rest.strip_prefix(',')?;
    }
    let upper = Upper { version: version.unwrap_or_else(Version::empty), inclusive };
    let lower = if let Some(rest) = rest.strip_prefix(">=") {
        Lower { version: whole(rest)?, inclusive: true }
    } else if let Some(rest) = rest.strip_prefix('>') {
        Lower { version: whole(rest)?, inclusive: false }
    } else {
        let version = whole(rest.strip_prefix('<')?)?;
        if version.is_empty() {
            return None;
        }
        Lower { version, inclusive: true }
    };
    Some(Syntax::Between(lower, Some(upper)))
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, bound) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "|" };
            write!(f, "{separator}{bound}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lower, upper } = self;
        let Some(upper) = upper else { return write!(f, "{lower}") };
        if lower.version == upper.version {
            return write!(f, "=={}", lower.version);
        }
        match (lower.inclusive, upper.inclusive) {
            (true, true) if lower.version.is_empty() => write!(f, "<={}", upper.version),
            (true, true) => write!(f, "{}..{}", lower.version, upper.version),
            (true, false) if !lower.version.is_empty() && lower.version.next() == upper.version => {
                write!(f, "{}", lower.version)
            }
            _ => write!(f, "{lower}{upper}"),
        }
    }
}

impl fmt::Display for Lower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.version.is_empty(), self.inclusive) {
            (true, true) => Ok(()),
            (false, true) => write!(f, "{}+", self.version),
            (_, false) => write!(f, ">{}", self.version),
        }
    }
}

impl fmt::Display for Upper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.inclusive { "<=" } else { "<" }, self.version)
    }
}
