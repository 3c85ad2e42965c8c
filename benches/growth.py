"""Ten times the work, and again: what waits, and what was."""
import json
import os
import sqlite3
import subprocess
import time

import running
import shared
from shared import Site, row

YEAR_MS = 365 * 86_400_000


def spool(site, count):
    """Notifications as `notify` leaves them; the README has the format."""
    for name in ("tmp", "new", "bad"):
        os.makedirs(f"{site.dir}/state/spool/{name}", exist_ok=True)
    now = time.time_ns()
    for number in range(count):
        notification = {"kind": "PROBLEM", "host": {"name": f"host{number // 10}"}, "service": {"name": f"Disk {number % 10}", "state": "CRITICAL"},
                        "time": now // 10**9, "output": "DISK CRITICAL - free space: / 1043 MB (3% inode=94%)", "contact": {}, "ids": {}, "progress": {}}
        with open(f"{site.dir}/state/spool/new/{now + number:020}.1.{number:016x}", "w") as out:
            json.dump({"ackbell": 1, "received": now // 10**6, "notification": notification}, out)


def timed(command):
    """Milliseconds; its exit code says other things than success, too."""
    started = time.monotonic()
    subprocess.run(command, capture_output=True, check=False)
    return (time.monotonic() - started) * 1000


def queue(bench):
    first = None
    for count in (1000, 10_000) if bench.quick else (1000, 10_000, 100_000):
        site = Site(bench.program, token=True, sandbox=["--burst", "1"])
        spool(site, count)
        started, pid = time.monotonic(), site.listen()
        shared.wait_until("the spool to be drained", 600, lambda: site.spooled() == 0)
        took = time.monotonic() - started
        memory = shared.field(pid, "status", "VmHWM") / 1024
        listed, checked, notified = timed(site.command("queue", "list")), timed(site.command("check")), timed(site.notify(0))
        size = sum(os.path.getsize(f"{site.dir}/state/{name}") for name in os.listdir(f"{site.dir}/state") if name.startswith("ackbell.db"))
        first = first or took / count
        row(f"{count} waiting: drained at, memory at most, database", f"{count / took:.0f}/s, {memory:.0f} MB, {size / 1e6:.1f} MB",
            f"{took / count / first:.1f} x the time of each of 1,000")
        row("  queue list, check, another notify", f"{listed:.0f} ms, {checked:.0f} ms, {notified:.0f} ms")
        assert not site.queue()["bad_spool_files"], "the spool's format has changed"
        site.close()


def fill(site, posts):
    """A year of delivered problems, as copies of one that was delivered."""
    db = sqlite3.connect(f"{site.dir}/state/ackbell.db")
    db.execute("PRAGMA synchronous = OFF")
    step, now = YEAR_MS // posts, int(time.time() * 1000)
    columns = lambda table, skip: [name for _, name, *_ in db.execute(f"PRAGMA table_info({table})") if name not in skip]
    values = {"notification": {"seq": "n + 10", "id": "'old-' || n", "received": ":at", "object": "object || n", "duplicate_key": "duplicate_key || n"},
              "post": {"id": "n + 10", "open": "0", "object": "object || n", "updated": ":at", "ts": "'1.' || n"},
              "delivery": {"id": "n + 10", "notification": "n + 10", "post": "n + 10", "object": "object || n", "since": ":at", "recorded": ":at"}}
    for table, changed in values.items():
        names = columns(table, ())
        taken = ", ".join(changed.get(name, name).replace(":at", f"{now} - ({posts} - n) * {step}") for name in names)
        db.execute(f"INSERT INTO {table} ({', '.join(names)}) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {posts}) "
                   f"SELECT {taken} FROM c, (SELECT * FROM {table} LIMIT 1)")
    db.commit()
    db.close()


def arrival(site, number, *more):
    """From the start of a notify to its message."""
    before, started = len(site.messages()), time.monotonic()
    assert shared.run(site.notify(number, *more))[3] == 0
    shared.wait_until("its message", 600, lambda: len(site.messages()) > before)
    return (time.monotonic() - started) * 1000


def history(bench):
    posts = 100_000 if bench.quick else 1_000_000
    site = Site(bench.program, token=True)
    site.listen()
    arrival(site, 0)
    fresh = shared.median([arrival(site, number) for number in range(1, 6)])
    site.stop()
    fill(site, posts)
    size = os.path.getsize(f"{site.dir}/state/ackbell.db") / 1e6
    started, pid = time.monotonic(), site.listen()
    ready = time.monotonic() - started
    first = arrival(site, 100)
    left = lambda: sqlite3.connect(f"file:{site.dir}/state/ackbell.db?mode=ro", uri=True, timeout=30).execute("SELECT COUNT(*) FROM post").fetchone()[0]
    bound = max(10_000, posts * 8 // 365) + 100
    shared.wait_until("the old ones to be forgotten", 900, lambda: left() <= bound)
    tidied = time.monotonic() - started
    late = shared.median([arrival(site, number) for number in range(101, 106)])
    row(f"{posts} posts of a year: database, ready after", f"{size:.0f} MB, {ready:.1f} s")
    row("  the first notification's message, while tidying", f"{first:.0f} ms", f"{first / fresh:.1f} x with an empty history")
    row("  kept by retention, after", f"{left()} posts, {tidied:.0f} s", "7 days and 10,000")
    row("  a notification's message then, memory", f"{late:.0f} ms, {shared.field(pid, 'status', 'VmRSS') / 1024:.0f} MB",
        f"{late / fresh:.1f} x with an empty history")
    site.close()


def clicks_before(bench):
    """What was clicked this week, and what it costs the next click."""
    first = None
    for count in (0, 10_000, 100_000):
        site, port, seen = running.clickable(bench)
        site.stop()
        db = sqlite3.connect(f"{site.dir}/state/ackbell.db")
        db.execute(f"INSERT INTO action_request (key, at, state, name, request, outcome) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {count}) "
                   f"SELECT 'old' || n, {int(time.time() * 1000)} - n, 'done', 'acknowledge', '{{}}', 'confirmed' FROM c WHERE {count}")
        db.commit()
        db.close()
        site.listen()
        _, took = running.click_at(5, 2 if bench.quick else 10, port, seen)
        first = first or shared.median(took)
        row(f"{count} clicks before: a click in the command file", f"{shared.median(took):.0f} ms", f"{shared.median(took) / first:.1f} x with none")
        site.close()


def growth(bench):
    queue(bench)
    history(bench)
    clicks_before(bench)
