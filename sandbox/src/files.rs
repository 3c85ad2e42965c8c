//! Files by external upload: an address, the bytes, the thread that shows them.
//! <https://docs.slack.dev/messaging/working-with-files#upload>

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::journal::Message;
use super::respond::Exchange;
use super::state::State;
use super::web_api::{Call, Refusal, Reply};
use super::wire::{Answer, Request};

pub(super) const GET_URL: &str = "files.getUploadURLExternal";
pub(super) const COMPLETE: &str = "files.completeUploadExternal";
/// Where the bytes go.
pub(super) const UPLOAD_PATH: &str = "/upload/v1/";
/// <https://docs.slack.dev/reference/methods/files.getUploadURLExternal>
const ALT_MAX: usize = 1000;
/// How every PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The files, from the address on.
#[derive(Debug, Default)]
pub(super) struct Files {
    all: Vec<File>,
}

#[derive(Debug)]
struct File {
    id: String,
    name: String,
    length: usize,
    alt: String,
    bytes: Option<Vec<u8>>,
    is_shown: bool,
}

impl Files {
    /// What there is, for the tests.
    pub(super) fn json(&self) -> Value {
        let shown = |file: &File| {
            let bytes = file.bytes.as_ref().map(|bytes| BASE64_STANDARD.encode(bytes));
            json!({"id": file.id, "name": file.name, "alt_txt": file.alt, "bytes": bytes, "shown": file.is_shown})
        };
        self.all.iter().map(shown).collect()
    }

    /// The bytes of a shown picture.
    pub(super) fn picture(&self, id: &str) -> Option<&[u8]> {
        let file = self.all.iter().find(|file| file.id == id && file.is_shown)?;
        file.bytes.as_deref().filter(|bytes| bytes.starts_with(PNG))
    }

    /// What the page shows of a message's files.
    pub(super) fn shown(&self, files: &Value) -> Value {
        let of = |file: &Value| {
            let known = self.all.iter().find(|known| file["id"] == known.id.as_str())?;
            let is_picture = self.picture(&known.id).is_some();
            Some(json!({"id": known.id, "title": file["title"], "alt": known.alt, "is_picture": is_picture}))
        };
        files.as_array().into_iter().flatten().filter_map(of).collect()
    }
}

/// <https://docs.slack.dev/reference/methods/files.getUploadURLExternal>
pub(super) fn get_url(state: &mut State, call: &Call, exchange: &Exchange) -> Reply {
    let name = call.text("filename").ok_or_else(|| Refusal::missing("filename"))?.to_owned();
    let length = call.number("length").ok_or_else(|| Refusal::missing("length"))?;
    if length == 0 {
        return Err(Refusal::new("file_uploads_disabled"));
    }
    let alt = call.text("alt_txt").unwrap_or_default().to_owned();
    if alt.chars().count() > ALT_MAX {
        return Err(Refusal::new("alt_txt_too_large"));
    }
    let id = format!("F{:010X}", state.files.all.len() + 1);
    let url = format!("{}{UPLOAD_PATH}{id}", exchange.origin);
    state.files.all.push(File { id: id.clone(), name, length, alt, bytes: None, is_shown: false });
    Ok(json!({"upload_url": url, "file_id": id}))
}

/// Takes the bytes at the address that was given out.
pub(super) fn upload(state: &mut State, request: &Request, exchange: &Exchange) -> Answer {
    let id = request.path.trim_start_matches(UPLOAD_PATH);
    if request.header("authorization").is_some() {
        state.journal.violate(exchange.seq, "token_to_upload_url", "the address itself is the right");
    }
    let Some(file) = state.files.all.iter_mut().find(|file| file.id == id && file.bytes.is_none()) else {
        return Answer::text(404, "there is no such upload");
    };
    if request.method != "POST" || request.body.len() != file.length {
        let detail = format!("{} {} bytes of {}", request.method, request.body.len(), file.length);
        state.journal.violate(exchange.seq, "bad_upload", detail);
        return Answer::text(400, "that isn't the file");
    }
    file.bytes = Some(request.body.clone());
    Answer::text(200, &format!("OK - {}", file.length))
}

/// <https://docs.slack.dev/reference/methods/files.completeUploadExternal>
pub(super) fn complete(state: &mut State, call: &Call, exchange: &Exchange) -> Reply {
    let given = call.structure("files").map_err(|()| Refusal::new("invalid_arguments"))?;
    let given = given.ok_or_else(|| Refusal::missing("files"))?;
    let wanted: Vec<(&str, &str)> = given.as_array().map_or_else(Vec::new, |list| {
        list.iter().filter_map(|one| Some((one["id"].as_str()?, one["title"].as_str().unwrap_or_default()))).collect()
    });
    let is_there =
        |id: &str| state.files.all.iter().any(|file| file.id == id && file.bytes.is_some() && !file.is_shown);
    if wanted.is_empty() || !wanted.iter().all(|(id, _)| is_there(id)) {
        return Err(Refusal::new("file_not_found"));
    }
    let shown_in = channel_and_thread(state, call, exchange)?;
    let mut shown = Vec::new();
    for (id, title) in wanted {
        if let Some(file) = state.files.all.iter_mut().find(|file| file.id == id) {
            file.is_shown = true;
            shown.push(json!({"id": file.id, "title": title, "name": file.name}));
        }
    }
    if let Some((channel, thread_ts)) = shown_in {
        let ts = state.journal.next_ts(exchange.now_ms);
        let name = state.workspace.channel(&channel).map(|channel| channel.name.clone()).unwrap_or_default();
        state.journal.store(Message {
            received_ms: exchange.now_ms,
            channel,
            channel_name: name,
            ts,
            thread_ts,
            via: "web_api",
            raw: json!({"files": shown}),
            ..Message::default()
        });
    }
    Ok(json!({"files": shown}))
}

/// Where it is shown; the bot must be a member there. `None`: nowhere yet.
fn channel_and_thread(
    state: &mut State,
    call: &Call,
    exchange: &Exchange,
) -> Result<Option<(String, Option<String>)>, Refusal> {
    let Some(id) = call.text("channel_id") else { return Ok(None) };
    // A name isn't taken here.
    let channel = state.workspace.channel(id).cloned().ok_or_else(|| Refusal::new("channel_not_found"))?;
    if channel.archived {
        return Err(Refusal::new("is_archived"));
    }
    if !channel.member && !channel.is_direct() {
        return Err(Refusal::new("not_in_channel"));
    }
    if let Some(error) = &channel.refuses {
        return Err(Refusal::new(error));
    }
    let thread =
        super::chat::parent(state, &call.args["thread_ts"], &channel.id, exchange.seq).map_err(Refusal::new)?;
    Ok(Some((channel.id, thread)))
}
