use proptest::{collection::vec, prelude::*};

use super::*;

fn item(path: &str, rank: u32) -> Item {
    Item { path: path.as_bytes().into(), size: 100, spans: Vec::new(), rank, missed: 0 }
}

/// A launch that touches these in this order.
fn launch(record: &mut Record, paths: &[&str]) {
    let touched = (0..).zip(paths).map(|(rank, path)| item(path, rank)).collect();
    record.merge(touched, |_| true);
}

fn paths(record: &Record) -> Vec<&str> {
    record.items().iter().map(|item| std::str::from_utf8(&item.path).unwrap()).collect()
}

#[test]
fn what_the_last_few_launches_did_not_touch_falls_out() {
    let mut record = Record::default();
    launch(&mut record, &["once", "a", "b"]);
    for _ in 1..FEW {
        launch(&mut record, &["b", "a"]);
    }
    assert_eq!(paths(&record), ["b", "once", "a"]);
    launch(&mut record, &["b", "a"]);
    assert_eq!(paths(&record), ["b", "a"]);
    assert_eq!(record.launches(), u32::from(FEW) + 1);
}

#[test]
fn a_touch_makes_all_misses_good() {
    let mut record = Record::default();
    for _ in 0..3 {
        launch(&mut record, &["a", "now and then"]);
        for _ in 1..FEW {
            launch(&mut record, &["a"]);
        }
    }
    assert_eq!(paths(&record), ["a", "now and then"]);
}

#[test]
fn programs_that_touch_little_take_four_times_as_many_launches() {
    let many: Vec<_> = (0..100).map(|number| format!("{number:03}")).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    let mut record = Record::default();
    launch(&mut record, &many);
    for _ in 1..4 * FEW {
        launch(&mut record, &["000"]);
    }
    assert_eq!(record.items().len(), 100);
    launch(&mut record, &["000"]);
    assert_eq!(paths(&record), ["000"]);
}

#[test]
fn what_would_not_have_shown_is_not_missed() {
    let mut record = Record::default();
    launch(&mut record, &["a", "in the page cache"]);
    for _ in 0..=FEW {
        record.merge(vec![item("a", 0)], |_| false);
    }
    assert_eq!(record.items().len(), 2);
}

#[test]
fn spans_of_a_file_that_grew_are_forgotten() {
    let mut record = Record::default();
    let read = |size, span| Item { size, spans: vec![span], ..item("library.so", 0) };
    record.merge(vec![read(100, 0..10)], |_| true);
    record.merge(vec![read(100, 50..60)], |_| true);
    assert_eq!(record.items()[0].spans, [0..10, 50..60]);
    record.merge(vec![read(200, 150..160)], |_| true);
    record.merge(vec![read(200, 170..180)], |_| true);
    assert_eq!(record.items()[0].spans, [150..160, 170..180]);
}

#[test]
fn what_is_no_path_below_the_variant_is_left_out() {
    let wrong = ["", "/etc/passwd", "a//b", "../a", "a/..", "./a", "a/", "a\0b"];
    let items = wrong.iter().chain(&["a/b", "...", "a b"]).map(|path| item(path, 0));
    let record = Record::new(1, items.collect());
    assert_eq!(paths(&record), ["...", "a b", "a/b"]);
}

prop_compose! {
    fn any_item()(
        path in "[a-e]{1,2}(/[a-e]{1,2}){0,2}",
        size in 0..1_000u64,
        spans in vec((0..1_200u64, 0..300u64), 0..50),
        rank in 0..50u32,
        missed in any::<u8>(),
    ) -> Item {
        let spans = spans.into_iter().map(|(start, length)| start..start + length).collect();
        Item { path: path.into_bytes().into(), size, spans, rank, missed }
    }
}

fn is_bounded(record: &Record) -> Result<(), TestCaseError> {
    let items = record.items();
    let distinct: HashSet<_> = items.iter().map(|item| &item.path).collect();
    prop_assert_eq!(distinct.len(), items.len());
    prop_assert!(items.len() <= MOST_ITEMS);
    prop_assert!(items.iter().map(|item| item.path.len()).sum::<usize>() <= MOST_NAMES);
    prop_assert!(items.windows(2).all(|pair| pair[0].rank <= pair[1].rank));
    for item in items {
        prop_assert!(item.missed < FEW * WHOLE);
        prop_assert!(item.spans.len() <= MOST_SPANS);
        prop_assert!(item.spans.windows(2).all(|pair| pair[0].end < pair[1].start));
        prop_assert!(item.spans.iter().all(|span| span.start < span.end && span.end <= item.size));
    }
    Ok(())
}

proptest! {
    #[test]
    fn any_launches_leave_a_record_within_its_bounds_that_holds_the_last_one(
        launches in vec((vec(any_item(), 0..40), any::<bool>()), 1..8),
    ) {
        let mut record = Record::default();
        for (touched, shows) in launches {
            record.merge(touched.clone(), |_| shows);
            is_bounded(&record)?;
            for item in touched {
                let kept = record.items().iter().find(|kept| kept.path == item.path);
                prop_assert!(kept.is_some_and(|kept| kept.missed == 0), "{item:?}");
            }
        }
        prop_assert_eq!(Record::decode(&record.encode()).unwrap(), record);
    }

    #[test]
    fn what_was_read_stays_covered_however_many_spans_there_were(
        spans in vec((0..1_000_000u64, 1..500u64), 0..200),
    ) {
        let spans: Vec<_> = spans.into_iter().map(|(start, length)| start..start + length).collect();
        let merged = union(&spans, &[]);
        prop_assert!(merged.len() <= MOST_SPANS);
        for span in spans {
            prop_assert!(merged.iter().any(|one| one.start <= span.start && span.end <= one.end));
        }
    }

    #[test]
    fn thousands_of_long_names_are_held_to_the_bounds(length in 1..400usize, count in 0..6_000u32) {
        let name = |number| format!("{number:05}{}", "n".repeat(length));
        let items = (0..count).map(|number| item(&name(number), number)).collect();
        let record = Record::new(1, items);
        is_bounded(&record)?;
        let most = MOST_ITEMS.min(MOST_NAMES / (length + 5)).min(count as usize);
        prop_assert_eq!(record.items().len(), most);
        prop_assert!((0..).zip(record.items()).all(|(rank, item)| item.rank == rank));
    }

    #[test]
    fn any_bytes_are_a_record_within_its_bounds_or_none(bytes in vec(any::<u8>(), 0..200)) {
        if let Ok(record) = Record::decode(&[&[VERSION], &bytes[..]].concat()) {
            is_bounded(&record)?;
        }
    }
}
