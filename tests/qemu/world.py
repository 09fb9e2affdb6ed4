"""World: what the tests on real QEMUs share.

A test is a sentence and a function of a World: a state directory, a run directory, the program and the VMs that it
starts there.  The world waits for events (a line, a QMP event, a verdict, a process that ends), never for time to pass;
and when the test is over, nothing may be left of it: no process, no socket.

    VMPOWER          the program
    VMPOWER_GUESTS   where probe.rom, apm.img, init and init32 are
    VMPOWER_CACHE_DIR  where scripts/fetch-kernels puts the kernels
    VMPOWER_TEST     only tests whose sentence contains this
"""

import collections
import ctypes
import errno
import itertools
import json
import os
import re
import select
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, ".."))
from tap import Skip  # this host cannot show it; the reason

VMPOWER = os.path.abspath(os.environ.get("VMPOWER", "build/src/cli/vmpower"))
GUESTS = os.path.abspath(os.environ.get("VMPOWER_GUESTS", "build/guests"))
CACHE = os.environ.get("VMPOWER_CACHE_DIR") or os.path.join(
    os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "vmpower"
)
QEMU = os.environ.get("VMPOWER_QEMU", "qemu-system-x86_64")

PATIENCE = float(os.environ.get("VMPOWER_TEST_PATIENCE", "30"))  # seconds: for one event
TEST_TIMEOUT = 4 * PATIENCE  # for one test

libc = ctypes.CDLL(None, use_errno=True)
PR_SET_CHILD_SUBREAPER = 36
IN_MODIFY, IN_CLOSE_WRITE, IN_MOVED_TO = 0x2, 0x8, 0x80


class Timeout(Exception):
    pass


class Spoiled(Exception):
    """The machine broke what is tried, not the product: its emulation the guest, or its slowness what has to be at once; the proof of it.

    The test is done again, in a world of its own."""


# --- tests ----------------------------------------------------------------------------------------------------------

_tests = []


def test(sentence, todo=None):
    """Register a test: @test("a sentence"); `todo`: why the product does not do that yet."""

    def register(function):
        _tests.append((sentence, function, todo))
        return function

    return register


def _report_failure(world, error):
    lines = traceback.format_exception(error)
    if world:
        lines += world.describe()
    for line in "".join(lines).splitlines():
        print("#", "".join(c if c.isprintable() and c.isascii() else "?" for c in line))


_told = itertools.count(1)  # TAP wants its numbers in order; what is told first is the first


TRIES = 3


def _attempt(function):
    """The world that it had, why it failed, why it was skipped."""
    world = None
    try:
        world = World()
        try:
            function(world)
        finally:
            left_behind = world.close()
        if left_behind:
            raise AssertionError("left behind: " + ", ".join(left_behind))
        world.check_output()
    except Skip as skip:
        return world, None, str(skip)
    except BaseException as error:
        return world, error, None
    return world, None, None


def _run_one(sentence, function, todo, lock):
    began = time.monotonic()
    for tries_left in reversed(range(TRIES)):
        world, error, skipped = _attempt(function)
        is_over = not isinstance(error, Spoiled) or not tries_left
        with lock:
            if is_over:
                directive = f" # SKIP {skipped}" if skipped else f" # TODO {todo}" if todo and error else ""
                print(f"{'not ok' if error else 'ok'} {next(_told)} - {sentence}{directive}")
                print(f"# {time.monotonic() - began:.2f} s")
            else:
                print(f"# {sentence}: once more, since it was spoiled")
            if error:
                _report_failure(world, error)
            sys.stdout.flush()
        if world:
            shutil.rmtree(world.directory, ignore_errors=True)
        if is_over:
            return not error or todo


def main(jobs=2):
    """Run what was registered, `jobs` at a time, and speak TAP."""
    # What a VM's wrapper leaves behind becomes our child, and so is found.
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    only = os.environ.get("VMPOWER_TEST", "")
    tests = [one for one in _tests if only in one[0]]
    if not shutil.which(QEMU):
        print(f"1..0 # SKIP {QEMU} is not installed")
        return 0
    print(f"1..{len(tests)}")
    if not os.access(VMPOWER, os.X_OK):
        print(f"Bail out! {VMPOWER} is not there: VMPOWER names the program")
        return 1
    queue = collections.deque(tests)
    lock = threading.Lock()
    failed = []

    def work():
        while True:
            try:
                one = queue.popleft()
            except IndexError:
                return
            if not _run_one(*one, lock):
                failed.append(one)

    workers = [threading.Thread(target=work) for _ in range(jobs)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return 1 if failed else 0


# --- waiting --------------------------------------------------------------------------------------------------------


def wait_readable(fd, timeout):
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    return bool(poll.poll(max(0, timeout) * 1000))


def wait_for_end(pid, timeout=PATIENCE):
    """Wait until the process is dead, whoever's child it is."""
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        if not wait_readable(fd, timeout):
            raise Timeout(f"pid {pid} has not ended within {timeout} s")
    finally:
        os.close(fd)


def until(what, condition):
    """Wait until the condition holds; it is asked, for what can only be asked for."""
    deadline = time.monotonic() + PATIENCE
    while not (got := condition()):
        if time.monotonic() > deadline:
            raise Timeout(f"{what}: not within {PATIENCE} s")
        time.sleep(0.02)
    return got


class Inotify:
    """Tells when a file of the directory was written or replaced."""

    def __init__(self, directory, mask=IN_CLOSE_WRITE | IN_MOVED_TO):
        self.fd = libc.inotify_init1(os.O_CLOEXEC | os.O_NONBLOCK)
        if self.fd < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        libc.inotify_add_watch(self.fd, os.fsencode(directory), mask)

    def wait(self, timeout):
        if wait_readable(self.fd, timeout):
            os.read(self.fd, 65536)

    def close(self):
        os.close(self.fd)


def wait_for_content(path, text, timeout=PATIENCE, count=1):
    """Wait until somebody has written that to the file, so often."""
    deadline = time.monotonic() + timeout
    changes = Inotify(os.path.dirname(path), IN_MODIFY | IN_CLOSE_WRITE | IN_MOVED_TO)
    try:
        while True:
            try:
                with open(path, "rb") as file:
                    content = file.read()
            except FileNotFoundError:
                content = b""
            if content.count(text.encode()) >= count:
                return content
            if time.monotonic() > deadline:
                raise Timeout(f"{path} has no {text!r} after {timeout} s, but {content[-500:]!r}")
            changes.wait(deadline - time.monotonic())
    finally:
        changes.close()


class Stream:
    """What a process writes, read by a thread of its own; can be waited for."""

    def __init__(self, fd):
        self.fd = fd
        self.data = b""
        self.is_over = False
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        poll = select.poll()
        poll.register(self.fd, select.POLLIN)
        while not self.is_over:
            poll.poll()
            with self.changed:
                self._take()

    def _take(self):
        """Some of what is there: whether there was any."""
        if self.is_over or not wait_readable(self.fd, 0):
            return False
        try:
            more = os.read(self.fd, 65536)
        except OSError:
            more = b""  # EIO: a terminal that was hung up
        self.data += more
        self.is_over = not more
        self.changed.notify_all()
        return True

    def catch_up(self):
        """What was written until now has been read."""
        with self.changed:
            while self._take():
                pass

    def wait_for(self, text, timeout=PATIENCE, count=1):
        """Wait until `text` was written `count` times."""
        text = text.encode() if isinstance(text, str) else text
        with self.changed:
            if not self.changed.wait_for(lambda: self.data.count(text) >= count or self.is_over, timeout):
                raise Timeout(f"{text!r} was not written within {timeout} s; only {self.data[-2000:]!r}")
            if self.data.count(text) < count:
                raise AssertionError(f"the stream ended without {text!r}: {self.data[-2000:]!r}")

    def wait_for_end(self, timeout=PATIENCE):
        with self.changed:
            if not self.changed.wait_for(lambda: self.is_over, timeout):
                raise Timeout(f"the stream has not ended within {timeout} s")
            return self.data

    def text(self):
        return self.data.decode(errors="replace")


# --- processes ------------------------------------------------------------------------------------------------------

_children = {}  # the pids of our Popens: theirs to reap
_children_lock = threading.Lock()


def popen(*arguments, **named):
    with _children_lock:
        process = subprocess.Popen(*arguments, **named)
        _children[process.pid] = process
        return process


def read_proc(pid, name):
    try:
        with open(f"/proc/{pid}/{name}", "rb") as file:
            return file.read()
    except OSError:
        return b""


def state_of(pid):
    """(state letter, parent) of a process, or None."""
    text = read_proc(pid, "stat")
    if not text:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return fields[0].decode(), int(fields[1])


def command_of(pid):
    return read_proc(pid, "cmdline").replace(b"\0", b" ").decode(errors="replace").strip()


def comm_of(pid):
    return read_proc(pid, "comm").decode(errors="replace").strip()


def start_time_of(pid):
    text = read_proc(pid, "stat")
    return int(text[text.rindex(b")") + 2 :].split()[19])


def all_pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def descendants_of(pid):
    parents = {}
    for other in all_pids():
        state = state_of(other)
        if state:
            parents.setdefault(state[1], []).append(other)
    found, todo = [], [pid]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += children
    return found


def reap_orphans():
    """What nobody waits for was left to us as the subreaper; returns the pids that are dead now."""
    with _children_lock:
        for pid in all_pids():
            state = state_of(pid)
            if state and state == ("Z", os.getpid()) and pid not in _children:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass


# --- QMP ------------------------------------------------------------------------------------------------------------


class Refused(Exception):
    """QEMU answered with an error."""


class Monitor:
    """The user's own monitor: a second one beside vmpower's.  It listens, and QEMU connects at its start."""

    def __init__(self, path):
        self.path = path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(8)
        self.socket = None
        self.lines = b""
        self.events = []
        self.pid = None
        self.id = 0

    option = property(lambda self: ["-qmp", f"unix:{self.path},server=off"])

    def connect(self, timeout=PATIENCE):
        """Take the next QEMU's connection; events come from here on."""
        if self.socket:
            self.socket.close()
        self.listener.settimeout(timeout)
        self.socket, _ = self.listener.accept()
        self._greet()
        return self

    @classmethod
    def dial(cls, path, timeout=PATIENCE):
        """Connect to a monitor that listens already."""
        self = cls.__new__(cls)
        self.path, self.listener, self.lines, self.events, self.id = path, None, b"", [], 0
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self._greet()
        return self

    def _greet(self):
        credentials = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        self.pid = struct.unpack("3i", credentials)[0]
        self.lines, self.events = b"", []
        greeting = self._message(time.monotonic() + PATIENCE)
        assert "QMP" in greeting, greeting
        self.ask("qmp_capabilities")

    def _message(self, deadline):
        while b"\n" not in self.lines:
            if not wait_readable(self.socket, deadline - time.monotonic()):
                raise Timeout(f"QMP is silent; events so far: {[e['event'] for e in self.events]}")
            more = self.socket.recv(65536)
            if not more:
                raise EOFError("the monitor was closed")
            self.lines += more
        line, self.lines = self.lines.split(b"\n", 1)
        return json.loads(line)

    def send(self, command, **arguments):
        self.id += 1
        message = {"execute": command, "id": self.id}
        if arguments:
            message["arguments"] = {name.replace("_", "-"): value for name, value in arguments.items()}
        self.socket.sendall(json.dumps(message).encode() + b"\n")
        return self.id

    def ask(self, command, timeout=PATIENCE, **arguments):
        """Command and answer; events that come between are kept."""
        number = self.send(command, **arguments)
        deadline = time.monotonic() + timeout
        while True:
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)
            elif message.get("id") == number:
                if "error" in message:
                    raise Refused(message["error"]["desc"])
                return message["return"]

    def human(self, line):
        return self.ask("human-monitor-command", command_line=line)

    def status(self):
        return self.ask("query-status")["status"]

    def wait_event(self, name, timeout=PATIENCE):
        """The next event of that name, one that came before and was not waited for included."""
        deadline = time.monotonic() + timeout
        while True:
            for i, event in enumerate(self.events):
                if event["event"] == name:
                    del self.events[: i + 1]
                    return event
            message = self._message(deadline)
            if "event" in message:
                self.events.append(message)

    def wait_status(self, status, event):
        """Wait until the VM is in that state; its event may have come before we could hear it."""
        while self.status() != status:
            self.wait_event(event)

    def stays_silent(self, seconds, *names):
        """Watch for that long; none of these events comes."""
        deadline = time.monotonic() + seconds
        while True:
            for event in self.events:
                assert event["event"] not in names, event
            try:
                message = self._message(deadline)
            except Timeout:
                return
            if "event" in message:
                self.events.append(message)

    def quit(self):
        try:
            self.ask("quit")
        except (EOFError, ConnectionError):
            pass

    def close(self):
        for one in (self.socket, self.listener):
            if one:
                one.close()


# --- the program ----------------------------------------------------------------------------------------------------

_numbers = itertools.count(1)


class Run:
    """One `vmpower run`."""

    def __init__(self, world, options, command, name, verdict, within=(), **popen_options):
        self.world = world
        self.verdict_path = os.path.join(world.directory, f"verdict-{next(_numbers)}") if verdict is True else verdict
        words = [VMPOWER, "run"]
        if name:
            words += ["--name", name]
        if self.verdict_path:
            words += ["--verdict", self.verdict_path]
        self.name = name
        self.command = [*within, *words, *options, "--", *command]
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **popen_options}
        named.setdefault("env", world.environment)
        self.process = popen(self.command, **named)
        self.pid = self.process.pid
        self.stdout = Stream(self.process.stdout.fileno()) if self.process.stdout else None
        self.stderr = Stream(self.process.stderr.fileno()) if self.process.stderr else None
        self.written = Inotify(os.path.dirname(self.verdict_path)) if verdict is True else None

    def wait(self, timeout=PATIENCE):
        """The exit status; negative: the signal that ended it. What it said is there then, whoever else has its streams."""
        wait_for_end(self.pid, timeout)
        for stream in (self.stdout, self.stderr):
            if stream:
                stream.catch_up()
        return self.process.wait()

    def verdict(self):
        """What is in the verdict file now, or None."""
        try:
            with open(self.verdict_path, encoding="utf-8") as file:
                return json.load(file)
        except FileNotFoundError:
            return None

    def wait_verdict(self, timeout=PATIENCE, **members):
        """Wait until the newest verdict says this."""
        deadline = time.monotonic() + timeout
        while True:
            verdict = self.verdict()
            if verdict and all(verdict[name] == value for name, value in members.items()):
                return verdict
            if time.monotonic() > deadline:
                raise Timeout(f"no verdict says {members}; the last one: {brief(verdict)}")
            if self.process.poll() is not None and not wait_readable(self.written.fd, 0):
                raise AssertionError(f"vmpower has ended and never said {members}; the last one: {brief(verdict)}")
            self.written.wait(min(1, deadline - time.monotonic()))

    def own_lines(self):
        """What vmpower itself said."""
        return [line for line in self.stderr.text().splitlines() if line.startswith("vmpower: ")]

    def vm_pid(self):
        """The QEMU among our descendants."""
        for pid in descendants_of(self.pid):
            if comm_of(pid).startswith("qemu-system"):
                return pid
        raise AssertionError("no QEMU runs under vmpower")


def brief(verdict):
    if not verdict:
        return None
    names = ("transition", "initiator", "mechanism", "graceful", "left", "count", "confidence", "rule", "decision")
    return {name: verdict[name] for name in names}


class World:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix="vmpower-")
        self.state = os.path.join(self.directory, "state")
        self.rundir = os.path.join(self.directory, "run")
        self.environment = {
            **os.environ,
            "VMPOWER_STATE_DIR": self.state,
            "VMPOWER_RUN_DIR": self.rundir,
            "VMPOWER_CONFIG_DIR": os.path.join(self.directory, "config"),  # not this host's own
            "VMPOWER_TRACE": "no",  # what it adds is tested in trace.py
            "VMPOWER_TEST_WORLD": self.directory,
            "LC_ALL": "C",
        }
        self.runs = []
        self.monitors = []
        self.outputs = []
        self.cleanups = []
        self.is_timed_out = False
        self.timer = threading.Timer(TEST_TIMEOUT, self._time_out)
        self.timer.daemon = True
        self.timer.start()

    def _time_out(self):
        self.is_timed_out = True
        self._kill_all()

    def path(self, name):
        return os.path.join(self.directory, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    def script(self, name, text):
        return self.write(name, text, 0o755)

    def later(self, function, *arguments):
        """Undo this when the test is over."""
        self.cleanups.append((function, arguments))

    def monitor(self):
        monitor = Monitor(self.path(f"qmp-{next(_numbers)}"))
        self.monitors.append(monitor)
        return monitor

    def dial(self, path):
        monitor = Monitor.dial(path)
        self.monitors.append(monitor)
        return monitor

    def run(self, *command, options=(), name="vm", verdict=True, **popen_options):
        """Start `vmpower run`; `within`: words that it is started by."""
        run = Run(self, options, [str(word) for word in command], name, verdict, **popen_options)
        self.runs.append(run)
        return run

    def vmpower(self, *words, timeout=PATIENCE, **named):
        """Run another verb to its end."""
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **named}
        named.setdefault("env", self.environment)
        process = popen([VMPOWER, *words], **named)
        try:
            out, err = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise Timeout(f"vmpower {' '.join(words)} has not ended within {timeout} s: {err!r}") from None
        done = subprocess.CompletedProcess(words, process.returncode, out, err)
        if err is not None:
            self.outputs.append((" ".join(words), err.decode(errors="replace")))
        return done

    def why(self, name="vm"):
        done = self.vmpower("why", name, "--json")
        assert done.returncode == 0, (done.returncode, done.stderr)
        return json.loads(done.stdout)

    def history(self, *words):
        """All verdicts, the oldest first (as it happened)."""
        done = self.vmpower("history", *words, "--json")
        assert done.returncode == 0, (done.returncode, done.stderr)
        return json.loads(done.stdout)[::-1]

    def ours(self):
        """Processes of this world: they all carry it in their environment."""
        mark = b"VMPOWER_TEST_WORLD=" + os.fsencode(self.directory)
        return [
            pid
            for pid in all_pids()
            if pid != os.getpid() and mark in read_proc(pid, "environ").split(b"\0") and (state_of(pid) or "Z")[0] != "Z"
        ]

    def _kill_all(self):
        for _ in range(5):  # somebody may be starting another one
            pids = self.ours()
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            for pid in pids:
                try:
                    wait_for_end(pid, 5)
                except Timeout:
                    pass
            if not pids:
                return

    def sockets(self):
        found = []
        for root, _, names in os.walk(self.rundir):
            for name in names:
                if stat.S_ISSOCK(os.lstat(os.path.join(root, name)).st_mode):
                    found.append(os.path.join(root, name))
        return found

    def close(self):
        """End what is left.  Returns what should not have been left: a test ends its VMs itself."""
        self.timer.cancel()
        reap_orphans()
        left_behind = [f"pid {pid} ({command_of(pid)[:100]})" for pid in self.ours()]
        if self.is_timed_out:
            left_behind.append(f"nothing: the test took more than {TEST_TIMEOUT} s and was killed")
        elif not left_behind:
            left_behind = self.sockets()
        self._kill_all()
        reap_orphans()
        for run in self.runs:
            run.process.wait()
            for stream in (run.stdout, run.stderr):
                if stream:
                    stream.thread.join(5)
            for file in (run.process.stdout, run.process.stderr):
                if file:
                    file.close()
            if run.written:
                run.written.close()
        for monitor in self.monitors:
            monitor.close()
        for function, arguments in reversed(self.cleanups):
            function(*arguments)
        return left_behind

    def check_output(self):
        """A sanitizer's word on any program of this world is a failure."""
        texts = [(" ".join(run.command), run.stderr.text()) for run in self.runs if run.stderr] + self.outputs
        for command, text in texts:
            for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:", "Assertion"):
                assert word not in text, f"{command}:\n{text[-6000:]}"

    def describe(self):
        """What there is to see, for somebody who looks for the reason."""
        lines = []
        for run in self.runs:
            lines.append(f"\n$ {' '.join(run.command)}\n")
            lines.append(f"status {run.process.returncode}\n")
            if run.stderr:
                lines.append(f"stderr: {run.stderr.text()[-3000:]}\n")
            if run.stdout:
                lines.append(f"stdout: {run.stdout.text()[-1000:]}\n")
            verdict = run.verdict() if isinstance(run.verdict_path, str) and run.written else None
            if verdict:
                lines.append(f"verdict: {json.dumps(brief(verdict))}\n")
                for item in verdict["evidence"]:
                    lines.append(f"  {item['source']} {item['kind']} {json.dumps(item['data'])} proof={item['proof']}\n")
        return lines


# --- what a VM is made of -------------------------------------------------------------------------------------------


def machine(kind="pc", accelerator="tcg"):
    return [QEMU, "-M", kind, "-accel", accelerator, "-m", "2", "-nodefaults", "-display", "none"]


def probe(action, then=None, delay_ms=None, kind="pc", accelerator="tcg", serial=True):
    """A QEMU with the probe ROM (guests/README.md)."""
    words = machine(kind, accelerator) + ["-bios", os.path.join(GUESTS, "probe.rom")]
    words += ["-fw_cfg", f"name=opt/vmpower/action,string={action}"]
    if then:
        words += ["-fw_cfg", f"name=opt/vmpower/then,string={then}"]
    if delay_ms is not None:
        words += ["-fw_cfg", f"name=opt/vmpower/delay-ms,string={delay_ms}"]
    return words + (["-serial", "stdio"] if serial else [])


def kvm_is_usable():
    return os.access("/dev/kvm", os.R_OK | os.W_OK)


def needs_root():
    if os.getuid() != 0:
        raise Skip("needs root")


def small_disk(world, kib):
    needs_root()
    os.mkdir(world.state)
    mounted = popen(["mount", "-t", "tmpfs", "-o", f"size={kib}k,mode=0700", "vmpower-test", world.state])
    if mounted.wait():
        raise Skip("a small filesystem cannot be mounted")
    world.later(unmount, world.state)


def unmount(path):
    popen(["umount", "-l", path]).wait()


def fill(world):
    with open(os.path.join(world.state, "ballast"), "wb", buffering=0) as file:
        size = 65536
        while size >= 1:
            try:
                file.write(b"\0" * size)
            except OSError:
                size //= 2


def boot_id():
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
        return file.read().strip()


# --- what is said of it ---------------------------------------------------------------------------------------------

VERDICT_KEYS = [
    "schema", "id", "vm", "time", "transition", "initiator", "mechanism", "graceful", "left", "count", "actor",
    "confidence", "rule", "summary", "evidence", "decision", "revises",
]  # fmt: skip


def says(verdict, transition, initiator, mechanism, graceful, **members):
    """Compare with a row of the truth table, and whatever else is given."""
    row = (verdict["transition"], verdict["initiator"], verdict["mechanism"], verdict["graceful"])
    assert row == (transition, initiator, mechanism, graceful), f"{row}, not {(transition, initiator, mechanism, graceful)}: {verdict['evidence']}"
    members.setdefault("confidence", "certain")
    for name, value in members.items():
        if name == "decision" and isinstance(value, tuple):
            value = dict(zip(("policy", "action", "result"), value))
        assert verdict[name] == value, f"{name} is {verdict[name]!r}, not {value!r}: {verdict['evidence']}"
    check_form(verdict)


def check_form(verdict):
    """The form vmpower.verdict/1."""
    assert list(verdict) == VERDICT_KEYS, list(verdict)
    assert verdict["schema"] == "vmpower.verdict/1"
    assert re.fullmatch(r"[0-9A-Z]{26}", verdict["id"]), verdict["id"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", verdict["time"]), verdict["time"]
    assert set(verdict["vm"]) == {"name", "uuid", "backend", "instance"}
    assert re.fullmatch(re.escape(boot_id()) + r":(xen)?\d+:\w+", verdict["vm"]["instance"]), verdict["vm"]
    assert verdict["summary"].startswith(verdict["vm"]["name"]), verdict["summary"]
    for item in verdict["evidence"]:
        assert set(item) >= {"id", "time", "source", "kind", "proof", "data"}, item
    if verdict["rule"] != "no-evidence":
        assert any(item["proof"] for item in verdict["evidence"]), "a verdict without proof"


def is_ours_or_unseen(verdict):
    """We are at another monitor: named, if QEMU was still there when vmpower looked; nobody else is."""
    actor = verdict["actor"]
    assert actor is None or (actor["pid"], actor["via"], actor["confidence"]) == (os.getpid(), "qmp", "likely"), actor


def story(history):
    """[(transition, initiator, mechanism), …] as it happened."""
    return [(v["transition"], v["initiator"], v["mechanism"]) for v in history]


def evidence_of(verdict, kind, source=None):
    return [e for e in verdict["evidence"] if e["kind"] == kind and (source is None or e["source"] == source)]
