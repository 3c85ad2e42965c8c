"""The same work with SQLite, with PostgreSQL beside it, and with PostgreSQL half a millisecond away."""
import fcntl
import os
import shutil
import subprocess
import time

import running
import shared
from shared import ROOT, Site, percentile, row

AWAY = 250  # microseconds each way
IMPORTED = 6000
CHANNELS = 1000


class Postgres:
    """A throw-away server, and a way to it that takes its time."""

    def __init__(self, directory):
        self.process = subprocess.Popen([f"{ROOT}/tests/postgres-cluster"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        port = self.process.stdout.readline().split()[0]
        subprocess.run(["rustc", "--edition=2024", "-O", "-o", f"{directory}/far", f"{ROOT}/benches/far.rs"], check=True)
        self.far = subprocess.Popen([f"{directory}/far", port, str(AWAY)], stdout=subprocess.PIPE, text=True)
        self.ports = {"PostgreSQL here": port, f"PostgreSQL {AWAY * 2 / 1000} ms away": self.far.stdout.readline().strip()}
        self.number, self.main = 0, port

    def sql(self, database, statement):
        url = f"postgres://postgres@127.0.0.1:{self.main}/{database}"
        return subprocess.run(["psql", "-XqAt", "-c", statement, url], check=True, capture_output=True, text=True).stdout.strip()

    def section(self, port):
        """A new database, as the configuration names it."""
        self.number += 1
        name = f"bench{self.number}"
        self.sql("postgres", f"CREATE DATABASE {name}")
        return f'[database]\nurl = "postgres://postgres@127.0.0.1:{port}/{name}"\n'

    def close(self):
        self.far.kill()
        self.process.stdin.close()
        self.process.wait()


def spools(bench):
    """Two spools to begin with: distinct services that are down in one channel, and one problem in each of many."""
    site, made = Site(bench.program, token=True), {}
    for name, count, channels in (("storm", IMPORTED, 1), ("channels", CHANNELS, CHANNELS)):
        state = f"{site.dir}/{name}"
        os.mkdir(state)
        with open(f"{state}/deliver.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # somebody delivers already: each leaves it in the spool
            null, environment = os.open(os.devnull, os.O_RDWR), {**os.environ, "ACKBELL_STATE_DIR": state}
            for first in range(0, count, 8):
                line = range(first, min(count, first + 8))
                started = [shared.start(site.notify(n, "--to", f"#load-{n % channels}", "--core", "x"), environment, null) for n in line]
                assert all(os.waitpid(pid, 0)[1] == 0 for pid in started)
            os.close(null)
        made[name] = f"{state}/spool/new"
    return site, made


def site_with(bench, spool, postgres, port):
    """A site whose spool is full before it begins."""
    site = Site(bench.program, token=True, more=postgres.section(port) if port else "")
    if port:
        subprocess.run(site.command("database", "init"), check=True, capture_output=True)
    os.makedirs(f"{site.dir}/state/spool", exist_ok=True)
    shutil.copytree(spool, f"{site.dir}/state/spool/new")
    site.listen()
    return site


def importing(site, count):
    """Notifications a second, once the first of them are in."""
    shared.wait_until("the first import", 120, lambda: site.spooled() < count)
    began, left = time.monotonic(), site.spooled()
    while site.spooled() > 0:
        time.sleep(0.005)
    return left / (time.monotonic() - began)


def posting(site, analyze):
    """Posts a second over many channels, once the first of them are out and the server knows its tables: by itself it looks at
    them within a minute."""
    def posted():
        with open(f"{site.dir}/log") as log:
            return sum("delivered" in line for line in log)

    shared.wait_until("the first messages", 120, lambda: posted() >= 50)
    analyze()
    began, first = time.monotonic(), posted()
    until = began + 60
    while posted() < CHANNELS and time.monotonic() < until:
        time.sleep(0.02)
    return (posted() - first) / (time.monotonic() - began)


def clicking(bench, postgres):
    """From Slack's request to the line in the core's command file, twenty a second."""
    first = None
    for name, port in {"SQLite": None, **postgres.ports}.items():
        site, door, seen = running.clickable(bench, postgres.section(port) if port else "")
        answered, took = running.click_at(20, 5 if bench.quick else 30, door, seen)
        first = first or percentile(took, 50)
        row(f"{len(took)} clicks at 20 a second, answered: p50, p99: {name}", f"{percentile(answered, 50):.0f} ms, {percentile(answered, 99):.0f} ms")
        row("  in the command file: p50, p99", f"{percentile(took, 50):.0f} ms, {percentile(took, 99):.0f} ms",
            f"{percentile(took, 50) / first:.1f} x SQLite; p99 under 100 ms", percentile(took, 99) < 100)
        site.close()


def database(bench):
    """Importing a storm, posting to many channels at once, and clicks."""
    postgres = Postgres(bench.directory)
    source, made = spools(bench)
    limits = {"import": dict(zip(postgres.ports, (1500, 400))), "post": dict(zip(postgres.ports, (0, 100)))}
    floors = {}
    for name, port in {"SQLite": None, **postgres.ports}.items():
        for what, spool in (("import", "storm"), ("post", "channels")):
            site = site_with(bench, made[spool], postgres, port)
            analyze = (lambda: postgres.sql(f"bench{postgres.number}", "ANALYZE")) if port else (lambda: None)
            rate = importing(site, IMPORTED) if what == "import" else posting(site, analyze)
            floor, limit = floors.setdefault(what, rate), limits[what].get(name, 0)
            words = {"import": f"{IMPORTED} notifications into the outbox", "post": f"posts to {CHANNELS} channels"}[what]
            row(f"{words}: {name}", f"{rate:.0f}/s", f"{rate / floor:.2f} x SQLite" + (f", at least {limit}/s" if limit else ""), rate >= limit)
            site.close()
    clicking(bench, postgres)
    source.close()
    postgres.close()
