"""What the measurements share: a vmpowerd of their own, its API, and how figures are taken from /proc."""

import concurrent.futures
import ctypes
import http.client
import json
import os
import resource
import select
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.path.abspath(os.environ.get("VMPOWER_BUILD", os.path.join(HERE, "..", "build-bench")))
VMPOWERD = os.path.join(BUILD, "src/daemon/vmpowerd")
PROBE = os.path.join(BUILD, "guests/probe.rom")
PATIENCE = 120

libc = ctypes.CDLL(None)
now_ns = lambda: time.clock_gettime_ns(time.CLOCK_BOOTTIME)


# A VM costs the daemon up to four descriptors: its monitor, the socket that it is shared by, its process, its cgroup's counter.  Those of the farm cost
# two, and one where descriptors are short (the last 1024) and monitors not shared any more.  Where not even root may have so many, fewer VMs fit.
try:
    resource.setrlimit(resource.RLIMIT_NOFILE, (100000, 100000))
except ValueError:
    pass
VMS_MAX = (resource.getrlimit(resource.RLIMIT_NOFILE)[1] + 1024 - 256 - 256) // 2


def die_with_us():
    """Of a child that is to end with this process, however it ends."""
    libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG


def percentile(values, part):
    """The value that so large a part of them does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def spread(values):
    return {"n": len(values), "median": statistics.median(values), "p99": percentile(values, 0.99), "max": max(values)}


def field_of(pid, file, key):
    with open(f"/proc/{pid}/{file}", encoding="utf-8") as lines:
        for line in lines:
            if line.startswith(key + ":"):
                return int(line.split()[1])
    raise KeyError(key)


def rss_kib(pid):
    return field_of(pid, "smaps_rollup", "Rss")


def cpu_ns(pid):
    """What all its threads have used: utime and stime are too coarse."""
    total = 0
    for thread in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{thread}/schedstat", encoding="utf-8") as file:
            total += int(file.read().split()[0])
    return total


def wakeups(pid):
    """How often its threads went to sleep by themselves: each is a wakeup before or after."""
    return sum(
        field_of(pid, f"task/{thread}/status", "voluntary_ctxt_switches") for thread in os.listdir(f"/proc/{pid}/task")
    )


def until(condition, what, patience=PATIENCE, step=0.01):
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(step)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Stream:
    """The API's events from now on: (when it was heard, verdict), each."""

    def __init__(self, path):
        self.heard = []
        self.changed = threading.Condition()
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.file = self.socket.makefile("rb")
        line = self.file.readline()
        assert b" 200 " in line, line
        while self.file.readline() != b"\r\n":
            pass
        assert self._chunk() == b": vmpower\n\n"
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _chunk(self):
        """Of HTTP's chunked coding: its ends are not the lines'."""
        size = int(self.file.readline() or b"0", 16)
        chunk = self.file.read(size)
        self.file.readline()
        return chunk

    def _read(self):
        rest = b""
        while chunk := self._chunk():
            at = now_ns()
            *lines, rest = (rest + chunk).split(b"\n")
            with self.changed:
                self.heard += [(at, line[5:]) for line in lines if line.startswith(b"data:")]
                self.changed.notify_all()

    def verdicts(self, with_bytes=b""):
        return [(at, json.loads(line)) for at, line in self.heard if with_bytes in line]

    def wait_n(self, n, with_bytes=b"", patience=PATIENCE):
        """Until so many with these bytes were heard."""
        deadline = time.monotonic() + patience
        seen = found = 0
        with self.changed:
            while found < n:
                found += sum(with_bytes in line for _, line in self.heard[seen:])
                seen = len(self.heard)
                if found < n and not self.changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"{found} of {n} verdicts were heard")

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.file.close()
        self.socket.close()


class Daemon:
    """A vmpowerd with a state of its own, on a disk, and sockets of its own."""

    def __init__(self, *options, state=None):
        self.directory = tempfile.mkdtemp(prefix="vmpower-bench-", dir="/var/tmp")
        self.state = state or os.path.join(self.directory, "state")
        self.run = os.path.join(self.directory, "run")
        self.api = os.path.join(self.run, "vmpower.sock")
        notify_path = os.path.join(self.directory, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(notify_path)
            environment = {**os.environ, "VMPOWER_STATE_DIR": self.state, "VMPOWER_RUN_DIR": self.run}
            environment["NOTIFY_SOCKET"] = notify_path
            self.log = open(os.path.join(self.directory, "log"), "wb")
            self.process = subprocess.Popen(
                [VMPOWERD, *options], env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, preexec_fn=die_with_us
            )
            self.pid = self.process.pid
            while True:
                if not select.select([notify], [], [], PATIENCE)[0]:
                    raise TimeoutError("vmpowerd is not ready")
                if b"READY=1" in notify.recv(4096):
                    break
        self.connection = UnixConnection(self.api)
        self.streams = []

    def ask(self, method, target, body=None):
        self.connection.request(method, target, json.dumps(body) if body else None)
        answer = self.connection.getresponse()
        text = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {target}: {answer.status} {text!r}")
        return json.loads(text)

    def attach(self, name, path, pid=0):
        order = {"name": name, "qmp": path}
        if pid:
            order["pid"] = pid
        return self.ask("POST", "/v1/vms", order)

    def attach_all(self, orders, at_once=64):
        """As many operators do at once: what they ask in one wakeup of the daemon costs one look at the host's sockets."""
        orders, lock = iter(orders), threading.Lock()

        def work():
            connection = UnixConnection(self.api)
            try:
                while True:
                    with lock:
                        order = next(orders, None)
                    if order is None:
                        return
                    connection.request("POST", "/v1/vms", json.dumps({"name": order[0], "qmp": order[1]}))
                    answer = connection.getresponse()
                    text = answer.read()
                    if answer.status >= 300:
                        raise RuntimeError(f"attach {order}: {answer.status} {text!r}")
            finally:
                connection.close()

        with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
            for done in [pool.submit(work) for _ in range(at_once)]:
                done.result()

    def stream(self):
        self.streams.append(Stream(self.api))
        return self.streams[-1]

    def close(self):
        for stream in self.streams:
            stream.close()
        self.connection.close()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)
        self.log.close()
        shutil.rmtree(self.directory)
