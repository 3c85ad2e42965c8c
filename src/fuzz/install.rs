//! What a browser brings back from Slack, and what Slack gives for it.

use super::{NOW, files};

/// The browser that has begun an installation.
const BROWSER: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A line with the query (`STATE` stands for the one that the browser was given), one with the cookies, and Slack's
/// answer: nobody is believed who didn't begin.
pub fn install(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.splitn(3, '\n');
    let mut line = || lines.next().unwrap_or_default();
    let (query, cookies, answer) = (line(), line(), line());
    if let Some(integration) = crate::listen::oauth::believed(query, cookies, BROWSER, NOW) {
        assert_eq!(integration, "ops.2", "another integration than the one it began with");
        assert!(query.contains("STATE") && cookies.contains(BROWSER), "a stranger is believed");
    }
    if let Ok(install) = crate::slack::oauth::read(&serde_json::from_str(answer).unwrap_or_default(), NOW) {
        assert!(!install.team_name.contains(char::is_control), "{:?}", install.team_name);
    }
    drop(crate::state_dir::installation::read(&files::written("install.json", answer.as_bytes())));
}
