"""What Slack sends to an app, one payload of every kind, and how to bend them."""

import copy
import itertools
import json
import urllib.parse

numbers = itertools.count(1)


def fields(base):
    """What every act of a person has. No two have the same trigger: a listener refuses what it saw before."""
    number = next(numbers)
    return {
        "token": "deprecated", "api_app_id": "A0SANDBOX", "enterprise": None, "is_enterprise_install": False,
        "team": {"id": "T0SANDBOX", "domain": "sandbox"},
        "user": {"id": "U0ALICE001", "username": "alice", "name": "alice", "team_id": "T0SANDBOX"},
        "trigger_id": f"{number}.2.abc",
        "response_url": f"{base}/actions/T0SANDBOX/{number}/abc",
    }


def place():
    return {
        "channel": {"id": "C0OPS00001", "name": "ops"},
        "container": {"type": "message", "message_ts": "1700000000.000100", "channel_id": "C0OPS00001", "is_ephemeral": False},
        "message": {"type": "message", "bot_id": "B0SANDBOX", "ts": "1700000000.000100", "thread_ts": "1700000000.000100",
                    "text": "CRITICAL db1", "blocks": [{"type": "divider", "block_id": "d"}]},
        "state": {"values": {}},
    }


def text(words):
    return {"type": "plain_text", "text": words, "emoji": True}


def button(**more):
    return {"type": "button", "action_id": "acknowledge", "block_id": "ackbell-7", "action_ts": "1700000001.000200",
            "text": text("Acknowledge"), "value": "7", **more}


def view():
    return {"id": "V0SANDBOX1", "team_id": "T0SANDBOX", "type": "modal", "hash": "1700000000.abc", "callback_id": "ackbell",
            "private_metadata": "{}", "external_id": "", "app_id": "A0SANDBOX", "bot_id": "B0SANDBOX", "root_view_id": "V0SANDBOX1",
            "previous_view_id": None, "notify_on_close": True, "clear_on_close": False, "title": text("Acknowledge"),
            "submit": text("OK"), "close": None, "blocks": [],
            "state": {"values": {
                "why": {"comment": {"type": "plain_text_input", "value": "looking"}},
                "until": {"expiry": {"type": "datetimepicker", "selected_date_time": 1700003600}},
                "how": {"options": {"type": "checkboxes", "selected_options": [{"text": text("Sticky"), "value": "sticky"}]}},
                "who": {"people": {"type": "multi_users_select", "selected_users": ["U0BOB00001"]}}}}}


def actions(base, *elements):
    return {"type": "block_actions", **fields(base), **place(), "actions": list(elements)}


def event(**inner):
    number = next(numbers)
    return {"type": "event_callback", "token": "deprecated", "team_id": "T0SANDBOX", "api_app_id": "A0SANDBOX",
            "event_id": f"Ev{number:08}", "event_time": 1700000000, "is_ext_shared_channel": False,
            "authorizations": [{"enterprise_id": None, "team_id": "T0SANDBOX", "user_id": "U0BOT00001", "is_bot": True,
                                "is_enterprise_install": False}],
            "event": inner}


def slash(base, words="status"):
    number = next(numbers)
    return {"token": "deprecated", "team_id": "T0SANDBOX", "team_domain": "sandbox", "channel_id": "C0OPS00001",
            "channel_name": "ops", "user_id": "U0ALICE001", "user_name": "alice", "command": "/ackbell", "text": words,
            "api_app_id": "A0SANDBOX", "is_enterprise_install": "false", "trigger_id": f"{number}.2.abc",
            "response_url": f"{base}/commands/T0SANDBOX/{number}/abc"}


def dialog(base, kind, **more):
    return {"type": kind, **fields(base), "callback_id": "ack", "action_ts": "1700000001.000200", "state": "7",
            "channel": {"id": "C0OPS00001", "name": "ops"}, **more}


def message_action(base):
    return {"type": "message_action", **fields(base), "callback_id": "ack", "action_ts": "1700000001.000200",
            "message_ts": "1700000000.000100", "channel": {"id": "C0OPS00001", "name": "ops"},
            "message": {"type": "message", "user": "U0BOB00001", "ts": "1700000000.000100", "text": "CRITICAL db1"}}


def legacy(base, *elements):
    return {"type": "interactive_message", **fields(base), "callback_id": "ack", "action_ts": "1700000001.000200",
            "message_ts": "1700000000.000100", "attachment_id": "1", "channel": {"id": "C0OPS00001", "name": "ops"},
            "original_message": {"type": "message", "ts": "1700000000.000100", "text": "CRITICAL db1"}, "actions": list(elements)}


def every_kind(base):
    """(name, payload); a payload without a type is a slash command."""
    select = {"type": "static_select", "action_id": "more", "block_id": "b", "action_ts": "1700000001.000200",
              "selected_option": {"text": text("Re-check"), "value": "recheck 7"}, "placeholder": text("More")}
    menu = {"name": "how", "type": "select", "selected_options": [{"value": "sticky"}]}
    suggestion = {"type": "block_suggestion", **fields(base), **place(), "action_id": "host", "block_id": "b", "value": "we"}
    in_view = {"type": "block_actions", **fields(base), "actions": [button(block_id="b")], "view": view(),
               "container": {"type": "view", "view_id": "V0SANDBOX1"}}
    return [
        ("a click", actions(base, button())),
        ("a choice", actions(base, select)),
        ("a link button", actions(base, button(url="https://nagios.example/", value=None))),
        ("a click in a view", in_view),
        ("a form", {"type": "view_submission", **fields(base), "view": view(), "response_urls": []}),
        ("a closed form", {"type": "view_closed", **fields(base), "view": view(), "is_cleared": False}),
        ("a slash command", slash(base)),
        ("a bare slash command", slash(base, "")),
        ("a mention", event(type="app_mention", user="U0ALICE001", text="hello", ts="1700000000.000100", channel="C0OPS00001")),
        ("an opened home", event(type="app_home_opened", user="U0ALICE001", channel="D0ALICE001", tab="home", event_ts="1700000000.000100")),
        ("an uninstallation", event(type="app_uninstalled")),
        ("revoked tokens", event(type="tokens_revoked", tokens={"oauth": ["U0ALICE001"], "bot": ["U0BOT00001"]})),
        ("a shortcut", {"type": "shortcut", **fields(base), "callback_id": "ack", "action_ts": "1700000001.000200"}),
        ("a message's shortcut", message_action(base)),
        ("a legacy button", legacy(base, {"name": "ack", "type": "button", "value": "7"})),
        ("a legacy menu", legacy(base, menu)),
        ("a menu's question", suggestion),
        ("a dialog", dialog(base, "dialog_submission", submission={"why": "looking"})),
        ("a closed dialog", dialog(base, "dialog_cancellation")),
        ("a dialog's question", dialog(base, "dialog_suggestion", name="host", value="we")),
    ]


def wire(payload, like=None):
    """The body and its content type, as Slack sends this kind; a bent payload goes the way of the one it was."""
    like = like or payload
    if like.get("type") in ("event_callback", "url_verification", "app_rate_limited"):
        return json.dumps(payload, ensure_ascii=False).encode(), "application/json"
    form = payload if "command" in like else {"payload": json.dumps(payload, ensure_ascii=False)}
    return urllib.parse.urlencode(form).encode(), "application/x-www-form-urlencoded"


def paths(value, at=()):
    """Every place in a payload; places in a list as well."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inside:
        yield at + (key,)
        yield from paths(below, at + (key,))


def without(payload, path):
    return bent(payload, path, lambda parent, key: parent.pop(key))


def changed(payload, path, value):
    return bent(payload, path, lambda parent, key: parent.__setitem__(key, value))


def bent(payload, path, change):
    copied = copy.deepcopy(payload)
    parent = copied
    for key in path[:-1]:
        parent = parent[key]
    change(parent, path[-1])
    return copied


def with_more(value, depth=0):
    """The same with fields that nobody knows, in every object; below `values` there are names of our own for two levels."""
    if isinstance(value, list):
        return [with_more(below) for below in value]
    if not isinstance(value, dict):
        return value
    more = {"x_text": "ü", "x_null": None, "x_list": [1, {}], "x_object": {"id": 7, "type": []}, "x_number": -1e300}
    inside = {key: with_more(below, 2 if key == "values" else max(depth - 1, 0)) for key, below in value.items()}
    return inside if depth else inside | more
