"""vmpowerd on a farm of scripted VMs: what ten thousand of them cost, and how soon it is known what became of them."""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time

from measured import BUILD, HERE, VMS_MAX, Daemon, cpu_ns, now_ns, rss_kib, spread, until, wakeups

os.environ.setdefault("FARM", os.path.join(BUILD, "tests/farm/farm"))
sys.path.insert(0, os.path.join(HERE, "..", "tests/farm"))
from farm import Farm, Farms

FILL = os.path.join(BUILD, "bench/fill_history")
OURS = b'"name":"vm-'  # in a verdict of the farm's
REST = 8  # seconds
WAYS = ("poweroff", "kill", "panic", "quit", "signal")
TRANSITIONS = {"SUSPEND": "suspend", "WAKEUP": "wake"}


class Host:
    """A farm and a daemon that has attached every VM of it, called vm-0, vm-1 …"""

    def __init__(self, n, threads=0, state=None):
        # On a disk the sockets would cost the file system more than they cost anyone else.
        self.directory = tempfile.mkdtemp(prefix="vmpower-farm-", dir="/dev/shm")
        self.farm = (Farm if n <= Farms.MOST else Farms)(self.directory, n, threads=threads, patience=120)
        self.daemon = Daemon(state=state)
        self.n = 0

    def attach(self, n):
        """The rate, in VMs a second."""
        start, first = time.monotonic(), self.n
        self.daemon.attach_all((f"vm-{i}", self.farm.path(i)) for i in range(self.n, n))
        self.n = n
        until(lambda: self.farm.stats()["negotiated"] >= n, "all are negotiated")
        self.settle()
        return (n - first) / (time.monotonic() - start)

    def settle(self):
        """Until it does nothing any more."""
        before = -1
        while (now := cpu_ns(self.daemon.pid)) != before:
            before = now
            time.sleep(0.2)

    def close(self):
        self.daemon.close()
        self.farm.close()
        shutil.rmtree(self.directory)


def over(seconds, pid):
    """What a process does in that time: its share of one CPU in percent, and its wakeups."""
    cpu, woken = cpu_ns(pid), wakeups(pid)
    time.sleep(seconds)
    return {"percent": (cpu_ns(pid) - cpu) / seconds / 1e7, "wakeups": wakeups(pid) - woken, "seconds": seconds}


def idle_figures(host, n):
    """Attach them all: memory, once what is free has gone back, and what it does when nothing happens."""
    host.attach(1)
    time.sleep(REST)
    one = rss_kib(host.daemon.pid)
    rate = host.attach(n)
    time.sleep(REST)
    many = rss_kib(host.daemon.pid)
    return {
        "one_kib": one,
        "each_kib": (many - one) / (n - 1),
        "attached_per_second": rate,
        "idle": over(10, host.daemon.pid),
    }


def measure_looks(n):
    """Every VM has a vCPU of its own, whose thread sleeps."""
    host = Host(n, threads=n)
    try:
        for i in range(n):
            host.daemon.attach(f"vm-{i}", host.farm.path(i))
        # Each is looked at once; after that its thread has not moved any more.
        until(lambda: host.farm.stats()["looks"] >= n, "all are looked at", step=0.2)
        figures = over(20, host.daemon.pid)
        figures["looks"] = host.farm.stats()["looks"] - n
        return {"vms": n, **figures}
    finally:
        host.close()


class Commits:
    """When the daemon's writer has been told that the disk has it: perf's word on fdatasync, if it works here."""

    def __init__(self, pid):
        self.path = tempfile.mktemp(prefix="vmpower-perf-")
        words = ["perf", "record", "-q", "-k", "monotonic", "-e", "syscalls:sys_exit_fdatasync", "-o", self.path, "-p", str(pid)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(1)

    def close(self):
        self.process.send_signal(2)
        self.process.wait()
        words = ["perf", "script", "--ns", "-F", "time", "-i", self.path]
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False)
        if os.path.exists(self.path):
            os.unlink(self.path)
        instants = []
        for line in done.stdout.split():
            seconds, _, part = line.rstrip(":").partition(".")
            instants.append(int(seconds) * 10**9 + int(part) + now_ns() - time.monotonic_ns())
        return sorted(instants)


def match(said, heard):
    """[(when it was said, when its verdict was heard), ...]: the verdicts of a VM are in the order of its events."""
    waiting = {}
    for i, event, at in said:
        waiting.setdefault((f"vm-{i}", TRANSITIONS[event]), []).append(at)
    pairs = []
    for at, verdict in heard:
        events = waiting.get((verdict["vm"]["name"], verdict["transition"]))
        if events:
            pairs.append((events.pop(0), at))
    lost = sum(len(events) for events in waiting.values())
    assert not lost, f"{lost} events have no verdict"
    return pairs


def last_before(instants, at, since):
    found = [t for t in instants if since < t <= at]
    return found[-1] if found else None


def pulse(host, n_events=160, per_second=50):
    """Events one by one, far enough apart for each to be alone; of ten VMs no more than eight of a kind are told one by one."""
    stream = host.daemon.stream()
    commits = Commits(host.daemon.pid)
    host.settle()
    cpu = cpu_ns(host.daemon.pid)
    said = host.farm.pulse(n_events, per_second)
    stream.wait_n(n_events, OURS)
    cpu = cpu_ns(host.daemon.pid) - cpu
    instants = commits.close()
    pairs = match(said, stream.verdicts(OURS))
    committed = [(last_before(instants, at, since), since) for since, at in pairs]
    committed = [(done - since) / 1e6 for done, since in committed if done]
    figures = {"events": n_events, "told_ms": spread([(at - since) / 1e6 for since, at in pairs]), "cpu_us": cpu / n_events / 1e3}
    if len(committed) == n_events:
        figures["durable_ms"] = spread(committed)
    return figures


def measure_history(n_verdicts, n_vms):
    directory = tempfile.mkdtemp(prefix="vmpower-history-", dir="/var/tmp")
    try:
        subprocess.run([FILL, directory, str(n_verdicts)], check=True, stdout=subprocess.DEVNULL)
        os.sync()  # or the first checkpoint would wait for all of it, and its CPU would be the daemon's
        host = Host(n_vms, state=directory)
        try:
            host.attach(n_vms)
            return {"verdicts": n_verdicts, "vms": n_vms, **pulse(host)}
        finally:
            host.close()
    finally:
        shutil.rmtree(directory)


class Count:
    """How many verdicts on the farm's VMs are on disk, as another reader of the database sees it; others run VMs here, too."""

    def __init__(self, state, after):
        self.after = after
        self.path = os.path.join(state, "vmpower.db")
        self.seen = []
        self.is_over = False
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        with sqlite3.connect(f"file:{self.path}?mode=ro", uri=True) as database:
            while not self.is_over:
                n = database.execute(
                    "SELECT count(*) FROM verdict WHERE number > ? AND name LIKE 'vm-%'", (self.after,)
                ).fetchone()[0]
                if not self.seen or self.seen[-1][1] != n:
                    self.seen.append((now_ns(), n))
                time.sleep(0.05)

    def close(self):
        self.is_over = True
        self.thread.join()
        return self.seen


def storm(host):
    """All die within a second."""
    n, pid = host.n, host.daemon.pid
    stream = host.daemon.stream()
    with sqlite3.connect(os.path.join(host.daemon.state, "vmpower.db")) as database:
        before = database.execute("SELECT coalesce(max(number), 0) FROM verdict").fetchone()[0]
    count = Count(host.daemon.state, before)
    cpu = cpu_ns(pid)
    ended = host.farm.storm(1000, *WAYS, patience=120)
    first, last = ended[0][2], ended[-1][2]
    until(lambda: count.seen and count.seen[-1][1] >= n, "all verdicts are stored")
    stream.wait_n(n, OURS)
    host.settle()
    cpu = cpu_ns(pid) - cpu
    durable = next(at for at, number in count.close() if number >= n)
    heard = stream.verdicts(OURS)
    told = {}
    for _, verdict in heard:
        if not verdict["revises"]:
            told[verdict["vm"]["instance"]] = told.get(verdict["vm"]["instance"], 0) + 1
    with sqlite3.connect(os.path.join(host.daemon.state, "vmpower.db")) as database:
        n_stored, n_vms = database.execute(
            "SELECT count(*), count(DISTINCT vm) FROM verdict WHERE revises IS NULL AND number > ? AND name LIKE 'vm-%'", (before,)
        ).fetchone()
    return {
        "died_within_ms": (last - first) / 1e6,
        "last_durable_ms": (durable - last) / 1e6,
        "last_told_ms": (heard[n - 1][0] - last) / 1e6,
        "stored": n_stored,
        "lost": n - n_vms,
        "twice": n_stored - n_vms,
        "told_twice": sum(times > 1 for times in told.values()),
        "untold": n - len(told),
        "cpu_us_each": cpu / n / 1e3,
    }


def measure_host(n):
    host = Host(n)
    try:
        return {"vms": n, "memory": idle_figures(host, n), "events": pulse(host), "storm": storm(host)}
    finally:
        host.close()


def parts(quick):
    """What there is to measure, by name."""
    sizes, history = ((10, 200, 1000), 20000) if quick else ((10, 1000, min(10000, VMS_MAX)), 1000000)
    return {
        "hosts": lambda: [measure_host(n) for n in sizes],
        "looks": lambda: measure_looks(sizes[-1]),
        "history": lambda: [measure_history(n, 10) for n in (0, history)],
    }
