"""What one `notify` costs, with and without a listener, beside what people use instead; and a storm of them."""
import os
import time
from dataclasses import dataclass

import shared
from shared import Site, paired, peak_kilobytes, percentile, private_kilobytes, row, syncs, trace

SDK = """
import sys
from slack_sdk.webhook import WebhookClient
answer = WebhookClient(sys.argv[1]).send(text=sys.argv[2])
sys.exit(0 if answer.status_code == 200 else 1)
"""
LWP = """
use LWP::UserAgent; use JSON;
my $answer = LWP::UserAgent->new(ssl_opts => { SSL_ca_file => $ENV{SSL_CERT_FILE} })
    ->post($ARGV[0], 'Content-Type' => 'application/json', Content => encode_json({ text => $ARGV[1] }));
exit($answer->is_success ? 0 : 1);
"""
TEXT = "CRITICAL: Disk on web01: DISK CRITICAL - free space: / 3%"


@dataclass
class Bench:
    """What is measured, and with what."""
    program: str
    python: str
    empty: str
    directory: str
    quick: bool

    def fewer(self, count):
        return max(5, count // 10) if self.quick else count


def others(bench, site):
    """The commands that people write into a core instead."""
    for name, text in (("sdk.py", SDK), ("lwp.pl", LWP)):
        with open(f"{bench.directory}/{name}", "w") as out:
            out.write(text)
    trusted = ["env", f"SSL_CERT_FILE={site.bundle}"] if site.bundle else []
    ca = ["--cacert", site.bundle] if site.bundle else []
    return {
        "curl": ["curl", "-sS", "--fail", *ca, "-H", "Content-Type: application/json", "-d", f'{{"text":"{TEXT}"}}', site.hook],
        "slack_sdk": [*trusted, bench.python, f"{bench.directory}/sdk.py", site.hook, TEXT],
        "Perl LWP": [*trusted, "perl", f"{bench.directory}/lwp.pl", site.hook, TEXT],
    }


def compare(bench, site, what, floor):
    """A line a program, its processor time as a multiple of the floor's. Returns that, and the system calls, of ours."""
    commands = {"empty process": lambda _: [bench.empty], what: site.notify}
    commands |= {name: (lambda _, line=line: line) for name, line in others(bench, site).items()}
    seen, ours = paired(bench.fewer(60), **commands), ""
    for name, (cpu, wall) in seen.items():
        calls, memory = trace(commands[name](0), bench.directory), peak_kilobytes(commands[name](0)) / 1024
        row(f"{name}: CPU, wall, memory", f"{cpu:.1f} ms, {wall:.1f} ms, {memory:.1f} MB",
            f"CPU {cpu / seen[floor][0]:.2f} x {floor}, {syncs(calls)} syncs, {len(calls.splitlines())} system calls")
        if name == what:
            ours = calls
    return seen[what][0] / seen[floor][0], ours


def notify(bench):
    """With a listener, the usual way: durable, and gone. The others have posted over plain http then, and kept nothing."""
    size = os.path.getsize(bench.program)
    row("binary", f"{size / 1e6:.2f} MB", "at most 11 MB", size <= 11_000_000)
    site = Site(bench.program)
    site.listen()
    ratio, calls = compare(bench, site, "notify", "empty process")
    row("  its CPU against the empty process", f"{ratio:.2f} x", "at most 4 x", ratio <= 4)
    # Resident memory is mostly the program's own pages, which the listener beside it has in memory anyway.
    private = private_kilobytes(site.notify(1))
    row("  private memory", f"{private} kB", "at most 1300 kB", 0 < private <= 1300)
    row("  its syncs: the file, the directory", str(syncs(calls)), "2", syncs(calls) == 2)
    beside = [word for word in ("ackbell.db", "ca-certificates", "zoneinfo", "clone", "epoll") if word in calls]
    row("  SQLite, TLS, time zones, threads, async runtime", ", ".join(beside) or "none", "none", not beside)
    site.close()


def deliver(bench):
    """Without a listener: spooled, in SQLite, posted over TLS with the system's authorities."""
    site = Site(bench.program, tls=True)
    ratio, _ = compare(bench, site, "notify, posting itself", "curl")
    row("  its CPU against curl", f"{ratio:.2f} x", "at most 0.5 x", ratio <= 0.5)
    site.close()


def flood(command, count, side_by_side):
    """Runs the command so often, so many at once: seconds, each one's milliseconds, how many failed."""
    null = os.open(os.devnull, os.O_RDWR)
    started, running, took, failures, number = time.monotonic(), {}, [], 0, 0
    while number < count or running:
        while number < count and len(running) < side_by_side:
            running[shared.start(command(number), null=null)] = time.monotonic()
            number += 1
        pid, status = os.wait()
        if pid in running:
            took.append((time.monotonic() - running.pop(pid)) * 1000)
            failures += status != 0
    os.close(null)
    return time.monotonic() - started, took, failures


def storm(bench):
    """The worst night: as many as come."""
    count = 10_000
    for side_by_side in (16,) if bench.quick else (1, 16, 200):
        site = Site(bench.program)
        site.listen()
        floor, _, _ = flood(lambda _: [bench.empty], count, side_by_side)
        wall, took, failures = flood(site.notify, count, side_by_side)
        row(f"{count} notify, {side_by_side} side by side: rate, p50, p99", f"{count / wall:.0f}/s, {percentile(took, 50):.0f} ms, "
            f"{percentile(took, 99):.0f} ms", f"{wall / floor:.2f} x empty processes ({count / floor:.0f}/s); {failures} failed", failures == 0)
        shared.wait_until("the spool to be drained", 120, lambda: site.spooled() == 0)
        queue = site.queue()
        row("  in the outbox a moment later", f"{queue['waiting']} wait, {queue['dead']} dead", "none dead", queue["dead"] == 0)
        site.close()
