//! Files by Slack's external upload (<https://docs.slack.dev/messaging/working-with-files#upload>): an address is asked for,
//! gets the bytes, and then the file is shown in a thread.

use super::Client;
use crate::model::outcome::Outcome;
use crate::model::slack_error::Reason;
use crate::slack::outcome::of_lookup;
use serde_json::json;
use std::time::Duration;

/// A file that Slack has, and that nobody sees yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Uploaded {
    id: String,
    title: String,
}

/// A picture to be uploaded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Picture<'a> {
    pub(crate) name: &'a str,
    pub(crate) title: &'a str,
    /// For who can't see it.
    pub(crate) text: &'a str,
    pub(crate) png: &'a [u8],
}

/// How much of the text for who can't see it Slack takes.
const TEXT_MAX: usize = 1000;

impl Client {
    /// Uploads a picture; nobody sees it before [`Self::show_file`].
    pub(crate) fn upload(&self, picture: &Picture<'_>, budget: Duration) -> Result<Uploaded, Outcome> {
        let method = "files.getUploadURLExternal";
        let (length, text) = (picture.png.len().to_string(), picture.text.chars().take(TEXT_MAX).collect::<String>());
        // It takes no JSON.
        let form = [("filename", picture.name), ("length", length.as_str()), ("alt_txt", text.as_str())];
        let answer = self.patiently(method, || {
            let request = self.limits(budget)?.of(self.posting(method));
            Self::read(|| request.send_form(form)).and_then(|answer| of_lookup(&answer))
        })?;
        let (url, id) =
            (answer["upload_url"].as_str().unwrap_or_default(), answer["file_id"].as_str().unwrap_or_default());
        if !self.is_slacks(url) || id.is_empty() {
            return Err(Outcome::MessageNever { reason: "Slack's answer has no address to upload to".into() });
        }
        // The address is the right: no token goes there.
        let request = self.agent.post(url).header("Content-Type", "application/octet-stream").config();
        let request = request.timeout_global(Some(budget.min(self.integration.timeout))).build();
        let answer = Self::read(|| request.send(picture.png))?;
        match answer.status {
            200 => Ok(Uploaded { id: id.to_owned(), title: picture.title.to_owned() }),
            status => {
                let reason = Reason::from(format!("the upload was answered with {status}"));
                Err(Outcome::MessageNever { reason })
            }
        }
    }

    /// Shows an uploaded file in a thread. It is a message of the channel.
    pub(crate) fn show_file(
        &self,
        file: &Uploaded,
        (channel, thread): (&str, &str),
        budget: Duration,
    ) -> Result<(), Outcome> {
        let files = json!([{ "id": file.id, "title": file.title }]);
        let arguments = json!({ "files": files, "channel_id": channel, "thread_ts": thread });
        self.call("files.completeUploadExternal", &arguments, budget).map(drop)
    }

    /// Whether an address is https, or of the server that plays Slack on this machine.
    fn is_slacks(&self, url: &str) -> bool {
        let origin = |url: &str| url.split('/').take(3).collect::<Vec<_>>().join("/");
        url.starts_with("https://") || origin(url) == origin(&self.integration.api_url)
    }
}
