//! Columns that fit the terminal: the widest give way first, and what is cut says so with `…`.

use unicode_width::UnicodeWidthStr;

/// No column is made narrower than this.
const NARROW: usize = 8;
const GAP: usize = 2;

/// A column's head.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    is_number: bool,
}

/// A column of text.
pub(crate) const fn text_column(title: &'static str) -> Column {
    Column { title, is_number: false }
}

/// A column that is read from its right end.
pub(crate) const fn number_column(title: &'static str) -> Column {
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
        Self { columns, widths: columns.iter().map(|column| column.title.width()).collect() }
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
            *width = (*width).max(cell.width());
        }
    }

    /// Narrows it to so many columns of the terminal.
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
            let padding = " ".repeat(width.saturating_sub(cell.width()));
            line.push_str(&if column.is_number { padding + &cell } else { cell + &padding });
            line.push_str("  ");
        }
        line.trim_end().to_owned()
    }
}

/// The text in so many columns of a terminal; an ideograph or an emoji takes two.
pub(crate) fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if kept.width() > width.saturating_sub(1) {
            kept.pop();
            break;
        }
    }
    kept.push('…');
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [number_column("ID"), text_column("STATE"), text_column("WHAT")];

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
        let wide = row(["9", "dead", "ディスク"]);
        table.measure(&wide);
        assert_eq!(table.line(&wide).width(), table.line(&row(["9", "dead", "12345678"])).width());
        assert_eq!(cut("ディスク", 6), "ディ…");
        table.fit(3);
        assert_eq!(lines(&table)[1], "   7  dead     PROBLEM…", "too narrow for anything: still readable");
    }
}
