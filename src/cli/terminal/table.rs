//! Columns that fit the terminal: the widest give way first, and what is cut says so with `…`.

/// No column is made narrower than this.
const NARROW: usize = 8;
const GAP: usize = 2;

/// A column's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    is_number: bool,
}

/// A column of words.
pub(crate) const fn words(title: &'static str) -> Column {
    Column { title, is_number: false }
}

/// A column that is read from its right end.
pub(crate) const fn numbers(title: &'static str) -> Column {
    Column { title, is_number: true }
}

/// A table whose columns are as wide as they must be, and together as wide as they may be.
#[derive(Debug)]
pub(crate) struct Table {
    columns: &'static [Column],
    widths: Vec<usize>,
}

impl Table {
    pub(crate) fn new(columns: &'static [Column]) -> Self {
        Self { columns, widths: columns.iter().map(|column| chars(column.title)).collect() }
    }

    /// With room for these rows, within the terminal's width if there is one.
    pub(crate) fn of(columns: &'static [Column], rows: &[Vec<String>], width: Option<usize>) -> Self {
        let mut table = Self::new(columns);
        for row in rows {
            table.measure(row);
        }
        if let Some(width) = width {
            table.fit(width);
        }
        table
    }

    /// Makes room for a row.
    pub(crate) fn measure(&mut self, cells: &[String]) {
        for (width, cell) in self.widths.iter_mut().zip(cells) {
            *width = (*width).max(chars(cell));
        }
    }

    /// Narrows it to so many characters.
    pub(crate) fn fit(&mut self, width: usize) {
        let room = width.saturating_sub(GAP * self.widths.len().saturating_sub(1));
        for own in &mut self.widths {
            *own = (*own).min(room.max(NARROW));
        }
        while self.widths.iter().sum::<usize>() > room {
            let Some(widest) = self.widths.iter_mut().max().filter(|widest| **widest > NARROW) else { return };
            *widest -= 1;
        }
    }

    /// The line of titles.
    pub(crate) fn head(&self) -> String {
        self.line(&self.columns.iter().map(|column| column.title.to_owned()).collect::<Vec<_>>())
    }

    pub(crate) fn line(&self, cells: &[String]) -> String {
        let mut line = String::new();
        for ((cell, column), &width) in cells.iter().zip(self.columns).zip(&self.widths) {
            let cell = cut(cell, width);
            let padded = if column.is_number { format!("{cell:>width$}") } else { format!("{cell:<width$}") };
            line.push_str(&padded);
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    }
}

/// The text in so many characters.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if chars(text) <= width {
        return text.to_owned();
    }
    text.chars().take(width.saturating_sub(1)).chain(['…']).collect()
}

fn chars(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [numbers("ID"), words("STATE"), words("WHAT")];

    fn row(cells: [&str; 3]) -> Vec<String> {
        cells.map(str::to_owned).to_vec()
    }

    #[test]
    fn the_widest_column_gives_way_and_says_so() {
        let rows = [row(["7", "dead", "PROBLEM CRITICAL Disk on web01"]), row(["1234", "waiting", "é"])];
        let mut table = Table::of(&COLUMNS, &rows, None);
        let lines = |table: &Table| [table.head(), table.line(&rows[0]), table.line(&rows[1])];
        let whole = lines(&table);
        assert_eq!(whole, ["  ID  STATE    WHAT", "   7  dead     PROBLEM CRITICAL Disk on web01", "1234  waiting  é"]);
        table.fit(40);
        assert_eq!(lines(&table)[1], "   7  dead     PROBLEM CRITICAL Disk on…");
        assert_eq!(lines(&table)[1].chars().count(), 40);
        table.fit(3);
        assert_eq!(lines(&table)[1], "   7  dead     PROBLEM…", "too narrow for anything: still readable");
    }
}
