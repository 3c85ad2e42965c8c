//! Where a later reply may be sent: only to Slack, otherwise the listener would be an open relay.

/// The hosts of Slack's and `GovSlack`'s response URLs
/// (<https://docs.slack.dev/interactivity/handling-user-interaction#message_responses>).
const SLACK_ORIGINS: [&str; 2] = ["https://hooks.slack.com/", "https://hooks.slack-gov.com/"];

/// Whether a `response_url` leads to Slack, or to the server that `api_url` names (a stand-in on this machine).
///
/// The whole origin is compared as text, so a user, a port, another scheme or a longer host name never passes; nor
/// does anything that a URL parser could read differently.
pub(crate) fn leads_to_slack(response_url: &str, api_url: &str) -> bool {
    let is_plain = response_url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let own = origin(api_url).is_some_and(|origin| response_url.starts_with(origin));
    is_plain && (own || SLACK_ORIGINS.iter().any(|origin| response_url.starts_with(origin)))
}

/// `scheme://authority/`.
fn origin(url: &str) -> Option<&str> {
    let authority = url.find("://")? + 3;
    let end = authority + url[authority..].find('/')?;
    (end > authority).then(|| &url[..=end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_slack_and_the_configured_server_are_answered() {
        const API: &str = "https://slack.com/api/";
        const LOCAL: &str = "http://127.0.0.1:8123/api/";
        for (url, api, expected) in [
            ("https://hooks.slack.com/actions/A/1/x", API, true),
            ("https://hooks.slack-gov.com/commands/1", API, true),
            ("http://127.0.0.1:8123/response/1", LOCAL, true),
            ("http://hooks.slack.com/actions/A", API, false),
            ("https://hooks.slack.com.evil.example/", API, false),
            ("https://hooks.slack.com@evil.example/", API, false),
            ("https://hooks.slack.com:8443/", API, false),
            ("https://hooks.slack.com\\@evil.example/", API, false),
            ("https://hooks.slack.com", API, false),
            ("https://hooks.slack.com/a\r\nHost: b", API, false),
            ("https://evil.example/https://hooks.slack.com/", API, false),
            ("http://127.0.0.1:8123@evil/", LOCAL, false),
            ("http://127.0.0.1:81234/", LOCAL, false),
            ("http://169.254.169.254/latest/meta-data/", LOCAL, false),
            ("https://127.0.0.1:8123/", LOCAL, false),
            ("///", "no url", false),
            ("", "", false),
        ] {
            assert_eq!(leads_to_slack(url, api), expected, "{url}");
        }
    }
}
