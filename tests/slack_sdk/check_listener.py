"""Sends the same requests to our listener and to Slack's own Bolt, and compares who takes and who refuses.

    python check_listener.py PATH_OF_ACKBELL

Starts a stand-in and a listener by itself. Prints one line for each check, `N passed, M failed` at the end, and exits 1
if any failed. Where ours must be stricter than Bolt, the line says so.
"""

import json
import logging
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from slack_bolt import App, BoltRequest
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

ACKBELL = os.path.abspath(sys.argv[1])
SECRET = "sandbox-signing-secret"
TOKEN, APP_TOKEN = "xoxb-sandbox-0000000000", "xapp-sandbox-0000000000"
children, results = [], []
logging.disable(logging.CRITICAL)


def check(name, ok, seen=""):
    results.append(bool(ok))
    print(("ok    " if ok else "FAIL  ") + name + ("" if ok else f": {seen!r}"))


def start(*arguments, **more):
    child = subprocess.Popen([ACKBELL, *arguments], **more)
    children.append(child)
    return child


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait(what, condition):
    until = time.time() + 20
    while not condition():
        assert time.time() < until, f"waited for {what}"
        time.sleep(0.05)


def signed(body, at=0, secret=SECRET):
    now = str(int(time.time()) + at)
    signature = SignatureVerifier(secret).generate_signature(timestamp=now, body=body)
    return {"X-Slack-Request-Timestamp": now, "X-Slack-Signature": signature}


def ours(body, headers, path="/slack/request"):
    request = urllib.request.Request(LISTENER + path, data=body.encode(), headers=headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read().decode(errors="replace")


def bolts(body, headers):
    answer = bolt.dispatch(BoltRequest(body=body, headers=headers))
    return answer.status, answer.body


def taken(status):
    return 200 <= status < 300


def bolt_app(api_url):
    app = App(
        client=WebClient(token=TOKEN, base_url=api_url),
        signing_secret=SECRET,
        process_before_response=True,
        token_verification_enabled=False,
    )
    anything = re.compile(".*")
    for register in (app.action, app.view, app.view_closed, app.command, app.shortcut, app.options):
        register(anything)(lambda ack: ack())
    app.event(anything)(lambda: None)
    return app


def form(payload):
    return urllib.parse.urlencode({"payload": json.dumps(payload)})


def payloads():
    user = {"id": "U0ALICE001", "username": "alice", "name": "alice", "team_id": "T0SANDBOX"}
    team = {"id": "T0SANDBOX", "domain": "sandbox"}
    base = {"user": user, "team": team, "api_app_id": "A0SANDBOX", "token": "t", "trigger_id": "1.2.3", "enterprise": None,
            "is_enterprise_install": False, "unknown_field": {"deep": [1, 2, {"x": None}]}}
    channel = {"id": "C0OPS00001", "name": "ops"}
    state = {"values": {"comment": {"comment": {"type": "plain_text_input", "value": "äöü <!channel>"}}}}
    view = {"id": "V1", "team_id": "T0SANDBOX", "type": "modal", "callback_id": "other", "private_metadata": "", "hash": "1.x",
            "state": state, "title": {"type": "plain_text", "text": "x"}, "blocks": []}
    action = {"action_id": "nothing_of_ours", "block_id": "b", "type": "button", "value": "v", "action_ts": "1.1",
              "text": {"type": "plain_text", "text": "x"}}
    container = {"type": "message", "message_ts": "1.2", "channel_id": "C0OPS00001", "is_ephemeral": False}
    message = {"type": "message", "ts": "1.2", "text": "t", "blocks": []}
    url = "https://hooks.slack.com/actions/T/1/x"
    legacy = {"actions": [{"name": "ack", "type": "button", "value": "yes"}], "callback_id": "old", "team": team, "channel": channel,
              "user": user, "action_ts": "1.1", "message_ts": "1.2", "attachment_id": "1", "token": "t", "is_app_unfurl": False,
              "original_message": {}, "response_url": url, "trigger_id": "1.2.3", "type": "interactive_message"}
    yield "block_actions", {**base, "type": "block_actions", "container": container, "channel": channel, "message": message,
                            "state": {"values": {}}, "response_url": url, "actions": [action]}
    yield "block_actions of a url button", {**base, "type": "block_actions", "container": container, "channel": channel,
                                            "message": message, "response_url": url, "actions": [{**action, "url": "https://x"}]}
    yield "block_actions in a view", {**base, "type": "block_actions", "container": {"type": "view", "view_id": "V1"}, "view": view,
                                      "actions": [action]}
    yield "view_submission", {**base, "type": "view_submission", "view": view, "response_urls": []}
    yield "view_closed", {**base, "type": "view_closed", "view": view, "is_cleared": False}
    yield "shortcut", {**base, "type": "shortcut", "callback_id": "s", "action_ts": "1.1"}
    yield "message_action", {**base, "type": "message_action", "callback_id": "s", "action_ts": "1.1", "channel": channel,
                             "message": message, "message_ts": "1.2", "response_url": url}
    yield "interactive_message", legacy
    yield "block_suggestion", {**base, "type": "block_suggestion", "action_id": "a", "block_id": "b", "value": "x", "view": view,
                               "container": {"type": "view", "view_id": "V1"}}
    yield "dialog_submission", {**base, "type": "dialog_submission", "callback_id": "d", "submission": {"a": "b"}, "state": "",
                                "action_ts": "1.1", "channel": channel, "response_url": url}


def valid_requests():
    for name, payload in payloads():
        yield name, form(payload), "application/x-www-form-urlencoded"
    command = {"token": "t", "team_id": "T0SANDBOX", "team_domain": "s", "channel_id": "C0OPS00001", "channel_name": "ops",
               "user_id": "U0ALICE001", "user_name": "alice", "command": "/ackbell", "text": "help ü", "trigger_id": "1.2.3",
               "response_url": "https://hooks.slack.com/commands/1/2", "api_app_id": "A0SANDBOX", "is_enterprise_install": "false"}
    yield "slash command", urllib.parse.urlencode(command), "application/x-www-form-urlencoded"
    for event in ("app_home_opened", "app_uninstalled", "tokens_revoked", "reaction_added"):
        body = {"token": "t", "team_id": "T0SANDBOX", "api_app_id": "A0SANDBOX", "type": "event_callback", "event_id": "Ev" + event,
                "event_time": 1, "authorizations": [],
                "event": {"type": event, "user": "U0ALICE001", "channel": "D1", "tab": "home", "tokens": {"bot": ["U1"]}, "event_ts": "1.1"}}
        yield f"event {event}", json.dumps(body), "application/json"


def compare_valid():
    for name, body, content in valid_requests():
        headers = {"Content-Type": content}
        mine, theirs = ours(body, {**headers, **signed(body)}), bolts(body, {**headers, **signed(body)})
        check(f"{name}: taken by both", taken(mine[0]) and taken(theirs[0]), (mine, theirs))
        check(f"{name}: an empty answer shows nothing", mine[1] == "", mine)
    body = json.dumps({"token": "t", "challenge": "3eZbrw1aBm2rZgRNFdxV2595E9CY3gmdALWMmHkvFXO7tYXAYM8P", "type": "url_verification"})
    headers = {"Content-Type": "application/json"}
    mine, theirs = ours(body, {**headers, **signed(body)}), bolts(body, {**headers, **signed(body)})
    check("url_verification: both answer the challenge", "3eZbrw1aBm2r" in mine[1] and "3eZbrw1aBm2r" in theirs[1], (mine, theirs))
    body = "ssl_check=1&token=t"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    mine, theirs = ours(body, headers), bolts(body, headers)
    check("ssl_check: both take it unsigned", taken(mine[0]) and taken(theirs[0]), (mine, theirs))


def compare_refused():
    name, body, content = next(valid_requests())
    base = {"Content-Type": content}
    without = lambda key: {name: value for name, value in signed(body).items() if name != key}
    cases = [
        ("stale by 301 s", body, signed(body, -301)),
        ("of another secret", body, signed(body, secret="another")),
        ("tampered body", body.replace("alice", "mallory"), signed(body)),
        ("tampered signature", body, {**signed(body), "X-Slack-Signature": "v0=" + "0" * 64}),
        ("signature of version 1", body, {**signed(body), "X-Slack-Signature": "v1=" + "0" * 64}),
        ("without a signature", body, without("X-Slack-Signature")),
        ("without a timestamp", body, without("X-Slack-Request-Timestamp")),
        ("timestamp that is no number", body, {**signed(body), "X-Slack-Request-Timestamp": "soon"}),
        ("unsigned", body, {}),
    ]
    for name, sent, headers in cases:
        mine, theirs = ours(sent, {**base, **headers}), bolts(sent, {**base, **headers})
        # A timestamp that is no number makes Bolt fail: it doesn't take it either.
        check(f"{name}: refused by both", 400 <= mine[0] < 500 and 400 <= theirs[0] <= 500, (mine, theirs))
    for name, at in (("4 min old", -240), ("4 min ahead", 240)):
        headers = {**base, **signed(body, at)}
        mine, theirs = ours(body, headers), bolts(body, headers)
        check(f"{name}: taken by both", taken(mine[0]) and taken(theirs[0]), (mine, theirs))
    fresh = body + "&once=1"
    again = {**base, **signed(fresh)}
    first, second = ours(fresh, again), ours(fresh, again)
    check("a replay: refused by ours, which Bolt takes", taken(first[0]) and 400 <= second[0] < 500, (first, second))
    ahead = ours(body, {**base, **signed(body, 301)})
    check("301 s ahead: refused by ours", 400 <= ahead[0] < 500, ahead)


def never_fails():
    for name, payload in payloads():
        for missing in [key for key in payload if key != "type"]:
            body = form({key: value for key, value in payload.items() if key != missing})
            status, _ = ours(body, {"Content-Type": "application/x-www-form-urlencoded", **signed(body)})
            check(f"{name} without its {missing}: no failure of ours", status < 500, status)


def over_socket_mode(base, site):
    control = lambda path, body=None: json.load(urllib.request.urlopen(urllib.request.Request(
        f"{base}/_sandbox/{path}", data=None if body is None else json.dumps(body).encode())))
    control("state", {"app": {"socket_mode": True}})
    message = WebClient(token=TOKEN, base_url=f"{base}/api/").chat_postMessage(channel="#ops", text="x", blocks=[{
        "type": "actions", "block_id": "b", "elements": [{
            "type": "button", "action_id": "nothing_of_ours", "text": {"type": "plain_text", "text": "x"}, "value": "v"}]}])
    click = {"channel": message["channel"], "ts": message["ts"], "action_id": "nothing_of_ours"}
    sdk = SocketModeClient(app_token=APP_TOKEN, web_client=WebClient(token=TOKEN, base_url=f"{base}/api/"))
    sdk.socket_mode_request_listeners.append(
        lambda client, request: client.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id)))
    sdk.connect()
    wait("the SDK's connection", lambda: len(control("sockets")["connections"]) == 1)
    answer = control("click", click)
    check("Socket Mode: the SDK's client acknowledges a click", answer["ok"], answer)
    sdk.close()
    wait("its end", lambda: not control("sockets")["connections"])
    config = write_config(site, base, f'app_token = "{APP_TOKEN}"\n')
    start("--config", config, "listen", stderr=subprocess.DEVNULL)
    wait("our connection", lambda: len(control("sockets")["connections"]) == 1)
    answer = control("click", click)
    check("Socket Mode: ours acknowledges the same click", answer["ok"] and answer["ms"] < 1000, answer)


def write_config(site, base, more):
    path = os.path.join(site, f"{len(os.listdir(site))}.toml")
    with open(path, "w") as file:
        file.write(f'state_dir = "{path}.state"\n[slack]\nbot_token = "{TOKEN}"\napi_url = "{base}/api/"\nchannel = "#ops"\n{more}')
    os.chmod(path, 0o640)
    return path


try:
    with tempfile.TemporaryDirectory() as site:
        sandbox = start("sandbox", "--listen", "127.0.0.1:0", "--burst", "99", stdout=subprocess.PIPE, text=True)
        BASE = sandbox.stdout.readline().strip().rsplit(" ", 1)[1]
        port = free_port()
        LISTENER = f"http://127.0.0.1:{port}"
        config = write_config(site, BASE, f'signing_secret = "{SECRET}"\n[listen]\nhttp = "127.0.0.1:{port}"\n')
        start("--config", config, "listen", stderr=subprocess.DEVNULL)
        wait("the listener", lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0)
        bolt = bolt_app(f"{BASE}/api/")
        compare_valid()
        compare_refused()
        never_fails()
        over_socket_mode(BASE, site)
finally:
    for child in children:
        child.kill()
print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
sys.exit(0 if all(results) and results else 1)
