"""Drives a running sandbox with Slack's own SDK: what the SDK understands, the sandbox speaks.

    python check_sandbox.py http://127.0.0.1:PORT [BOT_TOKEN] [APP_TOKEN] [SIGNING_SECRET]

Prints one line for each check, `N passed, M failed` at the end, and exits 1 if any failed.
"""

import base64
import json
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackObjectFormationError
from slack_sdk.models.blocks import Block
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.webhook import WebhookClient

BASE = sys.argv[1].rstrip("/")
TOKEN = sys.argv[2] if len(sys.argv) > 2 else "xoxb-sandbox"
APP_TOKEN = sys.argv[3] if len(sys.argv) > 3 else "xapp-sandbox-0000000000"
SIGNING_SECRET = sys.argv[4] if len(sys.argv) > 4 else "sandbox-signing-secret"
results = []


def check(name, ok, seen=""):
    results.append(bool(ok))
    print(("ok    " if ok else "FAIL  ") + name + ("" if ok else f": {seen!r}"))


def control(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{BASE}/_sandbox/{path}", data=data)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def client(token=TOKEN):
    return WebClient(token=token, base_url=f"{BASE}/api/")


def refused(name, error, call, **arguments):
    try:
        seen = call(**arguments).data
    except SlackApiError as raised:
        seen = raised.response.data
        check(name, seen.get("error") == error, seen)
        return raised.response
    check(name, False, seen)
    return None


def raw(path, data, headers):
    request = urllib.request.Request(BASE + path, data=data, headers=headers)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read().decode(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers


def messages():
    return control("messages")


def tokens_and_auth(web):
    answer = web.auth_test()
    check("auth.test knows the team", answer["team_id"] == "T0SANDBOX", answer.data)
    headers = {key.lower(): value for key, value in answer.headers.items()}
    check("x-oauth-scopes is there", "chat:write" in headers.get("x-oauth-scopes", ""), headers)
    refused("a wrong token", "invalid_auth", client("xoxb-wrong").auth_test)
    refused("no token", "not_authed", client(None).auth_test)
    control("state", {"tokens": {"xoxb-revoked": {"error": "token_revoked"}, "xoxb-few": {"scopes": "chat:write"}}})
    refused("a revoked token", "token_revoked", client("xoxb-revoked").chat_postMessage, channel="#ops", text="a")
    answer = refused("a missing scope", "missing_scope", client("xoxb-few").users_info, user="U0ALICE001")
    check("says what is needed", answer and answer["needed"] == "users:read", answer and answer.data)
    check("says what is provided", answer and answer["provided"] == "chat:write", answer and answer.data)
    refused("a channel not joined", "not_in_channel", client("xoxb-few").chat_postMessage, channel="#general", text="a")
    refused("another name", "missing_scope", web.chat_postMessage, channel="#ops", text="a", username="Nagios")
    refused("an unknown method", "unknown_method", web.api_call, api_method="no.such")


def life_of_a_message(web):
    posted = web.chat_postMessage(channel="#ops", text="CRITICAL db1")
    channel, ts = posted["channel"], posted["ts"]
    check("a name becomes an id", channel == "C0OPS00001", posted.data)
    updated = web.chat_update(channel=channel, ts=ts, text="OK db1")
    check("chat.update changes it", updated["text"] == "OK db1", updated.data)
    refused("chat.update wants the id", "channel_not_found", web.chat_update, channel="#ops", ts=ts, text="a")
    refused("chat.update at 4001", "msg_too_long", web.chat_update, channel=channel, ts=ts, text="x" * 4001)
    check("chat.update at 4000", web.chat_update(channel=channel, ts=ts, text="x" * 4000)["ok"])
    refused("an unknown ts", "message_not_found", web.chat_update, channel=channel, ts="1.000001", text="a")
    reply = web.chat_postMessage(channel=channel, text="a reply", thread_ts=ts)
    check("a reply names its parent", reply["message"]["thread_ts"] == ts, reply.data)
    check("a later ts is larger", reply["ts"] > ts, reply["ts"])
    refused("a reply to nothing", "thread_not_found", web.chat_postMessage, channel=channel, text="a", thread_ts="1.000001")
    link = web.chat_getPermalink(channel=channel, message_ts=ts)["permalink"]
    check("a permalink", link.endswith("/archives/C0OPS00001/p" + ts.replace(".", "")), link)
    replies = web.conversations_replies(channel=channel, ts=ts)["messages"]
    check("conversations.replies", [one["ts"] for one in replies] == [ts, reply["ts"]], replies)
    history = web.conversations_history(channel=channel)["messages"]
    check("conversations.history has heads only", ts in [m["ts"] for m in history] and reply["ts"] not in [m["ts"] for m in history])
    web.chat_delete(channel=channel, ts=reply["ts"])
    check("chat.delete", len(web.conversations_replies(channel=channel, ts=ts)["messages"]) == 1)
    ephemeral = web.chat_postEphemeral(channel=channel, user="U0ALICE001", text="only you")
    check("chat.postEphemeral", "message_ts" in ephemeral.data, ephemeral.data)
    long = web.chat_postMessage(channel=channel, text="x" * 40001)
    check("text is cut at 40,000", len(long["message"]["text"]) == 40000, long.get("warning"))
    refused("no text", "no_text", web.chat_postMessage, channel=channel, text="")


def scheduled_messages(web):
    now = int(time.time())
    answer = web.chat_scheduleMessage(channel="#ops", text="still here?", post_at=now + 600)
    message = answer["scheduled_message_id"]
    check("chat.scheduleMessage gives an id and no ts", answer["channel"] == "C0OPS00001" and "ts" not in answer.data, answer.data)
    lies = [one["id"] for page in web.chat_scheduledMessages_list(limit=1) for one in page["scheduled_messages"]]
    check("chat.scheduledMessages.list", message in lies, lies)
    refused("a time that is over", "time_in_past", web.chat_scheduleMessage, channel="#ops", text="a", post_at=now - 1)
    refused("121 days", "time_too_far", web.chat_scheduleMessage, channel="#ops", text="a", post_at=now + 121 * 86400)
    delete = web.chat_deleteScheduledMessage
    check("chat.deleteScheduledMessage", delete(channel="C0OPS00001", scheduled_message_id=message)["ok"])
    refused("twice", "invalid_scheduled_message_id", delete, channel="C0OPS00001", scheduled_message_id=message)
    soon = web.chat_scheduleMessage(channel="#ops", text="soon", post_at=now + 30)["scheduled_message_id"]
    refused("too late", "invalid_scheduled_message_id", delete, channel="C0OPS00001", scheduled_message_id=soon)
    for _ in range(29):
        web.chat_scheduleMessage(channel="#db-alerts", text="a", post_at=now + 3600)
    web.chat_scheduleMessage(channel="#db-alerts", text="a", post_at=now + 3600)
    refused("31 of one channel", "restricted_too_many", web.chat_scheduleMessage, channel="#db-alerts", text="a", post_at=now + 3650)


def places(web):
    refused("an unknown channel", "channel_not_found", web.chat_postMessage, channel="#nowhere", text="a")
    refused("a private channel", "channel_not_found", web.chat_postMessage, channel="C0SECRET01", text="a")
    refused("an archived channel", "is_archived", web.chat_postMessage, channel="#old", text="a")
    check("a channel for load tests", web.chat_postMessage(channel="load-7", text="a")["channel"] == "C0LOAD7")
    direct = web.conversations_open(users="U0ALICE001")["channel"]["id"]
    check("a direct message", web.chat_postMessage(channel="U0ALICE001", text="a")["channel"] == direct, direct)
    refused("a deactivated person", "user_disabled", web.conversations_open, users="U0GONE0001")
    found = web.users_lookupByEmail(email="alice@example.com")["user"]["id"]
    check("users.lookupByEmail", found == "U0ALICE001", found)
    refused("nobody's address", "users_not_found", web.users_lookupByEmail, email="nobody@example.com")
    check("usergroups.list", web.usergroups_list()["usergroups"][0]["id"] == "S0ONCALL01")
    check("usergroups.users.list", "U0BOB00001" in web.usergroups_users_list(usergroup="S0ONCALL01")["users"])
    # A group is the list that was given last; nobody at all is refused.
    changed = web.usergroups_users_update(usergroup="S0ONCALL01", users=["U0BOB00001"])["usergroup"]
    check("usergroups.users.update", changed["users"] == ["U0BOB00001"] and changed["user_count"] == 1, changed)
    check("the group is that list", web.usergroups_users_list(usergroup="S0ONCALL01")["users"] == ["U0BOB00001"])
    refused("an unknown group", "no_such_subteam", web.usergroups_users_update, usergroup="S0NOBODY01", users=["U0BOB00001"])
    refused("an unknown member", "invalid_users", web.usergroups_users_update, usergroup="S0ONCALL01", users=["U0NOBODY01"])
    web.usergroups_users_update(usergroup="S0ONCALL01", users=["U0ALICE001", "U0BOB00001"])
    dnd = web.dnd_info(user="U0ALICE001")
    check("dnd.info", dnd["dnd_enabled"] is False and "snooze_enabled" not in dnd.data, dnd.data)
    refused("nobody's rest", "user_not_found", web.dnd_info, user="U0NOBODY01")
    check("users.getPresence", web.users_getPresence(user="U0ALICE001")["presence"] == "active")
    names = []
    for page in web.conversations_list(limit=2):
        names += [one["name"] for one in page["channels"]]
    check("conversations.list in pages", {"ops", "db-alerts", "general"} <= set(names) and "secret" not in names, names)
    joined = web.conversations_join(channel="C0OPS00001")
    check("joining twice is a warning", "already_in_channel" in joined["warning"], joined.data)
    modal = {"type": "modal", "title": {"type": "plain_text", "text": "t"}, "blocks": [{"type": "divider"}]}
    view = web.views_open(trigger_id="1.2", view=modal)["view"]
    refused("a trigger works once", "exchanged_trigger_id", web.views_open, trigger_id="1.2", view=modal)
    check("views.update", web.views_update(view_id=view["id"], hash=view["hash"], view=modal)["ok"])
    refused("an old hash", "hash_conflict", web.views_update, view_id=view["id"], hash=view["hash"], view=modal)
    check("views.publish", web.views_publish(user_id="U0BOB00001", view={"type": "home", "blocks": [{"type": "divider"}]})["ok"])


def plain(count):
    return {"type": "plain_text", "text": "x" * count}


def limits(web):
    """The SDK's own verdict on a block and the sandbox's must be the same on both sides of a limit."""
    # (name, limit, block): the SDK judges the block, or for elements inside it the element itself.
    rows = [
        ("section.text", 3000, lambda n: {"type": "section", "text": plain(n)}),
        ("header.text", 150, lambda n: {"type": "header", "text": plain(n)}),
        ("section.fields", 10, lambda n: {"type": "section", "fields": [plain(1)] * n}),
        ("context.elements", 10, lambda n: {"type": "context", "elements": [plain(1)] * n}),
        ("block_id", 255, lambda n: {"type": "divider", "block_id": "x" * n}),
        ("image.alt_text", 2000, lambda n: {"type": "image", "image_url": "https://a.example/", "alt_text": "x" * n}),
        ("image.title", 2000, lambda n: {"type": "image", "image_url": "https://a.example/", "alt_text": "a", "title": plain(n)}),
        ("markdown.text", 12000, lambda n: {"type": "markdown", "text": "x" * n}),
        ("actions.elements", 25, lambda n: {"type": "actions", "elements": [button({"action_id": f"a{i}"}) for i in range(n)]}),
        ("button.text", 75, lambda n: actions(button({"text": plain(n)}))),
        ("button.value", 2000, lambda n: actions(button({"value": "x" * n}))),
        ("button.url", 3000, lambda n: actions(button({"url": "https://" + "x" * (n - 8)}))),
        ("button.action_id", 255, lambda n: actions(button({"action_id": "x" * n}))),
        ("button.confirm.title", 100, lambda n: actions(button({"confirm": confirm("title", n)}))),
        ("button.confirm.text", 300, lambda n: actions(button({"confirm": confirm("text", n)}))),
        ("button.confirm.confirm", 30, lambda n: actions(button({"confirm": confirm("confirm", n)}))),
        ("overflow.options", 5, lambda n: actions({"type": "overflow", "action_id": "a", "options": options(n)})),
        ("static_select.options", 100, lambda n: actions({"type": "static_select", "action_id": "a", "options": options(n)})),
    ]
    for name, limit, make in rows:
        for count in (limit, limit + 1):
            block = make(count)
            theirs, ours = sdk_accepts(block), sandbox_accepts(web, block)
            check(f"{name} of {count}: the SDK says {theirs}", theirs == ours == (count == limit), (theirs, ours))
    answer = refused("invalid blocks", "invalid_blocks", web.chat_postMessage, channel="#ops", text="a", blocks=[rows[0][2](3001)])
    line = "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]"
    check("points at the place", answer and answer["response_metadata"]["messages"] == [line], answer and answer.data)
    refused("51 blocks", "invalid_blocks", web.chat_postMessage, channel="#ops", text="a", blocks=[{"type": "divider"}] * 51)
    refused("an input block", "invalid_blocks", web.chat_postMessage, channel="#ops", text="a", blocks=[
        {"type": "input", "label": plain(1), "element": {"type": "plain_text_input", "action_id": "a"}}])
    refused("101 attachments", "too_many_attachments", web.chat_postMessage, channel="#ops", attachments=[{"text": "a"}] * 101)


def button(more):
    return {"type": "button", "text": plain(1), "action_id": "a", **more}


def confirm(name, count):
    parts = {"title": plain(1), "text": plain(1), "confirm": plain(1), "deny": plain(1)}
    return {**parts, name: plain(count)}


def options(count):
    return [{"text": plain(1), "value": str(number)} for number in range(count)]


def actions(element):
    return {"type": "actions", "elements": [element]}


def sdk_accepts(block):
    """Block.parse doesn't judge the elements inside: each is validated by itself."""
    try:
        parsed = Block.parse(block)
        parsed.validate_json()
        for element in getattr(parsed, "elements", None) or []:
            if hasattr(element, "validate_json"):
                element.validate_json()
            if getattr(element, "confirm", None) is not None:
                element.confirm.validate_json()
    except SlackObjectFormationError:
        return False
    return True


def sandbox_accepts(web, block):
    try:
        return web.chat_postMessage(channel="#ops", text="a", blocks=[block])["ok"]
    except SlackApiError as error:
        assert error.response["error"] == "invalid_blocks", error.response.data
        return False


def webhooks():
    url = f"{BASE}/services/T0SANDBOX/B0OPS00001/abc"
    hook = WebhookClient(url)
    answer = hook.send(text="by webhook")
    check("a webhook answers ok", (answer.status_code, answer.body) == (200, "ok"), answer.body)
    check("and nothing else is in the message", messages()[-1]["text"] == "by webhook" and messages()[-1]["via"] == "webhook")
    bad = hook.send(text="a", blocks=[{"type": "section", "text": plain(3001)}])
    check("a webhook's invalid blocks", (bad.status_code, bad.body) == (400, "invalid_blocks"), bad.body)
    empty = hook.send(text="")
    check("a webhook without text", (empty.status_code, empty.body) == (400, "no_text"), empty.body)
    control("state", {"webhooks": [
        {"path": "/services/T0SANDBOX/BGONE/x", "status": 404, "body": "no_service"},
        {"path": "/services/T0SANDBOX/BOLD/x", "channel": "C0OLD00001"}]})
    gone = WebhookClient(f"{BASE}/services/T0SANDBOX/BGONE/x").send(text="a")
    check("a removed webhook", (gone.status_code, gone.body) == (404, "no_service"), gone.body)
    old = WebhookClient(f"{BASE}/services/T0SANDBOX/BOLD/x").send(text="a")
    check("an archived channel's webhook", (old.status_code, old.body) == (410, "channel_is_archived"), old.body)
    json_type = {"content-type": "application/json", "user-agent": "check"}
    status, body, _ = raw("/services/T0SANDBOX/B0OPS00001/abc", b"{", json_type)
    check("broken JSON", (status, body) == (400, "invalid_payload"), body)
    form = {"content-type": "application/x-www-form-urlencoded", "user-agent": "check"}
    status, body, _ = raw("/services/T0SANDBOX/B0OPS00001/abc", b"payload=%7B%22text%22%3A%22a%22%7D", form)
    check("the old form", (status, body) == (200, "ok"), body)


def response_urls(web):
    ts = web.chat_postMessage(channel="C0OPS00001", text="click me")["ts"]
    control("state", {"response_urls": [
        {"path": "/actions/T0/1/x", "channel": "C0OPS00001", "ts": ts},
        {"path": "/actions/T0/2/x", "channel": "C0OPS00001", "ts": ts, "age_ms": 1_800_001}]})
    url = WebhookClient(f"{BASE}/actions/T0/1/x")
    check("replace_original", url.send(text="clicked", replace_original=True).body == "ok")
    check("changes the message", [m["text"] for m in messages() if m["ts"] == ts] == ["clicked"])
    statuses = [url.send(text="a", response_type="in_channel").status_code for _ in range(5)]
    check("five uses", statuses == [200, 200, 200, 200, 404], statuses)
    late = WebhookClient(f"{BASE}/actions/T0/2/x").send(text="a")
    check("thirty minutes", (late.status_code, "expired_url" in late.body) == (404, True), late.body)


def pace(web):
    control("reset", {})
    control("state", {"pace": {"enabled": True, "burst": 1}})
    web.chat_postMessage(channel="#db-alerts", text="1")
    answer = refused("the second in a second", "ratelimited", web.chat_postMessage, channel="#db-alerts", text="2")
    check("is a 429", answer and answer.status_code == 429, answer and answer.status_code)
    headers = {key.lower(): value for key, value in answer.headers.items()} if answer else {}
    check("with Retry-After", headers.get("retry-after") == "1", headers)
    check("another channel goes on", web.chat_postMessage(channel="#ops", text="1")["ok"])
    refused("an early retry", "ratelimited", web.chat_postMessage, channel="#db-alerts", text="2")
    time.sleep(1.05)
    check("after Retry-After", web.chat_postMessage(channel="#db-alerts", text="2")["ok"])
    stats = control("stats")
    check("both are counted", (stats["too_fast"], stats["early_retry"]) == (1, 1), stats)
    hook = WebhookClient(f"{BASE}/services/T0SANDBOX/B0PACE/abc")
    hook.send(text="1")
    answer = hook.send(text="2")
    check("a webhook's 429", (answer.status_code, answer.body) == (429, "rate_limited"), answer.body)
    control("state", {"pace": {"enabled": False}})


def raises(call, **arguments):
    try:
        call(**arguments)
    except Exception as error:  # noqa: BLE001: any failure will do, the SDK raises many kinds
        return type(error).__name__
    return None


def faults(web):
    control("reset", {})
    hook = WebhookClient(f"{BASE}/services/T0SANDBOX/B0OPS00001/abc", timeout=2)
    hook.retry_handlers.clear()
    web.retry_handlers.clear()
    for kind in ("reset", "close_before", "close_early", "garbage", "ok_then_reset"):
        control("faults", {"faults": [{"kind": kind, "times": 1, "method": "webhook"}]})
        check(f"fault {kind}", raises(hook.send, text=kind))
    check("only ok_then_reset was stored", [m["text"] for m in messages()] == ["ok_then_reset"], messages())
    for kind, status in (("500", 500), ("502", 502), ("503", 503), ("html200", 200), ("empty200", 200), ("huge", 200)):
        control("faults", {"faults": [{"kind": kind, "times": 1, "channel": "#ops"}]})
        answer = hook.send(text=kind)
        check(f"fault {kind}", answer.status_code == status, answer.status_code)
    control("faults", {"faults": [{"kind": "429", "times": 1, "retry_after": "0.5"}]})
    answer = hook.send(text="a")
    headers = {key.lower(): value for key, value in answer.headers.items()}
    check("fault 429", (answer.status_code, headers.get("retry-after")) == (429, "0.5"), headers)
    time.sleep(0.6)
    control("faults", {"faults": [{"kind": "hang", "times": 1, "delay_ms": 4000}]})
    check("fault hang", raises(hook.send, text="a"))
    control("faults", {"faults": [{"kind": "error", "error": "fatal_error", "times": 1, "method": "chat.postMessage", "after": True}]})
    refused("fault error", "fatal_error", web.chat_postMessage, channel="#ops", text="after")
    check("stored although refused", messages()[-1]["text"] == "after", messages()[-1])
    control("faults", {"faults": [{"kind": "redirect", "times": 1}]})
    hook.send(text="a")
    kinds = {one["kind"] for one in control("violations")}
    check("a followed redirect is noted", "followed_redirect" in kinds, kinds)
    control("faults", {"faults": []})


def receivers():
    json_type = {"content-type": "application/json", "user-agent": "check"}
    check("Mattermost", raw("/hooks/x", b'{"text":"a"}', json_type)[:2] == (200, "ok"))
    check("Mattermost shows no blocks", raw("/hooks/x", b'{"blocks":[{"type":"divider"}]}', json_type)[0] == 400)
    check("Rocket.Chat", json.loads(raw("/rocketchat/hooks/x/y", b'{"text":"a"}', json_type)[1]) == {"success": True})
    check("Discord", raw("/api/webhooks/1/x/slack?wait=true", b'{"text":"a"}', json_type)[0] == 200)
    check("Discord without wait", raw("/api/webhooks/1/x/slack", b'{"text":"a"}', json_type)[0] == 204)
    control("faults", {"faults": [{"kind": "429", "times": 1, "retry_after": "0.25", "method": "discord"}]})
    status, body, headers = raw("/api/webhooks/2/x/slack", b'{"text":"a"}', json_type)
    check("Discord's 429", (status, json.loads(body)["retry_after"], headers["retry-after"]) == (429, 0.25, "0.25"), body)


def frame():
    auth = {"authorization": f"Bearer {TOKEN}", "user-agent": "check"}
    status, body, _ = raw("/api/auth.test", b"{}", {**auth, "content-type": "application/json"})
    check("missing_charset", "missing_charset" in json.loads(body).get("warning", ""), body)
    status, body, _ = raw("/api/users.info", b'{"user":"U0ALICE001"}', {**auth, "content-type": "application/json; charset=utf-8"})
    check("a method without JSON doesn't see it", json.loads(body)["error"] == "user_not_found", body)
    status, body, _ = raw("/api/auth.test", b"{}", {**auth, "content-type": "text/plain"})
    check("another content type", json.loads(body)["error"] == "invalid_post_type", body)
    status, body, _ = raw("/api/auth.test", b"", {"authorization": f"bearer {TOKEN}", "user-agent": "check"})
    check("Bearer in another case", json.loads(body)["error"] == "not_authed", body)
    control("reset", {})
    raw(f"/api/auth.test?token={TOKEN}", b"", {"user-agent": "check"})
    check("a token in the query", [one["kind"] for one in control("violations")] == ["secret_in_query"], control("violations"))
    control("reset", {})
    web = client()
    web.chat_postMessage(channel="#ops", text="a < b")
    web.chat_postMessage(channel="#ops", text="a &lt; b <https://a.example|b>")
    check("unescaped markup", [one["kind"] for one in control("violations")] == ["unescaped_markup"], control("violations"))
    shown = json.dumps(control("requests"))
    check("tokens aren't shown", TOKEN not in shown and "Bearer xoxb-" in shown)


class App(BaseHTTPRequestHandler):
    """Keeps every request as it came and answers what it was told to."""

    seen = []
    body = ""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        App.seen.append((dict(self.headers), body))
        answer = App.body.encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


BUTTONS = [{"type": "actions", "block_id": "b", "elements": [
    {"type": "button", "action_id": "ack", "value": "7", "text": {"type": "plain_text", "text": "Acknowledge"}}]}]
FORM = {"type": "modal", "callback_id": "ack", "private_metadata": "7",
        "title": {"type": "plain_text", "text": "Acknowledge"}, "submit": {"type": "plain_text", "text": "OK"}, "blocks": [
            {"type": "input", "block_id": "why", "label": {"type": "plain_text", "text": "Why"},
             "element": {"type": "plain_text_input", "action_id": "text"}}]}


def clicks(web):
    server = HTTPServer(("127.0.0.1", 0), App)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    control("state", {"app": {"request_url": f"http://127.0.0.1:{server.server_port}/slack/request"}})
    verifier = SignatureVerifier(SIGNING_SECRET)
    posted = web.chat_postMessage(channel="#ops", text="CRITICAL db1", blocks=BUTTONS)
    click = {"channel": posted["channel"], "ts": posted["ts"], "action_id": "ack"}
    clicked = control("click", click)
    check("a click", clicked["ok"], clicked)
    headers, body = App.seen[-1]
    check("is signed as Slack signs", verifier.is_valid_request(body, headers), headers)
    check("and not otherwise", not verifier.is_valid_request(body + " ", headers))
    payload = json.loads(urllib.parse.parse_qs(body)["payload"][0])
    check("is a block_actions", payload["type"] == "block_actions" and payload["actions"][0]["value"] == "7", payload)
    answer = WebhookClient(payload["response_url"]).send(text="done", replace_original=False)
    check("its response URL", (answer.status_code, answer.body) == (200, "ok"), answer.body)
    view = web.views_open(trigger_id=payload["trigger_id"], view=FORM)["view"]
    refused("its trigger works once", "exchanged_trigger_id", web.views_open, trigger_id=payload["trigger_id"], view=FORM)
    check("an empty form isn't sent", control("submit", {})["error"] == "refused_by_client")
    App.body = json.dumps({"response_action": "errors", "errors": {"why": "say more"}})
    sent = control("submit", {"values": {"why": "looking"}})
    check("a form", sent["payload"]["view"]["state"]["values"]["why"]["text"]["value"] == "looking", sent)
    check("stays open with errors", [one["id"] for one in control("views") if one["type"] == "modal"] == [view["id"]])
    App.body = ""
    check("an empty answer closes it", control("submit", {"values": {"why": "looking"}})["ok"]
          and not [one for one in control("views") if one["type"] == "modal"])
    App.body = json.dumps({"text": "nothing is wrong"})
    asked = control("slash", {"command": "/nagios", "text": "status"})
    check("a slash command", asked["ok"] and messages()[-1]["ephemeral_for"] == "U0ALICE001", asked)
    headers, body = App.seen[-1]
    check("is signed too", verifier.is_valid_request(body, headers), headers)
    App.body = ""
    check("an event", control("event", {"event": {"type": "app_uninstalled"}})["ok"])
    check("is signed too", verifier.is_valid_request(App.seen[-1][1], App.seen[-1][0]))
    server.shutdown()


def wait_for(condition):
    deadline = time.monotonic() + 10
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def socket_mode(web):
    refused("a bot token opens no socket", "not_allowed_token_type", web.apps_connections_open, app_token=TOKEN)
    control("state", {"app": {"socket_mode": True}})
    sockets = SocketModeClient(app_token=APP_TOKEN, web_client=WebClient(base_url=f"{BASE}/api/"), ping_interval=1)
    seen = []

    def take(taker, request):
        seen.append(request)
        taker.send_socket_mode_response(SocketModeResponse(
            envelope_id=request.envelope_id, payload={"text": "by socket"} if request.type == "slash_commands" else None))

    sockets.socket_mode_request_listeners.append(take)
    sockets.connect()
    check("the SDK connects", wait_for(lambda: len(control("sockets")["connections"]) == 1), control("sockets"))
    posted = web.chat_postMessage(channel="#ops", text="CRITICAL db2", blocks=BUTTONS)
    click = {"channel": posted["channel"], "ts": posted["ts"], "action_id": "ack"}
    clicked = control("click", click)
    check("a click by socket", clicked["ok"] and seen[-1].payload["type"] == "block_actions", clicked)
    asked = control("slash", {"command": "/nagios", "text": "status"})
    check("a slash command by socket", asked["ok"] and messages()[-1]["text"] == "by socket", asked)
    first = control("sockets")["connections"][0]["id"]
    control("socket", {"disconnect": "refresh_requested", "grace_ms": 200})

    def renewed():
        return first not in [one["id"] for one in control("sockets")["connections"]] and control("sockets")["connections"]

    check("the SDK renews its connection", wait_for(renewed), control("sockets"))
    check("and works on", control("click", click)["ok"])
    sockets.close()
    control("state", {"app": {"socket_mode": False}})


def files(web):
    parent = web.chat_postMessage(channel="C0OPS00001", text="a thread")["ts"]
    png = b"\x89PNG\r\n\x1a\n\x00\xff"
    answer = web.files_upload_v2(channel="C0OPS00001", thread_ts=parent, content=png, filename="curve.png", title="used",
                                 alt_txt="used: 70 % to 95 %")
    check("files_upload_v2", answer["files"][0]["title"] == "used", answer.data)
    kept = control("files")[-1]
    check("the bytes are those", base64.b64decode(kept["bytes"]) == png and kept["alt_txt"] == "used: 70 % to 95 %", kept)
    check("it is in the thread", messages()[-1]["thread_ts"] == parent, messages()[-1])
    refused("no length", "invalid_arguments", web.files_getUploadURLExternal, filename="a", length="")
    asked = web.files_getUploadURLExternal(filename="a", length=3)
    show = [{"id": asked["file_id"], "title": "a"}]
    refused("nothing was uploaded yet", "file_not_found", web.files_completeUploadExternal, files=show)
    check("other bytes than announced", raw(urllib.parse.urlparse(asked["upload_url"]).path, b"four", {})[0] == 400)
    check("the announced ones", raw(urllib.parse.urlparse(asked["upload_url"]).path, b"one", {})[0] == 200)
    refused("a name is no channel id", "channel_not_found", web.files_completeUploadExternal, files=show, channel_id="#ops")
    check("shown nowhere", web.files_completeUploadExternal(files=show)["ok"])
    refused("twice", "file_not_found", web.files_completeUploadExternal, files=show)
    control("state", {"tokens": {"xoxb-none": {"scopes": "chat:write"}}})
    refused("without files:write", "missing_scope", client("xoxb-none").files_getUploadURLExternal, filename="a", length=3)


def main():
    control("reset", {})
    control("state", {"pace": {"enabled": False}})
    web = client()
    tokens_and_auth(web)
    life_of_a_message(web)
    scheduled_messages(web)
    files(web)
    places(web)
    limits(web)
    webhooks()
    response_urls(web)
    pace(web)
    faults(web)
    receivers()
    frame()
    clicks(web)
    socket_mode(web)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


main()
