//! Message metadata. <https://docs.slack.dev/messaging/message-metadata/>

use serde_json::Value;

/// Slack's word for what is wrong with it, if anything: it is `{event_type, event_payload}`, the payload flat.
pub(in super::super) fn metadata_error(metadata: &Value) -> Option<&'static str> {
    let Some(fields) = metadata.as_object() else { return Some("invalid_metadata_format") };
    let named = fields.get("event_type").and_then(Value::as_str).is_some_and(|name| !name.is_empty());
    let payload = fields.get("event_payload").and_then(Value::as_object);
    let flat = payload.is_some_and(|payload| payload.values().all(|value| !value.is_object() && !value.is_null()));
    let extra = fields.keys().any(|name| name != "event_type" && name != "event_payload");
    (!named || !flat || extra).then_some("invalid_metadata_schema")
}
