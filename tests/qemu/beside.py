#!/usr/bin/env python3
"""`vmpower run` beside `vmpowerd`: the daemon sees what `run` sees, and nothing of what `run` does depends on it.

The wire between the two is docs/wire.md.

    VMPOWERD       the daemon
"""

import fcntl
import pwd
import termios

from daemon_world import *

SOURCES = ["qmp", "stderr", "process"]
QUIT = ("destroy", "operator", "qmp-quit", False)


class User:
    """Somebody else, with a state directory of his own, beside the system's daemon."""

    def __init__(self, world):
        if os.geteuid():
            raise Skip("only root can be two users")
        self.world = world
        self.uid = pwd.getpwnam("nobody").pw_uid
        os.chmod(world.directory, 0o711)
        self.state = world.path("nobody")
        for path in (self.state, os.path.join(world.rundir, "run")):
            os.makedirs(path)
            os.chown(path, self.uid, -1)
            os.chmod(path, 0o700)
        # Where we were built may not be for everyone to see.
        self.vmpower = world.path("vmpower")
        self.rom = world.path("probe.rom")
        shutil.copy(VMPOWER, self.vmpower)
        shutil.copy(os.path.join(GUESTS, "probe.rom"), self.rom)
        os.chmod(self.rom, 0o644)
        self.environment = {**world.environment, "VMPOWER_STATE_DIR": self.state, "HOME": self.state}
        self.identity = {"user": self.uid, "group": pwd.getpwnam("nobody").pw_gid, "extra_groups": [], "cwd": "/", "env": self.environment}

    def run(self, *words, action="idle", name, options=(), before=()):
        command = [*before, *(self.rom if word.endswith("probe.rom") else word for word in map(str, probe(action)))]
        own = self.world.monitor()
        os.chmod(own.path, 0o666)
        run = self.world.run(*command, *words, *own.option, name=name, options=options, verdict=None, executable=self.vmpower,
                             **self.identity)
        return run, own

    def ask(self, *words):
        process = popen([self.vmpower, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **self.identity)
        out, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, err
        return json.loads(out)

    def history(self, name):
        return self.ask("history", name, "--json")[::-1]


def new_name():
    return f"beside{os.getpid()}-{next(vm_numbers)}"


def is_told(world, name, **members):
    """Wait until the daemon's list says so of the VM, as its `vmpower run` tells it."""
    members.setdefault("sources", SOURCES)

    def says_so():
        vm = listed(world, name)
        return vm if vm and all(vm[key] == value for key, value in members.items()) else None

    return until(f"{name} is listed with {members}; it is {listed(world, name)}", says_so)


def is_gone(world, name):
    until(f"{name} is not listed any more", lambda: listed(world, name) is None)


def runs(world, *words, name, action="idle", options=()):
    own = world.monitor()
    run = world.run(*probe(action), *words, *own.option, name=name, options=options)
    own.connect()
    own.wait_status("running", "RESUME")
    return run, own


def same(one, other):
    """Two verdicts of two databases on one transition."""
    keys = ["transition", "initiator", "mechanism", "graceful", "left", "count", "confidence", "rule", "summary", "time", "decision"]
    for key in keys:
        assert one[key] == other[key], (key, one[key], other[key])
    for key in ("name", "instance", "backend"):
        assert one["vm"][key] == other["vm"][key], (key, one["vm"], other["vm"])

    # What came after the cause may have been there when one of them was judged.
    def proof(verdict):
        return [(item["time"], item["source"], item["kind"], item["data"]) for item in verdict["evidence"] if item["proof"]]

    assert proof(one) == proof(other), (proof(one), proof(other))


def facts_stored(world, name):
    """Source and kind of each fact on the VM in the daemon's database."""
    return rows(world, "SELECT e.source, e.kind FROM evidence e JOIN vm ON vm.id = e.vm WHERE vm.name = ?", name)


# --- one state directory --------------------------------------------------------------------------------------------


@test("one state directory: the VM is listed as it is, each verdict is told once, and attach names the `run`")
def one_directory(world):
    daemon = Daemon(world)
    watch = Watch(world)
    name = new_name()
    free = world.path("free.qmp")
    run, own = runs(world, "-qmp", f"unix:{free},server=on,wait=off", name=name)
    told = is_told(world, name, state="running", monitor=None, could_attach=None)
    assert told["pid"] == own.pid, told
    held = os.path.join(world.rundir, "run", f"{run.pid}.sock")
    for words in (["--qmp", held], ["--qmp", free, "--pid", str(own.pid)], ["--qmp", free]):
        done = world.vmpower("attach", name, *words)
        (line,) = done.stderr.decode().splitlines()
        assert done.returncode == FAILED and str(run.pid) in line, (done.returncode, line)
    own.ask("stop")
    paused = is_told(world, name, state="paused")
    own.ask("cont")
    is_told(world, name, state="running")
    assert paused["last_verdict"]["summary"] == world.history(name)[0]["summary"]
    own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    history = world.history(name)
    assert story(history) == [("pause", "operator", "qmp-stop"), ("resume", "operator", "qmp-stop"), ("destroy", "operator", "qmp-quit")]
    until("all is told", lambda: len(watch.verdicts(name)) >= 3)
    daemon.stop()
    watch.wait_for_end()
    assert [verdict["id"] for verdict in watch.verdicts(name)] == [verdict["id"] for verdict in history]
    assert daemon.lines_on(name) == [f"vmpowerd: {verdict['summary']}\n" for verdict in history], daemon.stderr.text()


@test("one state directory: a daemon that starts later, and again, is told; each verdict is in history once")
def later_and_again(world):
    name = new_name()
    run, own = runs(world, name=name)
    daemon = Daemon(world)
    is_told(world, name, pid=own.pid)
    daemon.kill()
    own.ask("stop")
    run.wait_verdict(transition="pause")
    daemon = Daemon(world)
    is_told(world, name, state="paused")
    daemon.stop()
    daemon = Daemon(world)
    is_told(world, name, state="paused")
    own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    history = world.history(name)
    assert story(history) == [("pause", "operator", "qmp-stop"), ("destroy", "operator", "qmp-quit")], story(history)
    says(history[1], *QUIT)
    # Whoever comes into a running system tells what happens from then on.
    assert daemon.lines_on(name) == [f"vmpowerd: {history[1]['summary']}\n"], daemon.stderr.text()
    assert run.own_lines() == [f"vmpower: {history[1]['summary']}"], run.own_lines()


@test("one state directory: a VM whose `run` was killed is the daemon's from then on")
def taken_over(world):
    daemon = Daemon(world)
    name = new_name()
    run, own = runs(world, name=name)
    is_told(world, name)
    run.process.kill()
    run.wait()
    until("the daemon watches it", lambda: (listed(world, name) or {"sources": []})["sources"] in (["process"], ["qmp", "process"]))
    assert listed(world, name)["pid"] == own.pid
    os.kill(own.pid, signal.SIGKILL)
    wait_for_end(own.pid)
    is_gone(world, name)
    daemon.stop()
    (killed,) = world.history(name)
    says(killed, *KILLED, confidence="likely", decision=killed["decision"])
    assert daemon.lines_on(name) == [f"vmpowerd: {killed['summary']}\n"], daemon.stderr.text()
    reap_orphans()
    forget_sockets(world)


@test("one state directory: a VM that is started again is a new instance to the daemon, too")
def started_again(world):
    daemon = Daemon(world)
    name = new_name()
    run, own = runs(world, name=name, options=["--policy", "on_poweroff=restart"], action="button-obey")
    first = is_told(world, name)
    own.ask("system_powerdown")
    own.connect()
    own.wait_status("running", "RESUME")
    second = is_told(world, name, pid=own.pid)
    assert first["instance"] != second["instance"], (first, second)
    own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    history = world.history(name)
    assert story(history) == [("poweroff", "operator", "power-button"), ("destroy", "operator", "qmp-quit")], story(history)
    assert [len(daemon.lines_on(name)), len(history)] == [2, 2], daemon.stderr.text()


@test("one state directory: a VM that its wrapper starts again is a new instance to the daemon, too, and nobody else's")
def started_again_by_its_wrapper(world):
    daemon = Daemon(world)
    name = new_name()
    own = world.monitor()
    run = world.run(world.script("wrapper", '#!/bin/sh\n"$@"\n"$@"\n'), *probe("idle"), *own.option, name=name)
    pids = []
    for _ in range(2):
        own.connect()
        own.wait_status("running", "RESUME")
        pids.append(own.pid)
        is_told(world, name, pid=own.pid, state="running")
        own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    history = world.history(name)
    assert story(history) == 2 * [("destroy", "operator", "qmp-quit")], story(history)
    assert [int(verdict["vm"]["instance"].split(":")[1]) for verdict in history] == pids, history
    assert len(daemon.lines_on(name)) == 2, daemon.stderr.text()


def stop_between_commits(world, daemon):
    """It finds other tests' VMs, too: one that is stopped in the middle of a commit would keep the database to itself."""
    while True:
        os.kill(daemon.process.pid, signal.SIGSTOP)
        database = sqlite3.connect(os.path.join(world.state, "vmpower.db"), isolation_level=None, timeout=0)
        try:
            database.execute("BEGIN IMMEDIATE")
            database.execute("ROLLBACK")
            return
        except sqlite3.OperationalError:
            os.kill(daemon.process.pid, signal.SIGCONT)
            time.sleep(0.01)
        finally:
            database.close()


@test("a daemon that hangs holds no `run` up, and hears of it when it does so no more")
def hanging(world):
    daemon = Daemon(world)
    stop_between_commits(world, daemon)
    name = new_name()
    run, own = runs(world, name=name)
    began = time.monotonic()
    ended = world.run(*probe("s5"), name=new_name())
    assert ended.wait() == 0
    took = time.monotonic() - began
    assert took < PATIENCE / 2, took
    os.kill(daemon.process.pid, signal.SIGCONT)
    is_told(world, name, pid=own.pid)
    assert listed(world, ended.name) is None
    own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    assert len(world.history(name)) == len(world.history(ended.name)) == 1


# --- another user's -------------------------------------------------------------------------------------------------


@test("another user's VM: both databases have the same verdicts, over the daemon's end and its SIGKILL")
def another_user(world):
    user = User(world)
    name = new_name()
    daemon = Daemon(world)
    run, own = user.run(name=name)
    own.connect()
    own.wait_status("running", "RESUME")
    told = is_told(world, name, state="running", could_attach=None)
    assert told["pid"] == own.pid, told
    for words in (("attach", name, "--qmp", os.path.join(world.rundir, "run", f"{run.pid}.sock")), ("pause", name)):
        done = world.vmpower(*words)
        (line,) = done.stderr.decode().splitlines()
        assert done.returncode == FAILED and str(run.pid) in line, (done.returncode, line)
    own.ask("stop")
    is_told(world, name, state="paused")
    daemon.kill()
    own.ask("cont")
    until("resumed", lambda: len(user.history(name)) == 2)
    daemon = Daemon(world)
    is_told(world, name, state="running")
    daemon.stop()
    daemon = Daemon(world)
    is_told(world, name, state="running")
    own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    his, ours = user.history(name), world.history(name)
    assert story(his) == [("pause", "operator", "qmp-stop"), ("resume", "operator", "qmp-stop"), ("destroy", "operator", "qmp-quit")]
    assert story(ours) == story(his), story(ours)
    # The daemon that found it before it was told of it does not watch its process, too.
    ends = [one for one in facts_stored(world, name) if one[1] in ("exited", "killed", "vanished")]
    assert ends == [("process", "exited")], ends
    for one, other in zip(his, ours):
        for key in ("time", "graceful", "left", "confidence", "rule", "summary", "vm"):
            assert one[key] == other[key], (key, one[key], other[key])


@test("another user's `run` that calls while the daemon's disk is sick calls again, and is heard")
def called_while_sick(world):
    user = User(world)
    name = new_name()
    daemon = Daemon(world)
    lock = sqlite3.connect(os.path.join(world.state, "vmpower.db"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    run, own = user.run(name=name)
    own.connect()
    own.wait_status("running", "RESUME")
    daemon.stderr.wait_for("the disk takes too long")
    lock.execute("COMMIT")
    lock.close()
    is_told(world, name, state="running")
    own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    assert story(world.history(name)) == story(user.history(name)) == [("destroy", "operator", "qmp-quit")]


@test("another user's VM: what his `run` decides and does is the decision of the daemon's verdict, and no story of its own")
def another_users_decision(world):
    user = User(world)
    name = new_name()
    daemon = Daemon(world)
    found = new_name()
    run, _ = user.run("-no-shutdown", action="s5", name=name, options=["--policy", "on_poweroff=destroy"])
    assert run.wait() == 0
    is_gone(world, name)
    (his,), (ours,) = user.history(name), until("it is told", lambda: world.history(name))
    says(his, "poweroff", "guest", "acpi-s5", True, decision=("on_poweroff", "destroy", "done"))
    until("the decision's result is told", lambda: world.history(name)[0]["decision"]["result"] == "done")
    (ours,) = world.history(name)
    same(his, ours)
    daemon.stop()
    # The same where the daemon finds the VM before it is told of it.
    os.rename(world.state, world.path("former"))
    run, own = user.run("-no-shutdown", "-name", found, action="button-obey", name=found, options=["--policy", "on_poweroff=destroy"])
    own.connect()
    own.wait_status("running", "RESUME")
    run.stdout.wait_for("probe: ready")
    daemon = Daemon(world)
    is_told(world, found)
    own.ask("system_powerdown")
    assert run.wait() == 0
    is_gone(world, found)
    until("the decision's result is told", lambda: world.history(found)[0]["decision"]["result"] == "done")
    (his,), (ours,) = user.history(found), world.history(found)
    says(ours, "poweroff", "operator", "power-button", True, decision=("on_poweroff", "destroy", "done"))
    same(his, ours)
    daemon.stop()


@test("another user's VM: started again, it is so in both histories")
def another_users_restart(world):
    user = User(world)
    name = new_name()
    daemon = Daemon(world)
    run, own = user.run(action="button-obey", name=name, options=["--policy", "on_poweroff=restart"])
    own.connect()
    own.wait_status("running", "RESUME")
    first = is_told(world, name)
    own.ask("system_powerdown")
    own.connect()
    own.wait_status("running", "RESUME")
    second = is_told(world, name, pid=own.pid)
    assert first["instance"] != second["instance"], (first, second)
    own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    his, ours = user.history(name), world.history(name)
    assert story(ours) == story(his) and len(his) == 2, (story(his), story(ours))
    for one, other in zip(his, ours):
        same(one, other)
    assert ours[0]["decision"]["result"] == "done", ours[0]["decision"]


@test("another user's VM behind a wrapper is one VM, also to a daemon that comes later")
def another_users_wrapper(world):
    user = User(world)
    name = new_name()
    daemon = Daemon(world)
    wrapper = world.script("wrapper", '#!/bin/sh\n"$@"\n')
    run, own = user.run(name=name, before=[wrapper])
    own.connect()
    own.wait_status("running", "RESUME")
    told = is_told(world, name, pid=own.pid)
    assert told["instance"].split(":")[1] == str(own.pid), told
    daemon.kill()
    daemon = Daemon(world)
    assert is_told(world, name, pid=own.pid)["instance"] == told["instance"]
    own.quit()
    assert run.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    (his,), (ours,) = user.history(name), world.history(name)
    says(ours, *QUIT, decision=None)
    assert his["vm"] == ours["vm"] == {"name": name, "uuid": None, "backend": "qemu", "instance": told["instance"]}, (his["vm"], ours["vm"])
    assert [v["id"] for v in world.history() if v["vm"]["instance"].split(":")[1] in (str(own.pid), str(run.pid))] == [ours["id"]]


@test("another user's VM whose `run` was killed is watched on, and what was told is its past")
def another_users_left(world):
    user = User(world)
    name = new_name()
    daemon = Daemon(world)
    run, own = user.run(name=name)
    own.connect()
    own.wait_status("running", "RESUME")
    own.ask("stop")
    is_told(world, name, state="paused")
    run.process.kill()
    run.wait()
    until("the daemon watches it", lambda: listed(world, name)["sources"] == ["process"])
    assert listed(world, name)["state"] == "paused"
    os.kill(own.pid, signal.SIGKILL)
    wait_for_end(own.pid)
    is_gone(world, name)
    daemon.stop()
    history = world.history(name)
    assert story(history)[0] == ("pause", "operator", "qmp-stop") and len(history) == 2, story(history)
    assert history[1]["left"] == "gone" and history[1]["transition"] in ("destroy", "unknown"), brief(history[1])
    reap_orphans()
    forget_sockets(world)


# --- hostile peers --------------------------------------------------------------------------------------------------


class Peer:
    """Somebody on source.sock."""

    def __init__(self, world):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(os.path.join(world.rundir, "source.sock"))

    @classmethod
    def calls(cls, world, *messages):
        """One that is answered: where it is hung up on without a word the disk was slow, and it calls again."""
        deadline = time.monotonic() + PATIENCE
        while True:
            self = cls(world)
            self.say(*messages)
            try:
                if self.socket.recv(1, socket.MSG_PEEK):
                    return self
            except ConnectionResetError:
                pass
            self.close()
            assert time.monotonic() < deadline, "it is hung up on, again and again"
            time.sleep(0.5)

    def say(self, *messages):
        for message in messages:
            data = message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"
            self.socket.sendall(data)

    def hears(self, key):
        """The next answer."""
        line = b""
        while not line.endswith(b"\n"):
            more = self.socket.recv(4096)
            assert more, f"hung up without {key}: {line!r}"
            line += more
        answer = json.loads(line)
        assert key in answer, (key, answer)
        return answer[key]

    def is_heard(self, world):
        """Until the daemon has dealt with all that was said."""
        deadline = time.monotonic() + PATIENCE
        while struct.unpack("i", fcntl.ioctl(self.socket, termios.TIOCOUTQ, bytes(4)))[0]:
            assert time.monotonic() < deadline, "what was said is not read"
            time.sleep(0.001)
        # It has begun to; whoever comes now is dealt with after that.
        other = Peer(world)
        other.say(b"garbage\n")
        other.is_hung_up()

    def is_hung_up(self):
        try:
            while self.socket.recv(4096):
                pass
        except ConnectionResetError:
            pass
        self.socket.close()

    def close(self):
        self.socket.close()


def hello(process, **members):
    instance = f"{boot_id()}:{process}:{start_time_of(process)}"
    vm = {"name": f"told-{process}", "backend": "qemu", "pid": process, "instance": instance}
    return {"hello": {"protocol": 1, "program": "a test", "sources": ["qmp", "process"], "vm": {**vm, **members}}}


def fact(kind, source="process", at_ns=None, **data):
    at_ns = at_ns or time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return {"evidence": {"at_ns": at_ns, "seq": 0, "source": source, "kind": kind, "data": data}}


@test("anyone's own source: its VM is listed, stored and judged, and what it may not say is not heard")
def own_source(world):
    daemon = Daemon(world)
    sleeper = popen(["sleep", "1000"], env=world.environment)
    name = f"told-{sleeper.pid}"
    peer = Peer.calls(world, hello(sleeper.pid), {"news": 1}, fact("shutdown", "qmp", guest=True, reason="guest-shutdown"))
    assert peer.hears("welcome") == {"protocol": 1, "wants": "evidence"}
    is_told(world, name, sources=["qmp", "process"], pid=sleeper.pid)
    again = Peer.calls(world, hello(sleeper.pid))
    assert again.hears("welcome"), "the same process that calls again takes its own place"
    peer.is_hung_up()
    future = time.clock_gettime_ns(time.CLOCK_BOOTTIME) + 10**15
    again.say(fact("line", "console", at_ns=future, text="from the future"), fact("stop", "qmp", at_ns=future))
    again.say(fact("exited", exit_status=3))  # it lives
    again.is_heard(world)
    sleeper.kill()
    sleeper.wait()
    again.say(fact("killed", signal=9, name="SIGKILL", core=False), {"gone": True})
    is_gone(world, name)
    again.close()
    (verdict,) = world.history(name)
    assert sorted(facts_stored(world, name)) == [("process", "killed"), ("qmp", "shutdown")], facts_stored(world, name)
    says(verdict, "poweroff", "guest", verdict["mechanism"], True, left="gone", decision=("on_poweroff", "leave", "none"))
    daemon.stop()


def as_nobody(world, function):
    """What somebody else does, in a process of his."""
    os.chmod(world.directory, 0o711)
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setresuid(65534, 65534, 65534)
            function()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


@test("who is not root writes nobody else into the record: no requests, no host that goes down; whom he names is likely at most")
def framing(world):
    if os.geteuid():
        raise Skip("only root can be two users")
    daemon = Daemon(world)
    sleeper = popen(["sleep", "1000"], env=world.environment, user=65534, group=65534, extra_groups=[])
    name = f"told-{sleeper.pid}"
    framed = {"pid": 4242, "uid": 0, "user": "root", "login_user": "root", "comm": "framed", "via": "SIGTERM", "confidence": "certain"}
    said = hello(sleeper.pid)
    said["hello"]["sources"] += ["stderr", "trace", "vmpower", "host"]

    def frame():
        peer = Peer.calls(world, said)
        peer.hears("welcome")
        for source in ("qmp", "stderr", "process", "console", "trace", "vmpower", "host", "xen"):
            peer.say(fact("request", source, command="quit", actor=framed), fact("going-down", source, mode="poweroff", actor=framed),
                     fact("hypercall", source, command="destroydomain", domid=1, actor=framed))
        peer.say(fact("exited", exit_status=0))  # it lives
        peer.say(fact("signal", "stderr", name="SIGTERM", signal=15, actor=framed))
        peer.say(fact("shutdown", "qmp", guest=False, reason="host-signal"))
        peer.is_heard(world)
        os.kill(sleeper.pid, signal.SIGTERM)
        wait_for_end(sleeper.pid)
        peer.say(fact("killed", signal=15, name="SIGTERM", core=False), {"gone": True})
        peer.close()

    as_nobody(world, frame)
    daemon.wait_told(name)
    sleeper.wait()
    daemon.stop()
    assert sorted(fact for fact in facts_stored(world, name) if fact[0] != "trace") == [
        ("process", "killed"), ("qmp", "shutdown"), ("stderr", "signal")], facts_stored(world, name)  # fmt: skip
    (verdict,) = world.history(name)
    if any(source == "trace" for source, _ in facts_stored(world, name)):
        assert verdict["actor"]["uid"] == 65534, brief(verdict)
        return
    says(verdict, "destroy", "operator", "signal", False)
    assert verdict["actor"]["confidence"] == "likely" and not verdict["actor"]["login_user"], verdict["actor"]
    assert "root (framed, pid 4242, most likely) sent SIGTERM" in verdict["summary"], verdict["summary"]


def claim(world, process, uid, watcher):
    """A row of a VM that somebody looks after, or did."""
    with sqlite3.connect(os.path.join(world.state, "vmpower.db"), timeout=PATIENCE) as database:
        database.execute("PRAGMA foreign_keys = ON")
        database.execute(
            "INSERT INTO vm (name, backend, instance, pid, uid, policy, watcher, began_ns) VALUES (?, 'qemu', ?, ?, ?, '', ?, 1)",
            (f"told-{process}", f"{boot_id()}:{process}:{start_time_of(process)}", process, uid, watcher),
        )


@test("who tells of a VM that is on record as another user's, or another watcher's, is refused")
def on_record_as_anothers(world):
    daemon = Daemon(world)
    status = os.stat(os.path.join(world.state, "vmpower.db"))
    database = f"{status.st_dev}:{status.st_ino}"
    me = f"{boot_id()}:{os.getpid()}:{start_time_of(os.getpid())}"
    dead = f"{boot_id()}:{2**22 + 1}:1"
    own, other = os.getuid(), os.getuid() + 1
    for same, uid, watcher, is_his in (
        (False, own, dead, True), (False, other, dead, False), (False, own, me, False),
        (True, own, me, True), (True, own, dead, False), (True, own, None, False),
    ):  # fmt: skip
        sleeper = popen(["sleep", "1000"], env=world.environment)
        claim(world, sleeper.pid, uid, watcher)
        said = hello(sleeper.pid)
        if same:
            said["hello"]["database"] = database
        peer = Peer.calls(world, said)
        if is_his:
            peer.hears("welcome")
        else:
            assert "looked after already" in (why := peer.hears("refused")) or "another" in why, (same, uid, watcher, why)
            peer.is_hung_up()
        sleeper.kill()
        sleeper.wait()
        if is_his:
            peer.say(fact("exited", exit_status=0), {"gone": True})
        with sqlite3.connect(os.path.join(world.state, "vmpower.db"), timeout=PATIENCE) as connection:
            connection.execute("UPDATE vm SET ended_ns = 2 WHERE pid = ? AND ended_ns IS NULL AND ?", (sleeper.pid, same or not is_his))
        if is_his:
            peer.close()
    daemon.stop()


@test("hostile peers: garbage, huge lines, others' VMs, a thousand connections; the daemon and a `run` beside it go on")
def hostile(world):
    daemon = Daemon(world)
    name = new_name()
    run, own = runs(world, name=name)
    is_told(world, name)
    for words in (b"garbage\n", b"[1]\n", b'{"hello": 3}\n', b'{"evidence": {}}\n', b"\0" * 1000 + b"\n", b"{" * 60000 + b"\n",
                  b'{"hello": {"protocol": 1}}\n', json.dumps(fact("exited")).encode() + b"\n"):
        peer = Peer(world)
        peer.say(words)
        peer.hears("refused")
        peer.is_hung_up()
    peer = Peer(world)
    try:
        for _ in range(100):
            peer.say(b"x" * 65536)
        raise AssertionError("a line without end was read to the end")
    except (BrokenPipeError, ConnectionResetError):
        peer.close()
    # One whose `run` tells of it; one that is not there; a later protocol; twice hello.
    for one in (hello(own.pid), {"hello": {**hello(own.pid)["hello"], "protocol": 2}},
                hello(own.pid, instance=f"{boot_id()}:{own.pid}:1"), hello(own.pid, pid=2**22 + 1)):
        peer = Peer(world)
        peer.say(one)
        peer.hears("refused")
        peer.is_hung_up()
    if os.geteuid() == 0:

        def crowd():
            peer = Peer(world)
            peer.say(hello(os.getppid()))
            assert "another user" in peer.hears("refused")
            many = [Peer(world) for _ in range(300)]
            many[-1].is_hung_up()

        as_nobody(world, crowd)
        daemon.stderr.wait_for("too many sources at once")
    many = [Peer(world) for _ in range(1000)]
    is_told(world, name, pid=own.pid)
    second, second_own = runs(world, name=name + "b")
    is_told(world, name + "b", pid=second_own.pid)
    for peer in many:
        peer.close()
    for one, its_own in ((run, own), (second, second_own)):
        its_own.quit()
        assert one.wait() == DESTROYED
    is_gone(world, name)
    daemon.stop()
    (quit_,) = world.history(name)
    says(quit_, *QUIT)


if __name__ == "__main__":
    sys.exit(main())
