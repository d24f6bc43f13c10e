//! A table whose rows come one by one.

use std::io::{self, Write};

/// The cells of a row.
pub(super) type Row = [String; COLUMNS.len()];

const COLUMNS: [&str; 7] = ["STATUS", "PACKAGE", "LOCAL", "USED", "URI", "PATH", "ORIGIN"];
/// These stay, however narrow the terminal is.
const LEAST_COLUMNS: usize = 2;
/// The first so many rows tell how wide columns are; one that is wider makes room for itself and
/// for those after it.
const MEASURED: usize = 1_000;

/// As many columns as fit, from the left; all of them where nobody says how wide.
pub(super) struct Table {
    width: Option<usize>,
    waiting: Vec<Row>,
    widths: [usize; COLUMNS.len()],
    /// How many columns fit, once that is known.
    columns: Option<usize>,
}

impl Table {
    pub(super) fn new(width: Option<usize>) -> Self {
        Self { width, waiting: Vec::new(), widths: COLUMNS.map(length), columns: None }
    }

    pub(super) fn add(&mut self, row: Row, out: &mut impl Write) -> io::Result<()> {
        for (width, cell) in self.widths.iter_mut().zip(&row) {
            *width = length(cell).max(*width);
        }
        match self.columns {
            Some(columns) => self.print(&row, columns, out),
            None => {
                self.waiting.push(row);
                if self.waiting.len() < MEASURED { Ok(()) } else { self.begin(out) }
            }
        }
    }

    pub(super) fn end(mut self, out: &mut impl Write) -> io::Result<()> {
        if self.columns.is_none() { self.begin(out) } else { Ok(()) }
    }

    fn begin(&mut self, out: &mut impl Write) -> io::Result<()> {
        let fits = |columns: &usize| {
            let wide = self.widths[..*columns].iter().sum::<usize>() + 2 * (columns - 1);
            self.width.is_none_or(|width| wide <= width)
        };
        let columns = (LEAST_COLUMNS..=COLUMNS.len()).rev().find(fits).unwrap_or(LEAST_COLUMNS);
        self.columns = Some(columns);
        self.print(&COLUMNS.map(str::to_owned), columns, out)?;
        std::mem::take(&mut self.waiting).iter().try_for_each(|row| self.print(row, columns, out))
    }

    fn print(&self, row: &Row, columns: usize, out: &mut impl Write) -> io::Result<()> {
        let mut line = String::new();
        for (cell, wide) in row[..columns].iter().zip(self.widths) {
            line.push_str(cell);
            line.extend(std::iter::repeat_n(' ', wide - length(cell) + 2));
        }
        writeln!(out, "{}", line.trim_end())
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(rows: &[Row], width: Option<usize>) -> Vec<String> {
        let (mut table, mut out) = (Table::new(width), Vec::new());
        rows.iter().for_each(|row| table.add(row.clone(), &mut out).unwrap());
        table.end(&mut out).unwrap();
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_table_has_the_columns_that_fit() {
        let row: Row = std::array::from_fn(|column| format!("{column}").repeat(12));
        let lines = |width| lines(std::slice::from_ref(&row), width);
        assert_eq!(lines(None)[0].split_whitespace().count(), 7);
        assert_eq!(lines(Some(12 * 7 + 2 * 6))[0].split_whitespace().count(), 7);
        let narrow = lines(Some(80));
        assert_eq!(narrow[0].split_whitespace().count(), 5);
        assert!(narrow.iter().all(|line| line.len() <= 80), "{narrow:?}");
        assert_eq!(lines(Some(3))[0].split_whitespace().count(), 2);
    }

    #[test]
    fn a_table_of_many_rows_has_each_once_and_in_columns() {
        let row = |n: usize| std::array::from_fn(|column| format!("{column}x{n:05}"));
        let rows: Vec<Row> = (0..MEASURED + 5).map(row).collect();
        let lines = lines(&rows, None);
        assert_eq!(lines.len(), rows.len() + 1);
        for (line, row) in lines[1..].iter().zip(&rows) {
            assert_eq!(line.split_whitespace().collect::<Vec<_>>(), *row);
        }
        let second = |line: &String| line.find("1x").unwrap();
        assert!(lines[1..].windows(2).all(|pair| second(&pair[0]) == second(&pair[1])));
    }
}
