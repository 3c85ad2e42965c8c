//! A row for every status, body and code that Slack documents.

use super::*;

fn class(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Delivered(_) => "delivered",
        Outcome::Wait { .. } => "wait",
        Outcome::Unsure { .. } => "unsure",
        Outcome::Temporary { slow: false, .. } => "retry",
        Outcome::Temporary { slow: true, .. } => "retry slowly",
        Outcome::Plain { .. } => "plain",
        Outcome::MessageNever { .. } => "message",
        Outcome::PostAnew { .. } => "anew",
        Outcome::DestinationNever { .. } => "destination",
        Outcome::TokenNever { .. } => "token",
    }
}

fn answer(status: u16, body: &str) -> Answer {
    Answer { status, retry_after: None, body: body.to_owned() }
}

#[test]
fn every_webhook_answer_has_its_class() {
    for (status, body, expected) in [
        (200, "ok", "delivered"),
        (200, "", "delivered"),
        (200, "okay, thanks", "delivered"),
        (200, "<!DOCTYPE html><title>Log in to the guest network</title>", "retry"),
        (400, "invalid_payload", "message"),
        (400, "no_text", "message"),
        (400, "invalid_blocks", "plain"),
        (400, "invalid_attachments", "plain"),
        (400, "too_many_attachments", "plain"),
        (400, "user_not_found", "destination"),
        (404, "channel_not_found", "destination"),
        (410, "channel_is_archived", "destination"),
        (403, "action_prohibited", "destination"),
        (403, "posting_to_general_channel_denied", "destination"),
        (404, "no_service", "token"),
        (404, "no_service_id", "token"),
        (404, "no_active_hooks", "token"),
        (403, "invalid_token", "token"),
        (404, "no_team", "token"),
        (404, "team_disabled", "token"),
        (500, "rollup_error", "retry"),
        (500, "<html>oops</html>", "retry"),
        (502, "", "retry"),
        (503, "", "retry"),
        (408, "", "retry"),
        (429, "rate_limited", "wait"),
        (301, "", "token"),
        (302, "", "token"),
        (307, "", "token"),
        (404, "something new", "retry slowly"),
        (418, "", "retry slowly"),
    ] {
        assert_eq!(class(&of_webhook(Flavor::Slack, &answer(status, body))), expected, "{status} {body}");
    }
}

#[test]
fn every_web_api_code_has_its_class() {
    for (codes, expected) in [
        ("ratelimited rate_limited", "wait"),
        (
            "service_unavailable internal_error fatal_error request_timeout update_failed external_channel_migrating",
            "retry",
        ),
        (
            "team_added_to_org org_login_required message_limit_exceeded never_heard_of free_team_not_allowed",
            "retry slowly",
        ),
        (
            "invalid_blocks invalid_blocks_format msg_blocks_too_long invalid_attachments too_many_attachments \
             attachment_payload_limit_exceeded invalid_metadata_format invalid_metadata_schema metadata_too_large \
             msg_too_long",
            "plain",
        ),
        ("no_text markdown_text_conflict invalid_arguments invalid_charset block_mismatch", "message"),
        (
            "message_not_found cant_update_message edit_window_closed cannot_reply_to_message thread_not_found \
             restricted_action_non_threadable_channel restricted_action_thread_locked",
            "anew",
        ),
        (
            "channel_not_found not_in_channel is_archived is_inactive restricted_action \
             restricted_action_read_only_channel restricted_action_thread_only_channel messages_tab_disabled \
             user_not_found users_not_found user_disabled not_enabled user_not_in_channel team_not_found",
            "destination",
        ),
        (
            "invalid_auth not_authed account_inactive token_revoked token_expired missing_scope \
             not_allowed_token_type no_permission team_access_not_granted two_factor_setup_required \
             ekm_access_denied accesslimited invalid_code code_already_used bad_redirect_uri bad_client_secret \
             invalid_client_id invalid_refresh_token invalid_grant_type oauth_authorization_url_mismatch",
            "token",
        ),
    ] {
        for code in codes.split_whitespace() {
            let outcome = of_web_api(&answer(200, &format!(r#"{{"ok":false,"error":"{code}"}}"#)));
            assert_eq!(class(&outcome), expected, "{code}");
        }
    }
}

#[test]
fn a_web_api_answer_that_is_not_slacks_is_no_success() {
    for (status, body, expected) in [
        (200, "<html>portal</html>", "retry"),
        (200, "", "retry"),
        (200, "{}", "retry"),
        (200, "[true]", "retry"),
        (404, "not found", "retry slowly"),
        (500, r#"{"ok":true}"#, "retry"),
        (404, r#"{"ok":true}"#, "retry slowly"),
        (302, r#"{"ok":true}"#, "token"),
        (429, "", "wait"),
    ] {
        assert_eq!(class(&of_web_api(&answer(status, body))), expected, "{status} {body}");
    }
}

#[test]
fn a_success_says_where_the_message_is() {
    let body = r#"{"ok":true,"channel":"C1","ts":"1503435956.000247","message":{}}"#;
    let posted = Posted { channel: "C1".into(), ts: "1503435956.000247".into() };
    assert_eq!(of_web_api(&answer(200, body)), Outcome::Delivered(Some(posted)));
}

#[test]
fn reasons_name_the_scope_and_the_block() {
    let body = r#"{"ok":false,"error":"missing_scope","needed":"chat:write","provided":"commands"}"#;
    let error = SlackError::MissingScope { needed: "chat:write".into() };
    let reason = Reason::new(error, "missing_scope (needs chat:write, has commands)".into());
    let expected = Outcome::TokenNever { reason };
    assert_eq!(of_web_api(&answer(200, body)), expected);
    let body = r#"{"ok":false,"error":"invalid_blocks","response_metadata":{"messages":["[ERROR] too long"]}}"#;
    let error = SlackError::Other("invalid_blocks".into());
    let reason = Reason::new(error, "invalid_blocks: [ERROR] too long".into());
    assert_eq!(of_web_api(&answer(200, body)), Outcome::Plain { reason });
}

#[test]
fn no_cut_saves_a_secret_from_its_redaction() {
    let reason = brief(&format!("{} http://user:password@proxy", "x".repeat(180)));
    assert!(reason.ends_with('…') && reason.contains(" http://user:[") && !reason.contains("pass"), "{reason}");
}

#[test]
fn retry_after_is_read_as_seconds_with_or_without_a_fraction() {
    for (value, seconds) in
        [("0", 0.0), ("1", 1.0), (" 2 ", 2.0), ("0.337", 0.337), ("3600", 3600.0), ("1e99", 86400.0)]
    {
        assert!((retry_after(Some(value)).as_secs_f64() - seconds).abs() < 1e-9, "{value}");
    }
    for value in [None, Some(""), Some("soon"), Some("-1"), Some("NaN"), Some("inf")] {
        assert_eq!(retry_after(value), RETRY_AFTER_DEFAULT, "{value:?}");
    }
}
