"""vmpowerd for the tests that need one: the daemon, who watches it, and VMs that it did not start.

    VMPOWERD       the daemon
"""

import os
import resource
import signal
import socket
import sqlite3
import stat
import uuid

from world import *

VMPOWERD = os.path.abspath(os.environ.get("VMPOWERD", "build/src/daemon/vmpowerd"))
FAILED, USAGE, NO_SUCH_VM, NOT_STOPPED, UNKNOWN = 1, 2, 3, 4, 15
DESTROYED = 11
VM_KEYS = [
    "name", "uuid", "backend", "instance", "pid", "state", "began", "since", "monitor", "shared_monitor", "could_attach", "sources",
    "last_verdict",
]  # fmt: skip
KILLED = ("destroy", "operator", "signal", False)
LOST = ("unknown", "unknown", "unseen", None)

vm_numbers = itertools.count(1)


def on_both(sentence):
    """A test under TCG and, where it can be used, under KVM."""

    def register(function):
        for accelerator in ("tcg", "kvm"):

            def on_one(world, accelerator=accelerator):
                if accelerator == "kvm":
                    needs_kvm()
                function(world, accelerator)

            test(f"{accelerator}: {sentence}")(on_one)
        return function

    return register


def needs_kvm():
    if not kvm_is_usable():
        raise Skip("/dev/kvm cannot be used")


# --- the daemon -----------------------------------------------------------------------------------------------------


class Daemon:
    """A vmpowerd, ready: it has found what was there; `within`: words that it is started by."""

    def __init__(self, world, *options, within=()):
        self._launch(world, options, within)
        self._wait_ready()

    @classmethod
    def launch(cls, world, *options):
        """One that may not be ready yet."""
        self = cls.__new__(cls)
        self._launch(world, options)
        return self

    def _launch(self, world, options, within=()):
        path = world.path(f"notify-{next(vm_numbers)}")
        self.world = world
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        os.chmod(path, 0o777)  # it may be another user's
        world.later(self.notify.close)
        self.process = start_daemon(world, options, path, within)
        self.stderr = Stream(self.process.stderr.fileno())
        world.later(self._forget)

    def _wait_ready(self):
        ended = os.pidfd_open(self.process.pid)
        poll = select.poll()
        poll.register(self.notify, select.POLLIN)
        poll.register(ended, select.POLLIN)
        try:
            while True:
                ready = poll.poll(PATIENCE * 1000)
                if not any(fd == self.notify.fileno() for fd, _ in ready):
                    raise AssertionError(f"vmpowerd did not get ready: {self.stderr.text()!r}")
                if "READY=1" in self.notify.recv(4096).decode().splitlines():
                    return
        finally:
            os.close(ended)

    def _forget(self):
        """What the test did not end itself was ended by its world."""
        self.process.wait()
        self.stderr.thread.join(5)
        self.process.stderr.close()

    def wait_told(self, name, count=1):
        """Wait until that many verdicts on the VM were told (they are stored by then)."""
        deadline = time.monotonic() + PATIENCE
        with self.stderr.changed:
            while len(self.lines_on(name)) < count:
                assert not self.stderr.is_over, self.stderr.text()[-3000:]
                if not self.stderr.changed.wait(deadline - time.monotonic()):
                    raise Timeout(f"not told {count} times of {name}; only {self.stderr.text()[-3000:]}")

    def lines_on(self, name):
        """What the daemon said of the VM; what ails it itself then ("NAME (pid 7): the disk takes too long") is nothing of that."""
        return re.findall(rf"^vmpowerd: {re.escape(name)}[ '](?!\(pid ).*\n", self.stderr.text(), re.MULTILINE)

    def stop(self):
        self.process.terminate()
        self._end(0)

    def kill(self):
        self.process.kill()
        self.is_killed()

    def is_killed(self):
        """By whomever."""
        self._end(-signal.SIGKILL)

    def _end(self, status):
        wait_for_end(self.process.pid)
        got = self.process.wait()
        text = self.stderr.wait_for_end().decode(errors="replace")
        self.world.outputs.append(("vmpowerd", text))
        assert got == status, f"vmpowerd has ended with {got}, not {status}: {text[-3000:]}"


def start_daemon(world, options=(), notify_path=None, within=()):
    environment = {name: value for name, value in world.environment.items() if name not in ("JOURNAL_STREAM", "NOTIFY_SOCKET", "FDSTORE")}
    if notify_path:
        environment["NOTIFY_SOCKET"] = notify_path
    named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "env": environment}
    return popen([*within, VMPOWERD, *options], **named)


ENDS = (("that is told to end", Daemon.stop), ("that is killed", Daemon.kill))


def on_both_ends(sentence):
    """A test with a daemon that is told to end, and with one that is killed."""

    def register(function):
        for words, end in ENDS:
            test(f"a daemon {words}: {sentence}")(lambda world, end=end: function(world, end))
        return function

    return register


class Between:
    """Passes on between a client and the daemon, and so knows when the client has the head of its answer."""

    def __init__(self, world, rundir):
        os.mkdir(rundir)
        self.to = os.path.join(world.rundir, "vmpower.sock")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(os.path.join(rundir, "vmpower.sock"))
        self.listener.listen(8)
        self.answered = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            daemon = socket.socket(socket.AF_UNIX)
            try:
                daemon.connect(self.to)
            except OSError:
                daemon.close()
                client.close()
                continue
            threading.Thread(target=self._pass_on, args=(client, daemon, False), daemon=True).start()
            threading.Thread(target=self._pass_on, args=(daemon, client, True), daemon=True).start()

    def _pass_on(self, come, go, is_answer):
        seen = b""
        try:
            while data := come.recv(65536):
                go.sendall(data)
                if is_answer and not self.answered.is_set():
                    seen += data
                    if b"\r\n\r\n" in seen:
                        self.answered.set()
        except OSError:
            pass
        try:
            go.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Watch:
    """`vmpower watch --json`, which hears everything from here on."""

    def __init__(self, world):
        rundir = world.path(f"watch-{next(vm_numbers)}")
        between = Between(world, rundir)
        world.later(between.close)
        environment = {**world.environment, "VMPOWER_RUN_DIR": rundir}
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": environment}
        self.world = world
        self.process = popen([VMPOWER, "watch", "--json"], **named)
        self.stdout, self.stderr = Stream(self.process.stdout.fileno()), Stream(self.process.stderr.fileno())
        assert between.answered.wait(PATIENCE), "the daemon has not answered `vmpower watch`"

    def verdicts(self, name):
        """What was told of the VM so far."""
        whole = self.stdout.data.rpartition(b"\n")[0]
        told = [json.loads(line) for line in whole.splitlines()]
        return [verdict for verdict in told if verdict["vm"]["name"] == name]

    def wait(self, name):
        """Wait for the first verdict on the VM."""
        deadline = time.monotonic() + PATIENCE
        with self.stdout.changed:
            while not self.verdicts(name):
                assert not self.stdout.is_over, self.stderr.text()
                if not self.stdout.changed.wait(deadline - time.monotonic()):
                    raise Timeout(f"nothing was told of {name}; only {self.stdout.data[-2000:]!r}")
            return self.verdicts(name)[0]

    def wait_for_end(self):
        """The daemon has ended: hear all that it told, and end."""
        self.stderr.wait_for("vmpowerd has ended")
        self.process.send_signal(signal.SIGINT)
        wait_for_end(self.process.pid)
        status = self.process.wait()
        for stream in (self.stdout, self.stderr):
            stream.wait_for_end()
        for file in (self.process.stdout, self.process.stderr):
            file.close()
        self.world.outputs.append(("vmpower watch", self.stderr.text()))
        return status


# --- VMs ------------------------------------------------------------------------------------------------------------


class Vm:
    """A QEMU of the test's own, which runs; `path` is the monitor on which it listens, `own` one that is the test's, unless it is `alone`."""

    def __init__(self, world, *words, action="idle", accelerator="tcg", delay_ms=None, listens=True, alone=False):
        self.world = world
        self.name = f"t{os.getpid()}-{next(vm_numbers)}"
        self.uuid = str(uuid.uuid4())
        self.path = world.path(f"{self.name}.qmp")
        self.own = None if alone else world.monitor()
        command = [*probe(action, None, delay_ms, accelerator=accelerator, serial=False), "-name", self.name]
        command += ["-uuid", self.uuid, *words]
        if listens:
            command += ["-qmp", f"unix:{self.path},server=on,wait=off"]
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        if self.own:
            command += self.own.option
        self.process = popen(command, env=world.environment, **named)
        self.output = Stream(self.process.stdout.fileno())
        self.pid = self.process.pid
        self.instance = f"{boot_id()}:{self.pid}:{start_time_of(self.pid)}"
        world.later(self._forget)

    def _forget(self):
        self.process.wait()
        self.output.thread.join(5)
        self.process.stdout.close()

    def greets(self):
        """Wait until it is set up.  Under KVM the kernel has announced it by then."""
        self.own.connect()
        self.own.wait_status("running", "RESUME")
        return self

    def is_over(self):
        if self.process.poll() is None:
            wait_for_end(self.pid)
        return self.process.wait()

    def signal(self, number):
        """End it."""
        os.kill(self.pid, number)
        return self.is_over()

    def history(self):
        """All verdicts on it, the oldest first; none of another instance."""
        history = self.world.history(self.name)
        assert all(verdict["vm"]["instance"] == self.instance for verdict in history), [verdict["vm"] for verdict in history]
        return history


def at_end(vm, daemon, count=1):
    """All verdicts on a VM that ends, of which the daemon tells that many; nothing else is asked of it."""
    vm.is_over()
    daemon.wait_told(vm.name, count)
    daemon.stop()
    return vm.history()


def runs(world, *words, **named):
    return Vm(world, *words, **named).greets()


def listed(world, name):
    """The daemon's word on the VM, or None."""
    done = world.vmpower("list", "--json")
    assert done.returncode == 0, done.stderr
    found = [vm for vm in json.loads(done.stdout) if vm["name"] == name]
    assert len(found) <= 1, found
    return found[0] if found else None


def descriptors(pid):
    """(the lowest number that is free, how many are open that are no VM's)"""
    links = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            links[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            pass
    lowest = next(number for number in itertools.count() if number not in links)
    return lowest, sum("pidfd" not in link and "/memory." not in link for link in links.values())


def limit_descriptors(daemon, n):
    """So many it may have open from now on; None: as many as before."""
    _, hard = resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE)
    resource.prlimit(daemon.process.pid, resource.RLIMIT_NOFILE, (hard if n is None else n, hard))


def wait_listed(world, name, condition=lambda told: told):
    """Wait until the daemon lists it so."""
    deadline = time.monotonic() + PATIENCE
    while not condition(told := listed(world, name)):
        assert time.monotonic() < deadline, told
        time.sleep(0.02)
    return told


def rows(world, statement, *arguments):
    """What is in the database, and nothing is judged by looking."""
    connection = sqlite3.connect(f"file:{os.path.join(world.state, 'vmpower.db')}?mode=ro", uri=True)
    try:
        return connection.execute(statement, arguments).fetchall()
    finally:
        connection.close()


def instances(world, vm):
    return rows(world, "SELECT instance FROM vm WHERE name = ? OR instance = ?", vm.name, vm.instance)


def verdicts_stored(world, vm):
    statement = "SELECT v.transition, v.mechanism FROM verdict v JOIN vm ON vm.id = v.vm WHERE vm.instance = ?"
    return rows(world, statement, vm.instance)


def attach(world, vm, *words, path=None):
    return world.vmpower("attach", vm.name, "--qmp", path or vm.path, *words)


def attached(world, vm, *words):
    done = attach(world, vm, "--json", *words)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["name"], told["monitor"], told["pid"]) == (vm.name, vm.path, vm.pid), told
    return told


def is_refused(done, status, *words):
    """Exactly one line on stderr, nothing on stdout, and the documented status."""
    assert done.returncode == status, f"exit status {done.returncode}, not {status}: {done.stderr!r}"
    assert done.stdout == b"", done.stdout
    text = done.stderr.decode()
    assert text.startswith("vmpower: ") and text.endswith("\n") and text[:-1].isprintable(), repr(text)
    for word in words:
        assert word in text, f"{word!r} is not in {text!r}"


def reading_takes_no_word_from_the_daemon(world, vm):
    """Whoever asks before it is back: nothing is concluded."""
    is_refused(world.vmpower("why", vm.name), NOT_STOPPED, vm.name, "start vmpowerd")
    for words in (("history",), ("rejudge", "--dry-run"), ("rejudge",), ("prune", "--dry-run")):
        assert world.vmpower(*words).returncode == 0, words
    assert rows(world, "SELECT v.number FROM verdict v JOIN vm ON vm.id = v.vm WHERE vm.instance = ?", vm.instance) == []
    assert rows(world, "SELECT ended_ns FROM vm WHERE instance = ?", vm.instance) == [(None,)]


def is_attached_by_itself(world, vm):
    """What the daemon may take, or held before; that takes the time of a greeting.  Its word on the VM."""
    deadline = time.monotonic() + PATIENCE
    while not (told := listed(world, vm.name)) or told["monitor"] != vm.path:
        assert time.monotonic() < deadline, told
        time.sleep(0.05)
    return told


def is_still_unattached(world, vm):
    told = listed(world, vm.name)
    assert told["monitor"] is None and told["sources"] == ["process"], told


def http(world, method, target, body):
    """(status, answer): what the daemon says to who asks it himself."""
    text = json.dumps(body).encode()
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(PATIENCE)
    connection.connect(os.path.join(world.rundir, "vmpower.sock"))
    head = f"{method} {target} HTTP/1.1\r\nHost: vmpower\r\nConnection: close\r\nContent-Type: application/json\r\n"
    connection.sendall(f"{head}Content-Length: {len(text)}\r\n\r\n".encode() + text)
    answer = b""
    while data := connection.recv(65536):
        answer += data
    connection.close()
    return int(answer.split()[1]), json.loads(answer.partition(b"\r\n\r\n")[2])


def forget_sockets(world):
    """A daemon that was killed could not take its socket away."""
    for path in world.sockets():
        os.unlink(path)


LAUNCHER = """
import os, sys
fds = [int(fd) for fd in sys.argv[1].split(",") if fd]
high = [os.dup(fd) for fd in fds]
above = max([3 + len(fds)] + high + fds) + 1
high = [os.dup2(fd, above + i) for i, fd in enumerate(high)]
for i, fd in enumerate(high):
    os.dup2(fd, 3 + i)
os.closerange(3 + len(fds), above + len(fds))
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.argv[2], sys.argv[2:])
"""


class ServiceManager:
    """What systemd is to the daemon: it hears what it notifies, keeps its descriptors, and hands them to the next one."""

    def __init__(self, world):
        path = world.path("manager")
        self.world = world
        self.kept = {}  # name: descriptor
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind(path)
        self.changed = threading.Condition()
        self.n_ready = self.n_barriers = 0
        self.environment = {**world.environment, "NOTIFY_SOCKET": path, "FDSTORE": "10000"}
        self.environment.pop("JOURNAL_STREAM", None)
        self.thread = threading.Thread(target=self._hear, daemon=True)
        self.thread.start()
        world.later(self._forget)

    def _hear(self):
        while True:
            data, fds, _, _ = socket.recv_fds(self.notify, 4096, 16)
            lines = data.decode().splitlines()
            if lines == ["bye"]:
                return
            if lines == ["barrier"]:
                with self.changed:
                    self.n_barriers += 1
                    self.changed.notify_all()
                continue
            named = dict(line.split("=", 1) for line in lines)
            with self.changed:
                if "FDSTORE" in named:
                    assert named.get("FDPOLL") == "0" and len(fds) == 1, lines
                    assert named["FDNAME"] not in self.kept, lines
                    self.kept[named["FDNAME"]] = fds.pop()
                if "FDSTOREREMOVE" in named:
                    os.close(self.kept.pop(named["FDNAME"]))
                self.n_ready += named.get("READY") == "1"
                self.changed.notify_all()

    def start(self):
        """The daemon, ready, with all that was kept."""
        n_ready = self.n_ready
        daemon = self.launch()
        self.wait(lambda: self.n_ready > n_ready or daemon.stderr.is_over, lambda: daemon.stderr.text())
        assert self.n_ready > n_ready, daemon.stderr.text()
        return daemon

    def launch(self):
        """The daemon, with all that was kept; it may not be ready yet."""
        self._hear_all()
        with self.changed:
            names = list(self.kept)
            fds = [self.kept[name] for name in names]
        environment = {**self.environment, "LISTEN_FDS": str(len(fds)), "LISTEN_FDNAMES": ":".join(names)}
        daemon = Daemon.__new__(Daemon)
        daemon.world, daemon.notify = self.world, None
        command = [sys.executable, "-c", LAUNCHER, ",".join(map(str, fds)), VMPOWERD]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        daemon.process = popen(command, env=environment, pass_fds=fds, **streams)
        daemon.stderr = Stream(daemon.process.stderr.fileno())
        self.world.later(daemon._forget)
        return daemon

    def _hear_all(self):
        """What a daemon said before it was killed is heard before the next one starts."""
        with self.changed:
            n_barriers = self.n_barriers
        self._say(b"barrier")
        self.wait(lambda: self.n_barriers > n_barriers)

    def _say(self, text):
        talker = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        talker.sendto(text, self.notify.getsockname())
        talker.close()

    def wait(self, condition, describe=lambda: ""):
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while not condition():
                if not self.changed.wait(deadline - time.monotonic()):
                    raise Timeout(f"the service manager did not hear of it: {sorted(self.kept)} {describe()}")

    def end(self, daemon):
        """The service is stopped for good: what it left with us goes, its sockets with it."""
        daemon.stop()
        for fd in self.kept.values():
            if not stat.S_ISSOCK(os.fstat(fd).st_mode):
                continue  # what keeps the kernel's programs
            listener = socket.socket(fileno=os.dup(fd))
            if listener.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                os.unlink(listener.getsockname())
            listener.close()

    def _forget(self):
        self._say(b"bye")
        self.thread.join(5)
        self.notify.close()
        for fd in self.kept.values():
            os.close(fd)


def shared_path(world, name):
    return os.path.join(world.rundir, "qmp", f"{name}.sock")
