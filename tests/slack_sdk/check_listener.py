"""Has Slack's own SDKs judge the listener: the same requests to it and to slack_bolt, the same verdicts.

    python check_listener.py ACKBELL [PAYLOADS.json]

Starts the stand-in, a listener and a bolt app, and ends them. PAYLOADS.json may hold a list of more payloads. Prints one
line for each check, `N passed, M failed` at the end, and exits 1 if any failed.
"""

import http.client
import json
import logging
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

import payloads
from slack_bolt import App
from slack_bolt.app.app import SlackAppDevelopmentServer
from slack_sdk import WebClient
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode import SocketModeClient
from slack_sdk.socket_mode.response import SocketModeResponse

ACKBELL = sys.argv[1]
TOKEN = "xoxb-sandbox-0000000000"
APP_TOKEN = "xapp-sandbox-0000000000"
SECRET = "sandbox-signing-secret"
PATH = "/slack/request"
FORM = "application/x-www-form-urlencoded"
results = []


def check(name, ok, seen=""):
    results.append(bool(ok))
    print(("ok    " if ok else "FAIL  ") + name + ("" if ok else f": {seen!r}"), flush=True)


def wait_for(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Stage:
    """The stand-in and a place for files; every child ends with it."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.children = []

    def start(self, *arguments, **more):
        child = subprocess.Popen([ACKBELL, *arguments], **more)
        self.children.append(child)
        return child

    def open(self):
        sandbox = self.start("sandbox", "--listen", "127.0.0.1:0", "--burst", "100", stdout=subprocess.PIPE, text=True)
        self.base = sandbox.stdout.readline().split()[-1]

    def control(self, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.base}/_sandbox/{path}", data=data), timeout=10) as answer:
            return json.load(answer)

    def config(self, name, slack, port):
        """A configuration with a state directory of its own; the core is one that nobody runs."""
        home = self.directory / name
        home.mkdir()
        (home / "ackbell.toml").write_text(
            f'state_dir = "{home}/state"\nruntime_dir = "{home}/run"\n[slack]\nbot_token = "{TOKEN}"\n'
            f'api_url = "{self.base}/api/"\nchannel = "#ops"\n{slack}[listen]\nhttp = "127.0.0.1:{port}"\n'
            f'[core]\ncommand_file = "{home}/no.cmd"\n')
        return str(home / "ackbell.toml")

    def listen(self, config, port):
        log = open(self.directory / "listener.log", "ab")
        child = self.start("--config", config, "listen", stderr=log, stdin=subprocess.DEVNULL)
        started = wait_for(lambda: child.poll() is not None or healthy(port))
        check("the listener starts", started and child.poll() is None, self.log())
        return child

    def log(self):
        return (self.directory / "listener.log").read_text(errors="replace")

    def end(self, child):
        child.terminate()
        try:
            return child.wait(10)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()

    def close(self):
        for child in self.children:
            if child.poll() is None:
                self.end(child)


def healthy(port):
    try:
        return get(port, "/healthz") == 200
    except OSError:
        return False


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("GET", path)
    return connection.getresponse().status


def post(port, body, headers, path=PATH):
    """The status (0: the connection broke) and the body. Headers are pairs, so one may come twice."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.putrequest("POST", path)
        for name, value in [*headers, ("Content-Length", str(len(body)))]:
            connection.putheader(name, value)
        connection.endheaders(body)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    except (ConnectionError, http.client.HTTPException) as error:
        return 0, repr(error)
    finally:
        connection.close()


def sign(body, content_type=FORM, at=0, secret=SECRET, stamp=None):
    """The headers of a request signed so many seconds from now."""
    stamp = stamp or str(int(time.time()) + at)
    signature = SignatureVerifier(secret).generate_signature(timestamp=stamp, body=body)
    return [("Content-Type", content_type), ("X-Slack-Request-Timestamp", stamp), ("X-Slack-Signature", signature)]


def verdict(status):
    return {2: "taken", 4: "refused"}.get(status // 100, status)


def bolt(base, port):
    """A bolt app that takes everything, with bolt's own server. It judges requests, so it has a listener for all kinds."""
    logging.getLogger("slack_bolt").setLevel(logging.CRITICAL)
    logger = logging.getLogger("judge")
    logger.setLevel(logging.CRITICAL)
    app = App(token=TOKEN, signing_secret=SECRET, client=WebClient(token=TOKEN, base_url=f"{base}/api/"), logger=logger)
    everything = re.compile(".*", re.DOTALL)
    kinds = [app.block_action, app.view_submission, app.view_closed, app.command, app.event, app.global_shortcut,
             app.message_shortcut, app.attachment_action, app.dialog_submission, app.dialog_cancellation]
    for kind in kinds:
        kind(everything)(lambda ack: ack())
    for kind in (app.block_suggestion, app.dialog_suggestion):
        kind(everything)(lambda ack: ack(options=[]))
    server = SlackAppDevelopmentServer(port=port, path=PATH, app=app, http_server_logger_enabled=False)
    server._server.handle_error = lambda *_: None  # what breaks bolt's own server is a verdict, not news
    threading.Thread(target=server._server.serve_forever, args=(0.05,), daemon=True).start()


class Court:
    """The two doors side by side."""

    def __init__(self, base, ours, theirs):
        self.base, self.ours, self.theirs = base, ours, theirs

    def both(self, name, expected, body, headers, path=PATH):
        """Both must judge so. Gives the bodies of the two answers."""
        answers = [post(port, body, headers, path) for port in (self.ours, self.theirs)]
        verdicts = [verdict(status) for status, _ in answers]
        check(f"{name}: both say {expected}", verdicts == [expected, expected], answers)
        return [text for _, text in answers]

    def apart(self, name, expected, why, body, headers):
        """Ours must judge so; bolt's verdict is another, or says nothing about the request."""
        theirs = post(self.theirs, body, headers)[0]
        ours = post(self.ours, body, headers)
        check(f"{name}: we say {expected}, bolt {verdict(theirs) or 'breaks'} ({why})",
              verdict(ours[0]) == expected and verdict(theirs) != expected, (ours, theirs))

    def slash(self, words="status"):
        return payloads.wire(payloads.slash(self.base, words))[0]

    def event(self, **more):
        return payloads.wire(payloads.event(**{"type": "app_mention", "user": "U0ALICE001", "text": "hello", **more}))


def kinds(court):
    for name, payload in payloads.every_kind(court.base):
        body, content_type = payloads.wire(payload)
        court.both(name, "taken", body, sign(body, content_type))
    for words in ("größe 日本 😀", "a & b = c + d %41", "ssl_check=1", "x" * 3000):
        body = court.slash(words)
        court.both(f"a slash command with {words[:20]!r}", "taken", body, sign(body))
    body = court.slash("a b").replace(b"a+b", b"a%20b")
    court.both("blanks as %20", "taken", body, sign(body))
    body, content_type = court.event(text="größe 日本 😀")
    court.both("an event in UTF-8", "taken", body, sign(body, content_type))
    body = json.dumps(json.loads(court.event(text="größe 😀")[0])).encode()
    court.both("an event in ASCII", "taken", body, sign(body, "application/json; charset=utf-8"))
    body, content_type = court.event()
    retry = [("X-Slack-Retry-Num", "1"), ("X-Slack-Retry-Reason", "http_timeout")]
    court.both("Slack's repetition of an event", "taken", body, sign(body, content_type) + retry)
    body, _ = payloads.wire({"type": "a_new_kind", **payloads.fields(court.base)})
    court.apart("a kind nobody knows", "taken", "bolt has no listener for it, and Slack would repeat", body, sign(body))
    body, content_type = payloads.wire({"type": "app_rate_limited", "team_id": "T0SANDBOX", "minute_rate_limited": 1700000000})
    court.apart("app_rate_limited", "taken", "bolt has no listener for it", body, sign(body, content_type))


def probes(court):
    challenge = "3eZbrw1aBm2rZgRNFYlgYlw9QpJTWJXnLCIXPx+/="
    body, content_type = payloads.wire({"type": "url_verification", "token": "x", "challenge": challenge})
    echoes = court.both("url_verification", "taken", body, sign(body, content_type))
    check("both echo the challenge", all(challenge in echo for echo in echoes), echoes)
    body += b" "
    court.both("an unsigned url_verification", "refused", body, [("Content-Type", content_type)])
    court.both("an ssl_check, which nobody signs", "taken", b"token=x&ssl_check=1", [("Content-Type", FORM)])
    court.both("no ssl_check", "refused", b"token=x&ssl_check=0", [("Content-Type", FORM)])
    court.both("an unsigned command that speaks of it", "refused", court.slash("ssl_check=1"), [("Content-Type", FORM)])
    body = court.slash()
    court.both("another path", "refused", body, sign(body), "/elsewhere")
    refused = [get(port, PATH) for port in (court.ours, court.theirs)]
    check("a GET: both say refused", all(verdict(status) == "refused" for status in refused), refused)


def without_header(headers, name):
    return [pair for pair in headers if pair[0] != name]


def with_header(headers, name, change):
    return [(key, change(value) if key == name else value) for key, value in headers]


def signatures(court):
    time_header, signature = "X-Slack-Request-Timestamp", "X-Slack-Signature"

    def case(name, expected, change=lambda headers: headers, body=lambda body: body, **more):
        made = court.slash()
        court.both(name, expected, body(made), change(sign(made, **more)))

    case("297 s old", "taken", at=-297)
    case("301 s old", "refused", at=-301)
    case("a day old", "refused", at=-86400)
    # bolt for JavaScript looks at the past only; Python's takes the difference, as we do.
    case("297 s from the future", "taken", at=297)
    case("305 s from the future", "refused", at=305)
    case("a changed body", "refused", body=lambda body: body.replace(b"status", b"statue"))
    case("one byte more", "refused", body=lambda body: body + b"&")
    case("one byte less", "refused", body=lambda body: body[:-1])
    case("an empty body that another was signed for", "refused", body=lambda _: b"")
    case("the wrong secret", "refused", secret=SECRET[:-1])
    flip = {"0": "1"}
    for name, change in [
        ("a changed signature", lambda given: given[:-1] + flip.get(given[-1], "0")),
        ("a signature cut short", lambda given: given[:-1]),
        ("a signature and more", lambda given: given + "0"),
        ("only the version", lambda _: "v0="),
        ("an empty signature", lambda _: ""),
        ("another version", lambda given: given.replace("v0=", "v1=")),
        ("no version", lambda given: given[3:]),
        ("a signature in capitals", str.upper),
    ]:
        case(name, "refused", lambda headers, change=change: with_header(headers, signature, change))
    case("another time than the signed one", "refused", lambda headers: with_header(headers, time_header, lambda t: str(int(t) + 1)))
    case("no time", "refused", lambda headers: without_header(headers, time_header))
    case("no signature", "refused", lambda headers: without_header(headers, signature))
    case("neither", "refused", lambda headers: without_header(without_header(headers, signature), time_header))
    case("header names in small letters", "taken", lambda headers: [(name.lower(), value) for name, value in headers])
    case("header names in capitals", "taken", lambda headers: [(name.upper(), value) for name, value in headers])
    court.both("an empty body, rightly signed", "refused", b"", sign(b""))
    unsigned = court.slash()
    court.both("no header at all", "refused", unsigned, [])
    other = [(name, value) for name, value in sign(court.slash()) if name != "Content-Type"]
    court.both("the signature of another request", "refused", court.slash(), other)


def differences(court):
    """Where the listener is right to judge otherwise."""
    body = court.slash()
    headers = sign(body)
    court.both("a command", "taken", body, headers)
    court.apart("the same once more", "refused", "a replay", body, headers)
    moved = with_header(headers, "Content-Type", lambda _: "text/plain")
    court.apart("the same, called something else", "refused", "a replay", body, moved)
    body = court.slash()
    headers = sign(body)
    court.apart("a signature given twice", "refused", "which of the two is meant?", body, headers + headers[-1:])
    for name, stamp in [("a time that is no number", "noon"), ("half a second", f"{time.time():.1f}"), ("a huge time", "9" * 25)]:
        body = court.slash()
        answer = post(court.ours, body, sign(body, stamp=stamp))
        theirs = post(court.theirs, body, sign(body, stamp=stamp))[0]
        check(f"{name}: we say refused (bolt: {verdict(theirs) or 'breaks'})", verdict(answer[0]) == "refused", answer)
    body = court.slash()
    court.apart("a time with a sign", "refused", "digits are the only way to write it", body, sign(body, stamp=f"+{int(time.time())}"))
    body = b"payload=%7B%22type%22%3A"
    court.apart("half a payload, rightly signed", "refused", "its parser raises", body, sign(body))
    body = court.slash("x" * 1024 * 1024)
    answers = [post(port, body, sign(body))[0] for port in (court.ours, court.theirs)]
    # Nobody reads the rest of it, so the connection may break before the client has read the 413.
    check("more than 1 MiB: we refuse to read it, bolt takes it", answers[0] in (413, 0) and answers[1] == 200, answers)
    body = b"payload=\xff\xfe"
    # The SDK signs text only, so this one is signed as the two bytes it is mistaken for.
    answer = post(court.ours, body, sign(body.decode("latin-1")))
    check("bytes that are no text: we say refused", verdict(answer[0]) == "refused", answer)


# What a payload can't be without; `*` is any place of a list.
NEEDED = {
    "": {("user_id",), ("command",)},
    "block_actions": {("type",), ("user",), ("user", "id"), ("actions", "*", "action_id"), ("view", "id")},
    "view_submission": {("type",), ("user",), ("user", "id"), ("view",), ("view", "id")},
    "view_closed": {("type",), ("user",), ("user", "id"), ("view",), ("view", "id")},
    "shortcut": {("type",), ("user",), ("user", "id")},
    "message_action": {("type",), ("user",), ("user", "id")},
    "interactive_message": {("type",), ("user",), ("user", "id"), ("actions",), ("actions", "*")},
    "event_callback": {("type",), ("event",), ("event", "type"), ("event", "user")},
}
WRONG = [7, -1e300, True, "", "x" * 300, [], [[]], {}, {"id": 7}, "\u0000\n;"]


def bent(court):
    """Payloads with more than we know, with less, and with nonsense: taken, taken unless needed, and never a 5xx."""
    asked, unkind, broken = 0, [], []

    def ask(name, payload, like, may_refuse):
        nonlocal asked
        asked += 1
        payload = {**payload, "x_number": asked}  # else it could be a replay
        body, content_type = payloads.wire(payload, like)
        status, _ = post(court.ours, body, sign(body, content_type))
        if status not in (200, 400):
            broken.append((name, status))
        elif status == 400 and not may_refuse:
            unkind.append(name)

    for name, payload in payloads.every_kind(court.base):
        needed = NEEDED.get(payload.get("type", ""), {("type",)})
        ask(f"{name} with more", payloads.with_more(payload), payload, False)
        for number, path in enumerate(payloads.paths(payload)):
            is_needed = tuple("*" if isinstance(key, int) else key for key in path) in needed
            # What stands in a list or under a name of our own is there or isn't; it is never null.
            is_ours = isinstance(path[-1], int) or ("values" in path and len(path) < path.index("values") + 4)
            ask(f"{name} without {path}", payloads.without(payload, path), payload, is_needed)
            ask(f"{name} with a null {path}", payloads.changed(payload, path, None), payload, is_needed or is_ours)
            ask(f"{name} with nonsense in {path}", payloads.changed(payload, path, WRONG[number % len(WRONG)]), payload, True)
    check(f"{asked} bent payloads: none breaks it", not broken, broken[:5])
    check("what isn't needed may be missing", not unkind, unkind[:20])


def more_payloads(court, path):
    for number, payload in enumerate(json.loads(pathlib.Path(path).read_text())):
        body, content_type = payloads.wire(payload)
        name = f"payload {number} ({payload.get('type') or payload.get('command')})"
        court.both(name, "taken", body, sign(body, content_type))


BUTTONS = [{"type": "actions", "block_id": "b", "elements": [
    {"type": "button", "action_id": "acknowledge", "value": "7", "text": {"type": "plain_text", "text": "Acknowledge"}}]}]


def clicks(stage, court, web):
    """What the stand-in sends, over HTTP: bolt takes it, and so do we; byte for byte once more only bolt does."""
    posted = web.chat_postMessage(channel="#ops", text="CRITICAL db1", blocks=BUTTONS)
    click = {"channel": posted["channel"], "ts": posted["ts"], "action_id": "acknowledge"}
    for name, port, again in [("bolt says", court.theirs, 200), ("we say", court.ours, 401)]:
        stage.control("state", {"app": {"request_url": f"http://127.0.0.1:{port}{PATH}"}})
        clicked = stage.control("click", click)
        check(f"a click of the stand-in: {name} taken", clicked["ok"] and clicked["ms"] < 3000, clicked)
        repeated = stage.control("click", {"again": True})
        check(f"the same bytes again: {name} {again}", repeated["status"] == again, repeated)
    return click


def judged_socket(stage, name, click, overlaps):
    """One connected client takes clicks, a command and an event in time, also when its connection is renewed."""
    wait_for(lambda: len(stage.control("sockets")["connections"]) == 1)
    connections = stage.control("sockets")["connections"]
    check(f"{name}: one connection", len(connections) == 1, connections)
    sent = [("a click", "click", click), ("a command", "slash", {"command": "/ackbell", "text": "status"}),
            ("an event", "event", {"event": {"type": "app_home_opened", "user": "U0ALICE001", "tab": "home"}})]
    for what, path, order in sent:
        answer = stage.control(path, order)
        check(f"{name}: {what} is acknowledged in time", answer["ok"] and answer["ms"] < 3000, answer)
    seen = stage.control("sockets")["connections"][0]
    check(f"{name}: every envelope is acknowledged once", seen["acks"] == seen["envelopes"] == len(sent), seen)
    stage.control("socket", {"disconnect": "refresh_requested", "grace_ms": 1000})

    def renewed():
        ids = [one["id"] for one in stage.control("sockets")["connections"]]
        return any(one > seen["id"] for one in ids) and (overlaps or seen["id"] not in ids)

    check(f"{name}: the connection is renewed", wait_for(renewed), stage.control("sockets"))
    answer = stage.control("click", click)
    check(f"{name}: and a click goes over the new one", answer["ok"] and answer["ms"] < 3000, answer)


def over_socket(stage, web, click):
    """The SDK's Socket Mode client and ours, one after the other, connected to the same stand-in."""
    stage.control("reset", {})
    posted = web.chat_postMessage(channel="#ops", text="CRITICAL db1", blocks=BUTTONS)
    click = {**click, "channel": posted["channel"], "ts": posted["ts"]}
    stage.control("state", {"app": {"socket_mode": True}})
    client = SocketModeClient(app_token=APP_TOKEN, web_client=WebClient(base_url=f"{stage.base}/api/"), ping_interval=1)
    client.socket_mode_request_listeners.append(
        lambda taker, request: taker.send_socket_mode_response(SocketModeResponse(envelope_id=request.envelope_id)))
    client.connect()
    # The SDK reads from the new connection only once the old one is closed; ours serves both.
    judged_socket(stage, "slack_sdk", click, overlaps=False)
    client.close()
    gone = wait_for(lambda: not stage.control("sockets")["connections"])
    check("slack_sdk: it hangs up", gone, stage.control("sockets"))
    port = free_port()
    ours = stage.listen(stage.config("socket", f'app_token = "{APP_TOKEN}"\n', port), port)
    judged_socket(stage, "ackbell", click, overlaps=True)
    check("ackbell: it ends well", stage.end(ours) == 0, stage.log())
    gone = wait_for(lambda: not stage.control("sockets")["connections"])
    check("ackbell: it hangs up", gone, stage.control("sockets"))
    violations = stage.control("violations")
    check("nothing is out of order on the wire", not violations, violations)


def judge(stage):
    stage.open()
    ours, theirs = free_port(), free_port()
    listener = stage.listen(stage.config("http", f'signing_secret = "{SECRET}"\n', ours), ours)
    bolt(stage.base, theirs)
    court = Court(stage.base, ours, theirs)
    web = WebClient(token=TOKEN, base_url=f"{stage.base}/api/")
    kinds(court)
    probes(court)
    signatures(court)
    differences(court)
    click = clicks(stage, court, web)
    bent(court)
    if len(sys.argv) > 2:
        more_payloads(court, sys.argv[2])
    check("the listener is well after all that", get(ours, "/healthz") == 200)
    check("and ends well", stage.end(listener) == 0)
    over_socket(stage, web, click)
    log = stage.log()
    check("nothing panicked", "panicked" not in log, log)
    check("no secret is in the log", not any(secret in log for secret in (SECRET, TOKEN, APP_TOKEN)), log)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the children end then, too
    with tempfile.TemporaryDirectory() as directory:
        stage = Stage(directory)
        try:
            judge(stage)
        finally:
            stage.close()
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    sys.exit(0 if all(results) else 1)


main()
