"""What the listener costs: delivering, carrying clicks to the core, reading the core's state, and doing nothing."""
import fcntl
import hashlib
import hmac
import http.client
import json
import os
import re
import socket
import subprocess
import threading
import time
import urllib.parse

import shared
from shared import SIGNING_SECRET, Site, cpu_seconds, percentile, row

PEOPLE = 40  # one person's acts are limited to 60 a minute


def figures(test):
    """What a test prints that measures one step from within: the release profile's own optimisation, without its linking."""
    environment = {**os.environ, "CARGO_PROFILE_RELEASE_LTO": "off", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16"}
    command = ["cargo", "test", "--release", "--locked", "--lib", "--quiet", "--", "--nocapture", test]
    done = subprocess.run(command, cwd=shared.ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}: {done.stdout[-500:]}{done.stderr[-2000:]}")
    for what, value, floor in re.findall(r"figure: (.*?); (.*?)(?:; (.*))?$", done.stdout, re.M):
        row(what, value, floor)


def flow(bench):
    """Draining, deciding and rendering one by one; then all of it, over many channels, as pace holds each to one a second."""
    figures("figures_of_the_flow")
    count, channels = bench.fewer(5000), 1000
    site = Site(bench.program, token=True)
    os.mkdir(f"{site.dir}/aside")
    with open(f"{site.dir}/aside/deliver.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # somebody delivers already: each leaves it in the spool
        for number in range(count):
            assert shared.run(site.notify(number, "--to", f"#load-{number % channels}", "--core", "x"), {"ACKBELL_STATE_DIR": f"{site.dir}/aside"})[3] == 0
    # Everything waits in the spool when the listener starts: put there at once, under the names that it has.
    os.makedirs(f"{site.dir}/state/spool", exist_ok=True)
    os.rename(f"{site.dir}/aside/spool/new", f"{site.dir}/state/spool/new")
    started, pid = time.monotonic(), site.listen()
    shown = lambda: len(site.messages())
    shared.wait_until("the first message of each channel", 300, lambda: shown() >= min(count, channels))
    took, cpu, messages = time.monotonic() - started, cpu_seconds(pid), shown()
    with open(f"{site.dir}/curl", "w") as out:
        out.write("\nnext\n".join([f'url = "{site.hook}"\ndata = "{{\\"text\\":\\"x\\"}}"\noutput = "/dev/null"'] * messages))
    floor = shared.run(["curl", "-sS", "-H", "Content-Type: application/json", "-K", f"{site.dir}/curl"])
    row(f"{messages} messages to {channels} channels: rate, listener's CPU each", f"{messages / took:.0f}/s, {cpu / messages * 1000:.1f} ms",
        f"{took * 1000 / floor[1]:.1f} x curl posting as many over one connection; {messages / cpu:.0f} a second and core")
    site.close()


def request(door, user, host):
    """A click on Acknowledge as Slack signs it."""
    now = time.time()
    payload = {
        "type": "block_actions", "team": {"id": "T0SANDBOX"}, "user": {"id": user, "username": "alice", "team_id": "T0SANDBOX"},
        "api_app_id": "A1", "container": {"type": "message", "channel_id": "C1", "message_ts": "1.2"}, "trigger_id": f"{now}.{host}",
        "channel": {"id": "C1", "name": "ops"}, "message": {"ts": "1.2"},
        "actions": [{"action_id": "acknowledge", "type": "button", "value": json.dumps({"core": "", "host": host, "service": "Disk"}),
                     "action_ts": f"{now:.6f}"}],
    }
    body = "payload=" + urllib.parse.quote(json.dumps(payload))
    stamp = str(int(now))
    mac = hmac.new(SIGNING_SECRET.encode(), f"v0:{stamp}:{body}".encode(), hashlib.sha256).hexdigest()
    door.request("POST", "/slack/request", body, {"Content-Type": "application/x-www-form-urlencoded", "X-Slack-Request-Timestamp": stamp,
                                                  "X-Slack-Signature": f"v0={mac}"})
    answer = door.getresponse()
    answer.read()
    assert answer.status == 200, answer.status


def read_commands(path, seen):
    """The core's end of the command file: when each host's command came."""
    # Opened for writing as well, as cores do: else it ends with each writer.
    with os.fdopen(os.open(path, os.O_RDWR), "rb", buffering=0) as fifo, open(fifo.fileno(), closefd=False) as lines:
        for line in lines:
            seen.setdefault(line.split(";")[1], time.monotonic())


def click_at(rate, seconds, port, seen):
    """Clicks at that rate from eight connections; the milliseconds to the answer and to the command."""
    sent, answered, lock = {}, [], threading.Lock()
    count, began = int(rate * seconds), time.monotonic() + 0.2

    def worker(first):
        door = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        for number in range(first, count, 8):
            time.sleep(max(0, began + number / rate - time.monotonic()))
            host, started = f"r{rate}-{number}", time.monotonic()
            request(door, f"U0BENCH{number % PEOPLE:03}", host)
            with lock:
                sent[host] = started
                answered.append((time.monotonic() - started) * 1000)

    threads = [threading.Thread(target=worker, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shared.wait_until("the commands", 120, lambda: all(host in seen for host in sent))
    return answered, [(seen[host] - started) * 1000 for host, started in sent.items()]


def clickable(bench, database=""):
    """A site whose listener takes clicks and writes commands: that, its port, and when each host's command came. Its outbox is
    a file, or the database that the section `database` names."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    more = (f'signing_secret = "{SIGNING_SECRET}"\n[listen]\nhttp = "127.0.0.1:{port}"\nsocket_mode = false\n'
            f'[core]\nkind = "nagios"\ncommand_file = "nagios.cmd"\n{database}')
    site, seen = Site(bench.program, token=True, more=more), {}
    site.tell("state", {"users": [{"id": f"U0BENCH{n:03}", "name": f"bench{n}", "email": f"b{n}@example.com"} for n in range(PEOPLE)]})
    os.mkfifo(f"{site.dir}/nagios.cmd", 0o660)
    threading.Thread(target=read_commands, args=(f"{site.dir}/nagios.cmd", seen), daemon=True).start()
    if database:
        subprocess.run(site.command("database", "init"), check=True, capture_output=True)
    site.listen()
    return site, port, seen


def healthy(port):
    """Milliseconds of the cheapest request of all."""
    door, took = http.client.HTTPConnection("127.0.0.1", port, timeout=20), []
    for _ in range(100):
        started = time.monotonic()
        door.request("GET", "/healthz")
        door.getresponse().read()
        took.append((time.monotonic() - started) * 1000)
    return took


def clicks(bench):
    """From Slack's request to the line in the core's command file."""
    site, port, seen = clickable(bench)
    health = healthy(port)
    floor = percentile(health, 50)
    row("GET /healthz: p50, p99", f"{floor:.1f} ms, {percentile(health, 99):.1f} ms", "floor")
    for rate, seconds in ((1, 5 if bench.quick else 30), (200, 3 if bench.quick else 10)):
        answered, took = click_at(rate, seconds, port, seen)
        row(f"{len(took)} clicks at {rate} a second, answered: p50, p99", f"{percentile(answered, 50):.0f} ms, {percentile(answered, 99):.0f} ms",
            f"{percentile(answered, 50) / floor:.1f} x /healthz; Slack waits 3 s", percentile(answered, 99) < 3000)
        row("  in the command file: p50, p99", f"{percentile(took, 50):.0f} ms, {percentile(took, 99):.0f} ms",
            f"{percentile(took, 50) / floor:.1f} x /healthz; none lost")
    site.close()


def readback(_):
    """The core's state file, by its size."""
    figures("figures_of_reading_back")


def idle(bench):
    """A listener that has nothing to do, connected by Socket Mode."""
    site = Site(bench.program, token=True, more='app_token = "xapp-sandbox-0000000000"\n')
    pid, seconds = site.listen(), 10 if bench.quick else 60
    time.sleep(12)  # what a start leaves to do
    before, cpu = shared.switches(pid), cpu_seconds(pid)
    time.sleep(seconds)
    wakes, spent = (shared.switches(pid) - before) / seconds, (cpu_seconds(pid) - cpu) / seconds
    row("idle listener: memory, threads", f"{shared.field(pid, 'status', 'VmRSS') / 1024:.1f} MB, {len(os.listdir(f'/proc/{pid}/task'))}")
    row("  wake-ups a second, share of a core", f"{wakes:.2f}, {spent * 100:.3f} %", "under 1 a second", wakes < 1)
    site.close()
