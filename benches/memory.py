"""The memory: an import of a core's archives, and what a million remembered problems cost a card."""
import os
import random
import sqlite3
import subprocess
import time

import growth
import shared
from shared import Site, row

DAY = 86_400


def archives(path, services, days):
    """A log as a Nagios with these services writes it: states once a day, and some problems; returns its lines."""
    draw, end, lines = random.Random(7), int(time.time()) - 3600, 0
    with open(path, "w") as out:
        for day in range(days):
            at = end - (days - day) * DAY
            for number in range(services):
                out.write(f"[{at}] CURRENT SERVICE STATE: host{number // 10:04d};service{number % 10};OK;HARD;1;everything is as it should be, time 0.1\n")
            lines += services
            events = []
            for number in draw.sample(range(services), services // 40):
                name, began = f"host{number // 10:04d};service{number % 10}", at + 60 + draw.randrange(DAY - 4000)
                events += [(began, f"SERVICE ALERT: {name};CRITICAL;SOFT;1;something is wrong"), (began + 60, f"SERVICE ALERT: {name};CRITICAL;HARD;3;something is wrong"),
                           (began + 60, f"SERVICE NOTIFICATION: ops;{name};CRITICAL;notify-by-ackbell;something is wrong"),
                           (began + 300, f"EXTERNAL COMMAND: ACKNOWLEDGE_SVC_PROBLEM;{name};2;1;0;alice;restarted it"),
                           (began + 1800, f"SERVICE ALERT: {name};OK;HARD;3;fine"), (began + 1800, f"SERVICE NOTIFICATION: ops;{name};OK;notify-by-ackbell;fine")]
            out.writelines(f"[{when}] {what}\n" for when, what in sorted(events))
            lines += len(events)
    return lines


def imported(bench):
    services, days = (2000, 360) if bench.quick else (10_000, 360)
    site = Site(bench.program, more="[history]\nkeep = \"2000d\"\n")
    os.makedirs(f"{site.dir}/state", exist_ok=True)
    log = f"{site.dir}/archive.log"
    lines = archives(log, services, days)
    floor = shared.run(["wc", "-l", log])[1] / 1000
    _, wall, peak, code = shared.run(site.command("history", "import", log))
    assert code == 0, code
    rows = sqlite3.connect(f"{site.dir}/state/ackbell.db").execute("SELECT COUNT(*) FROM history").fetchone()[0]
    rate = lines / wall * 1000
    row(f"import of {services} services, {days} days: lines, rows a second", f"{rate:.0f}, {rows / wall * 1000:.0f}", f"{wall / 1000 / floor:.0f} x wc -l")
    # States once a day, and a problem of six lines for each service in 40 days.
    five_years = 10_000 * 1826 * (1 + 6 / 40) / rate / 60
    row("  10,000 services in 5 years at this rate; memory at most", f"{five_years:.1f} min, {peak / 1024:.0f} MB", "at most 10 min", five_years <= 10)
    _, again, _, _ = shared.run(site.command("history", "import", log))
    row("  the same once more", f"{again / 1000:.1f} s", "adds nothing")
    site.close()


def fill(site, rows):
    """Remembered problems of 10,000 objects, the measured ones among them, as full as a year's."""
    db = sqlite3.connect(f"{site.dir}/state/ackbell.db")
    db.execute("PRAGMA synchronous = OFF")
    now, objects = int(time.time()), 10_000
    db.execute("DELETE FROM open_problem")
    db.execute("INSERT INTO history_object (core, host, service) WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "
               "SELECT '', 'host' || n, 'Disk' FROM c WHERE true ON CONFLICT DO NOTHING", (objects - 1,))
    db.execute("INSERT INTO history_name (name) VALUES ('alice')")
    step = 300 * DAY // (rows // objects)
    # The newest ones of each object lie close together: a card looks at as many as it ever does.
    db.execute("INSERT INTO history (object, began, ended, worst, notified, flapped, unseen, answered, person, remark) "
               "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < ?) "
               "SELECT o.id, ? - (c.n + 1) * ? - o.id, ? - (c.n + 1) * ? - o.id + 700, 5, 1, 0, 0, ? - (c.n + 1) * ? - o.id + 240, "
               "(SELECT MAX(id) FROM history_name), 'restarted mysqld, out of file handles' FROM c, history_object o",
               (rows // objects - 1, now, step, now, step, now, step))
    db.commit()
    count = db.execute("SELECT COUNT(*) FROM history").fetchone()[0]
    # Those that are measured have two hundred within the window.
    db.execute("INSERT INTO history (object, began, ended, worst, notified, flapped, unseen) WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 190) "
               "SELECT o.id, ? - n * 9000 - o.id % 97, ? - n * 9000 - o.id % 97 + 600, 5, 1, 0, 0 FROM c, history_object o WHERE o.host IN "
               "(SELECT 'host' || (n + 99) FROM c) ON CONFLICT DO NOTHING", (now, now))
    db.commit()
    db.close()
    return count


def remembered(bench):
    """A new card without a memory, and with a million rows: from `notify` to Slack, with a pause for the pace between."""
    samples = 20 if bench.quick else 60

    def cards(site):
        took = []
        for number in range(100, 100 + samples):
            time.sleep(1.05)
            took.append(growth.arrival(site, number))
        return shared.median(took)

    site = Site(bench.program, token=True, more="[storm]\nthreshold = 1000\n")
    pid = site.listen()
    growth.arrival(site, 0)
    before = shared.field(pid, "status", "VmRSS") / 1024
    bare = cards(site)
    site.close()
    site = Site(bench.program, token=True, more="[storm]\nthreshold = 1000\n")
    site.listen()
    growth.arrival(site, 0)
    site.stop()
    rows = fill(site, 1_000_000)
    size = os.path.getsize(f"{site.dir}/state/ackbell.db") / 1e6
    pid = site.listen()
    growth.arrival(site, 1)
    full = cards(site)
    memory = shared.field(pid, "status", "VmRSS") / 1024
    is_shown = any("time in 30 days" in str(message) for message in site.messages())
    row(f"a card over a history of {rows} rows: database", f"{full:.0f} ms, {size:.0f} MB", f"{full / bare:.2f} x without; at most 1.3 x", full / bare <= 1.3 and is_shown)
    row("  memory of the listener", f"{memory:.0f} MB", f"{memory - before:+.0f} MB")
    listed = growth.timed(site.command("report", "--since", "30d"))
    row("  report --since 30d", f"{listed:.0f} ms")
    curved(site)
    site.stop()
    with open(site.config, "a") as out:
        out.write(f"[curve]\nrrd = \"{site.dir}/rrd\"\n")
    # Another problem each: those of the objects above go on.
    fields = ("--perfdata", "used=95%;80;90")
    for number in range(100, 100 + samples):
        assert shared.run(site.command("notify", "--type", "Service", "--notificationtype", "RECOVERY", "--hostname", f"host{number}", "--servicedesc", "Disk", "--servicestate", "0"))[3] == 0
    site.listen()
    shared.wait_until("the recoveries", 900, lambda: site.waiting() == 0)
    took = []
    for number in range(100, 100 + samples):
        time.sleep(1.05)
        took.append(growth.arrival(site, number, *fields))
    shared.wait_until("a curve", 60, lambda: any("Last 6 h" in str(message) for message in site.messages()))
    row("  with a curve as well", f"{shared.median(took):.0f} ms", f"{shared.median(took) / bare:.2f} x without; at most 1.3 x", shared.median(took) / bare <= 1.3)
    site.close()


def curved(site):
    """An RRD for each object that is measured, as PNP4Nagios makes them."""
    now = int(time.time()) // 60 * 60
    for number in range(100, 160):
        os.makedirs(f"{site.dir}/rrd/host{number}")
        path = f"{site.dir}/rrd/host{number}/Disk.rrd"
        subprocess.run(["rrdtool", "create", path, "--start", str(now - 7 * 3600), "--step", "60", "DS:1:GAUGE:8460:U:U", "RRA:AVERAGE:0.5:1:2880"], check=True)
        subprocess.run(["rrdtool", "update", path, *(f"{now - 60 * minute}:{95 - minute / 10}" for minute in range(419, -1, -1))], check=True)


def memory(bench):
    imported(bench)
    remembered(bench)
