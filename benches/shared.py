"""What the figures share: running and timing processes, a site with a stand-in for Slack, the lines of the table."""
import atexit
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
TOKEN = "xoxb-sandbox-0000000000"
SIGNING_SECRET = "sandbox-signing-secret"
failed = []


def binary(arguments):
    """The program to measure: the first argument, else the release build."""
    path = os.path.abspath(arguments[0] if arguments else os.path.join(ROOT, "target/release/ackbell"))
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path} is missing: cargo build --release --locked")
    return path


def row(what, value, limit=None, ok=True):
    """One line of the table; a figure over its limit fails the run."""
    print(f"{what:<60} {value:>26}   {limit or ''}{'' if ok else '   <-- over the limit'}".rstrip(), flush=True)
    if not ok:
        failed.append(what)


def end():
    if failed:
        raise SystemExit("over the limit: " + "; ".join(failed))


def median(values):
    return percentile(values, 50)


def percentile(values, percent):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def start(command, environment=None, null=None):
    """Starts a process with its three streams on /dev/null, with next to nothing between us and it."""
    opened = null if null is not None else os.open(os.devnull, os.O_RDWR)
    actions = [(os.POSIX_SPAWN_DUP2, opened, n) for n in (0, 1, 2)]
    pid = os.posix_spawnp(command[0], command, environment or {"PATH": os.environ["PATH"]}, file_actions=actions)
    if null is None:
        os.close(opened)
    return pid


def run(command, environment=None):
    """Runs to the end; returns its CPU milliseconds, wall milliseconds, peak kilobytes and exit code."""
    started = time.monotonic()
    _, status, usage = os.wait4(start(command, environment), 0)
    wall = (time.monotonic() - started) * 1000
    return (usage.ru_utime + usage.ru_stime) * 1000, wall, usage.ru_maxrss, os.waitstatus_to_exitcode(status)


def paired(runs, **commands):
    """Runs the commands in turn, so that a drifting machine is fair to all; medians of CPU and wall milliseconds."""
    seen = {name: [] for name in commands}
    for number in range(runs + 3):
        for name, make in commands.items():
            cpu, wall, _, code = run(make(number))
            assert code == 0, f"{name}: exit code {code}"
            if number >= 3:
                seen[name].append((cpu, wall))
    return {name: (median([c for c, _ in pairs]), median([w for _, w in pairs])) for name, pairs in seen.items()}


def peak_kilobytes(command):
    """Its own, not what Python had before it became that program: a small program starts it."""
    done = subprocess.run(["/usr/bin/time", "-f", "%M", *command], capture_output=True, text=True, check=True)
    return int(done.stderr.strip().splitlines()[-1])


def private_kilobytes(command):
    """What it has for itself when it is done: the pages that no other process of the same program shares. strace holds it
    back at its last call for a moment, so that the kernel's own account can be read (`proc_pid_smaps(5)`)."""
    held = ["strace", "-f", "-o", "/dev/null", "-e", "inject=exit_group:delay_enter=2000000", *command]
    with subprocess.Popen(held, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as tracer:
        end, found = time.monotonic() + 1.5, 0
        while time.monotonic() < end:
            for child in children(tracer.pid):
                try:
                    with open(f"/proc/{child}/smaps_rollup") as account:
                        lines = [line.split() for line in account if line.startswith("Private_")]
                    found = max(found, sum(int(size) for name, size, _ in lines if name != "Private_Hugetlb:"))
                except (OSError, ValueError):
                    continue
            time.sleep(0.02)
        tracer.wait()
    return found


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as listed:
        return listed.read().split()


def trace(command, directory):
    """Every system call it makes."""
    path = f"{directory}/trace"
    subprocess.run(["strace", "-f", "-o", path, *command], check=True, capture_output=True)
    with open(path, errors="replace") as calls:
        return calls.read()


def syncs(calls):
    return len(re.findall(r" (fsync|fdatasync)\(", calls))


def field(pid, file, name):
    """A number out of /proc/PID/FILE, of all its threads together where it has several."""
    with open(f"/proc/{pid}/{file}") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(name + ":"))


def switches(pid):
    """How often its threads were woken."""
    return sum(field(f"{pid}/task/{task}", "status", "voluntary_ctxt_switches") for task in os.listdir(f"/proc/{pid}/task"))


def cpu_seconds(pid):
    with open(f"/proc/{pid}/stat") as stat:
        words = stat.read().rsplit(")", 1)[1].split()
    return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


def wait_until(what, seconds, condition):
    until = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > until:
            raise SystemExit(f"waited {seconds} s for {what}")
        time.sleep(0.05)


class Site:
    """A configuration, its state and a stand-in for Slack that is strict but for the number of messages."""

    def __init__(self, program, tls=False, token=False, more="", sandbox=()):
        self.program, self.listener, self.bundle, self.kept = program, None, None, False
        self.dir = tempfile.mkdtemp(prefix="ackbell-bench")
        atexit.register(self.close)
        arguments = [*self._certificate(), *sandbox] if tls else [*sandbox]
        if "--burst" not in arguments:
            arguments += ["--burst", "1000000"]
        self.sandbox = subprocess.Popen([program, "sandbox", "--listen", "127.0.0.1:0", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.url = self.sandbox.stdout.readline().split()[-1].replace("127.0.0.1", "localhost")
        self.hook = f"{self.url}/services/T0SANDBOX/B0000001/x"
        self.config = f"{self.dir}/ackbell.toml"
        where = f'bot_token = "{TOKEN}"\napi_url = "{self.url}/api/"\nchannel = "#ops"\n' if token else f'webhook_url = "{self.hook}"\n'
        self.configure(where + (f'ca_file = "{self.bundle}"\n' if tls else "") + more)

    def configure(self, slack):
        with open(self.config, "w") as out:
            out.write(f'state_dir = "state"\n[slack]\n{slack}')
        os.chmod(self.config, 0o640)

    def _certificate(self):
        cert, key, self.bundle = f"{self.dir}/cert.pem", f"{self.dir}/key.pem", f"{self.dir}/bundle.pem"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert, "-days", "2",
                        "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"], check=True, capture_output=True)
        with open(self.bundle, "w") as out:
            for part in (BUNDLE, cert):
                with open(part) as one:
                    out.write(one.read())
        return ["--tls-cert", cert, "--tls-key", key]

    def command(self, *arguments):
        return [self.program, "--config", self.config, *arguments]

    def notify(self, number, *more):
        return self.command("notify", "--type", "Service", "--notificationtype", "PROBLEM", "--hostname", f"host{number}", "--servicedesc",
                            "Disk", "--servicestate", "2", "--output", "DISK CRITICAL - free space: / 3%", *more)

    def listen(self):
        """A listener, once it holds the lock; its process id."""
        before = self.log().count("listening")
        with open(f"{self.dir}/log", "a") as log:
            self.listener = subprocess.Popen(self.command("listen"), stderr=log, stdin=subprocess.DEVNULL)
        wait_until("the listener", 30, lambda: self.log().count("listening") > before)
        return self.listener.pid

    def stop(self, how=signal.SIGTERM):
        if self.listener:
            self.listener.send_signal(how)
            self.listener.wait()
            self.listener = None

    def log(self):
        try:
            with open(f"{self.dir}/log") as log:
                return log.read()
        except FileNotFoundError:
            return ""

    def queue(self):
        done = subprocess.run(self.command("queue", "--json", "list"), capture_output=True, text=True, check=True)
        return json.loads(done.stdout)

    def waiting(self):
        queue = self.queue()
        return queue["spooled"] + queue["waiting"]

    def spooled(self):
        try:
            return len(os.listdir(f"{self.dir}/state/spool/new"))
        except FileNotFoundError:
            return 0

    def tell(self, what, order):
        """An order to the stand-in; see `ackbell sandbox --help`."""
        request = urllib.request.Request(f"{self.url}/_sandbox/{what}", json.dumps(order).encode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read() or b"null")

    def messages(self):
        with urllib.request.urlopen(f"{self.url}/_sandbox/messages", timeout=60) as answer:
            found = json.loads(answer.read())
        return found if isinstance(found, list) else found["messages"]

    def close(self):
        if self.sandbox:
            self.stop(signal.SIGKILL)
            self.sandbox.kill()
            self.sandbox.wait()
            self.sandbox = None
            if not self.kept:
                shutil.rmtree(self.dir, ignore_errors=True)

    def keep(self):
        """What it leaves is worth a look."""
        self.kept = True
        return self.dir
