//! Listings under way.
//!
//! When a program begins to list a directory, what there is to list is taken down once, in the order of
//! Windows; each of ProjFS's calls then takes as much of it as fits and the next goes on there. The
//! expression of the search holds from the first call on, until ProjFS begins anew
//! (PRJ_GET_DIRECTORY_ENUMERATION_CB).

use std::{collections::HashMap, sync::Arc};

use parking_lot::Mutex;

use crate::{
    codes::Win32,
    names::{Rules, Wide},
    placeholder::Basic,
};

/// The number of a listing under way: a GUID as ProjFS gives it.
pub(crate) type Session = [u8; 16];

/// A name in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) name: Wide,
    pub(crate) basic: Basic,
}

/// Takes items for the program that lists (`PrjFillDirEntryBuffer`).
pub(crate) trait Buffer {
    /// [`Win32::INSUFFICIENT_BUFFER`]: this one does not fit.
    fn add(&mut self, item: &Item) -> Result<(), Win32>;
}

/// How ProjFS asks for more.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Asked {
    /// `PRJ_CB_DATA_FLAG_ENUM_RESTART_SCAN`
    pub(crate) restart: bool,
    /// `PRJ_CB_DATA_FLAG_ENUM_RETURN_SINGLE_ENTRY`
    pub(crate) single: bool,
}

/// All listings under way.
#[derive(Default)]
pub(crate) struct Enumerations(Mutex<HashMap<Session, Arc<Mutex<Listing>>>>);

struct Listing {
    items: Vec<Item>,
    next: usize,
    /// Of the search, once one was told; nothing means all.
    expression: Option<Wide>,
}

impl Enumerations {
    /// A program begins to list these, which must be in the order of Windows.
    pub(crate) fn start(&self, session: Session, items: Vec<Item>) {
        let listing = Listing { items, next: 0, expression: None };
        self.0.lock().insert(session, Arc::new(Mutex::new(listing)));
    }

    /// Fills a buffer with what comes next.
    pub(crate) fn next(
        &self,
        session: &Session,
        asked: Asked,
        expression: Option<&[u16]>,
        rules: &dyn Rules,
        buffer: &mut dyn Buffer,
    ) -> Result<(), Win32> {
        let listing = self.0.lock().get(session).cloned().ok_or(Win32::INVALID_PARAMETER)?;
        let mut listing = listing.lock();
        if asked.restart || listing.expression.is_none() {
            listing.expression = Some(expression.unwrap_or_default().into());
            listing.next = 0;
        }
        let mut taken = 0;
        while let Some(item) = listing.items.get(listing.next) {
            let wanted = listing.expression.as_deref().unwrap_or_default();
            if wanted.is_empty() || rules.matches(&item.name, wanted) {
                match buffer.add(item) {
                    Ok(()) => taken += 1,
                    // What does not fit comes first next time; where nothing fits, ProjFS must know.
                    Err(Win32::INSUFFICIENT_BUFFER) if taken > 0 => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
            listing.next += 1;
            if asked.single && taken > 0 {
                return Ok(());
            }
        }
        Ok(())
    }

    /// The program is done, or gone.
    pub(crate) fn end(&self, session: &Session) {
        self.0.lock().remove(session);
    }
}

/// Puts items into the order of Windows.
pub(crate) fn in_order(mut items: Vec<Item>, rules: &dyn Rules) -> Vec<Item> {
    items.sort_by(|one, other| rules.compare(&one.name, &other.name));
    items.dedup_by(|one, other| rules.compare(&one.name, &other.name).is_eq());
    items
}

#[cfg(test)]
mod tests {
    use pkgfs_view::Timestamp;

    use super::*;
    use crate::names::{Portable, wide};

    const ONE: Session = [1; 16];

    struct Small(Vec<String>, usize);

    impl Buffer for Small {
        fn add(&mut self, item: &Item) -> Result<(), Win32> {
            if self.0.len() == self.1 {
                return Err(Win32::INSUFFICIENT_BUFFER);
            }
            self.0.push(String::from_utf16(&item.name).unwrap());
            Ok(())
        }
    }

    fn listing(names: &[&str]) -> Enumerations {
        let item = |name: &&str| Item {
            name: wide(name),
            basic: Basic::directory(Timestamp { secs: 0, nanos: 0 }),
        };
        let enumerations = Enumerations::default();
        let items = in_order(names.iter().map(item).collect(), &Portable);
        enumerations.start(ONE, items);
        enumerations
    }

    fn asks(listing: &Enumerations, asked: Asked, expression: &str, room: usize) -> Vec<String> {
        let mut buffer = Small(Vec::new(), room);
        let expression = wide(expression);
        listing.next(&ONE, asked, Some(&expression), &Portable, &mut buffer).unwrap();
        buffer.0
    }

    const MORE: Asked = Asked { restart: false, single: false };

    #[test]
    fn a_listing_goes_on_where_the_buffer_was_full() {
        let listing = listing(&["c", "A", "b", "e", "D"]);
        assert_eq!(asks(&listing, MORE, "", 2), ["A", "b"]);
        assert_eq!(asks(&listing, MORE, "", 2), ["c", "D"]);
        assert_eq!(asks(&listing, MORE, "", 2), ["e"]);
        assert_eq!(asks(&listing, MORE, "", 2), [""; 0]);
    }

    #[test]
    fn a_buffer_that_holds_nothing_is_told_of() {
        let listing = listing(&["a"]);
        let mut buffer = Small(Vec::new(), 0);
        let answer = listing.next(&ONE, MORE, None, &Portable, &mut buffer);
        assert_eq!(answer, Err(Win32::INSUFFICIENT_BUFFER));
        assert_eq!(asks(&listing, MORE, "", 1), ["a"]);
    }

    #[test]
    fn the_first_expression_holds_until_the_listing_begins_anew() {
        let listing = listing(&["a.py", "b.txt", "c.py"]);
        assert_eq!(asks(&listing, MORE, "*.py", 1), ["a.py"]);
        assert_eq!(asks(&listing, MORE, "*.txt", 9), ["c.py"]);
        let anew = Asked { restart: true, single: false };
        assert_eq!(asks(&listing, anew, "*.txt", 9), ["b.txt"]);
    }

    #[test]
    fn one_at_a_time_is_one() {
        let listing = listing(&["a", "b"]);
        let single = Asked { restart: false, single: true };
        assert_eq!(asks(&listing, single, "*", 9), ["a"]);
        assert_eq!(asks(&listing, single, "*", 9), ["b"]);
    }

    #[test]
    fn a_listing_that_has_ended_is_not_known() {
        let listing = listing(&["a"]);
        listing.end(&ONE);
        let mut buffer = Small(Vec::new(), 9);
        let answer = listing.next(&ONE, MORE, None, &Portable, &mut buffer);
        assert_eq!(answer, Err(Win32::INVALID_PARAMETER));
    }
}
