//! The cases that do not apply, as `docs/posix.md` lists them: a table a suite, a row a reason.

use std::fs;
use std::path::Path;

use super::Area;

/// What is excluded of a suite.
pub(super) struct Excluded(Vec<Row>);

struct Row {
    areas: Vec<Area>,
    /// Names, each with at most one `*`.
    cases: Vec<String>,
}

impl Excluded {
    /// Reads what the document says of this suite, in the section of that name.
    pub(super) fn of(suite: &str) -> Self {
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/posix.md");
        let text = fs::read_to_string(document).unwrap();
        let heading = format!("## {suite}\n");
        let (_, section) = text.split_once(&heading).expect("docs/posix.md has no such section");
        let section = section.split("\n## ").next().unwrap();
        let rows = section.lines().filter(|line| line.starts_with("| `")).map(Row::parse);
        Self(rows.collect())
    }

    pub(super) fn covers(&self, area: Area, case: &str) -> bool {
        self.0.iter().any(|row| row.covers(area, case))
    }

    /// What is excluded in this area and matches none of what failed.
    pub(super) fn idle(&self, area: Area, failed: &[String]) -> Vec<&str> {
        let rows = self.0.iter().filter(|row| row.areas.contains(&area));
        let cases = rows.flat_map(|row| &row.cases);
        cases.filter(|case| !failed.iter().any(|it| matches(case, it))).map(|it| &**it).collect()
    }
}

impl Row {
    /// `` | `case`, `case` | where | reason | ``
    fn parse(line: &str) -> Self {
        let cells: Vec<_> = line.split('|').map(str::trim).collect();
        let [_, cases, place, reason, _] = cells[..] else { panic!("not three cells: {line}") };
        assert!(!reason.is_empty(), "no reason: {line}");
        let areas = match place {
            "both" => vec![Area::Sys, Area::Copy],
            "`.sys`" => vec![Area::Sys],
            "copies" => vec![Area::Copy],
            _ => panic!("where is that: {line}"),
        };
        Self { areas, cases: cases.split('`').skip(1).step_by(2).map(str::to_owned).collect() }
    }

    fn covers(&self, area: Area, case: &str) -> bool {
        self.areas.contains(&area) && self.cases.iter().any(|pattern| matches(pattern, case))
    }
}

fn matches(pattern: &str, case: &str) -> bool {
    pattern.split_once('*').map_or(pattern == case, |(begin, end)| {
        case.len() >= begin.len() + end.len() && case.starts_with(begin) && case.ends_with(end)
    })
}
