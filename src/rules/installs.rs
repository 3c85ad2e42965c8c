//! Which of two copies of an installation counts, where nodes share an outbox: the database's row or a node's own file.
//!
//! The row does, as each change is made there first; its version tells, so no clock is asked. The file is newer where the
//! database forgot changes (a failover to a standby that lacked them, a backup), or took none while the leader renewed the
//! tokens. Then the file's is offered again, as it may have the only refresh token that Slack still takes.

use crate::state_dir::installation::Install;

/// The copy that counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newest {
    /// Both are the same.
    Both,
    Row,
    File,
}

/// Compares the two.
///
/// Of one installation the greater version counts, and between two of one version the row: of two leaders that both renewed
/// the tokens, the one whose renewal is in the row wins, and the other node takes it over. Where somebody installed the app
/// anew the versions alone don't tell whether the database forgot that or the file missed it; then the file's must be the
/// later installation, too, by the clocks of those who installed.
pub(crate) fn newest(row: Option<&Install>, file: Option<&Install>) -> Newest {
    let (row, file) = match (row, file) {
        (row, file) if row == file => return Newest::Both,
        (Some(_), None) => return Newest::Row,
        (None, _) => return Newest::File,
        (Some(row), Some(file)) => (row, file),
    };
    let is_same = row.team_id == file.team_id && row.installed_at == file.installed_at;
    let is_ahead = file.version > row.version && (is_same || file.installed_at > row.installed_at);
    if is_ahead { Newest::File } else { Newest::Row }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::secret::Secret;

    fn copy(version: i64, installed_at: i64, refresh: &str) -> Install {
        let text = r#"{"bot_token": "xoxb-1", "team_id": "T1", "installed_at": 0}"#;
        let refresh_token = Some(Secret::new(refresh.to_owned()));
        Install { refresh_token, installed_at, version, ..Install::from_text(text).unwrap() }
    }

    #[test]
    fn the_row_counts_unless_the_database_forgot_what_the_file_has() {
        let some = copy(3, 1000, "a");
        assert_eq!(newest(None, None), Newest::Both);
        assert_eq!(newest(Some(&some), Some(&some)), Newest::Both);
        assert_eq!(newest(Some(&some), None), Newest::Row);
        assert_eq!(newest(None, Some(&some)), Newest::File, "from before there was a database");
        assert_eq!(newest(Some(&copy(4, 1000, "b")), Some(&some)), Newest::Row, "renewed at another node");
        assert_eq!(
            newest(Some(&copy(4, 900, "b")), Some(&some)),
            Newest::Row,
            "installed anew, whatever the clocks say"
        );
        assert_eq!(newest(Some(&some), Some(&copy(4, 1000, "b"))), Newest::File, "a renewal that was forgotten");
        assert_eq!(newest(Some(&some), Some(&copy(4, 1100, "b"))), Newest::File, "an installation that was forgotten");
        assert_eq!(newest(Some(&some), Some(&copy(9, 900, "b"))), Newest::Row, "an older installation");
        assert_eq!(newest(Some(&some), Some(&copy(3, 1000, "b"))), Newest::Row, "of two renewals the row's");
        let other = Install { team_id: "T2".into(), ..copy(4, 1000, "b") };
        assert_eq!(newest(Some(&some), Some(&other)), Newest::Row);
    }
}
