#!/usr/bin/env python3
"""Who did it, where neither a signal nor vmpower's own socket tells: at another monitor of the VM, or through a toolstack, or through ssh and sudo."""

import os
import signal
import sys

from daemon_world import *

# Says each line that it is given, and keeps the connection, until it is told to hang up.
CLIENT = """
import socket, sys, threading
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
def read():
    try:
        while client.recv(65536):
            pass
    except ConnectionResetError:
        pass
threading.Thread(target=read, daemon=True).start()
for line in sys.stdin.buffer:
    client.sendall(line)
    print("said", flush=True)
"""
# Is gone as soon as its last word is taken.
HASTY = """
import socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.recv(65536)
client.sendall(b'{"execute": "qmp_capabilities"}')
client.recv(65536)
client.sendall(b'{"execute": "stop"}')
client.recv(65536)
"""
NEGOTIATE = '{"execute": "qmp_capabilities"}'


class Client:
    """A program of its own at a monitor."""

    def __init__(self, world, path, *lines):
        # It outlives what it ends, and goes with the test.
        environment = {name: value for name, value in world.environment.items() if name != "VMPOWER_TEST_WORLD"}
        named = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": environment}
        self.process = popen([sys.executable, world.script("client", CLIENT), path], **named)
        self.pid = self.process.pid
        self.said = Stream(self.process.stdout.fileno())
        self.n_said = 0
        world.later(self.hang_up)
        for line in lines:
            self.say(line)

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()
        self.n_said += 1
        self.said.wait_for("said", count=self.n_said)

    def ask(self, command, **arguments):
        self.say(json.dumps({"execute": command, "arguments": arguments} if arguments else {"execute": command}))

    def write(self):
        self.ask("human-monitor-command", **{"command-line": WRITE})

    def hang_up(self):
        if self.process.stdin.closed:
            return
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.said.thread.join(5)
        self.process.stdout.close()


WRITE = 'qemu-io held "write 0 512"'


class HeldDisk:
    """A QEMU that is told to quit flushes its disk before it closes its monitors, as any does; here it waits until it was looked at."""

    def __init__(self, world):
        self.world = world
        self.hold = world.write("hold", "")
        world.write("disk", "\0" * 65536)
        self.preload = {"LD_PRELOAD": os.environ["VMPOWER_HELD_DISK_LIBRARY"], "VMPOWER_HELD_DISK": self.hold}
        self.words = ["-blockdev", f"driver=file,filename={world.path('disk')},node-name=held"]

    def started(self, start):
        """The QEMU that is started with it; it alone."""
        self.world.environment.update(self.preload)
        try:
            return start()
        finally:
            for name in self.preload:
                del self.world.environment[name]

    def wait_seen(self, event):
        """Whoever was connected then is on record."""
        deadline = time.monotonic() + PATIENCE
        while event not in [json.loads(data)["event"] for (data,) in rows(self.world, "SELECT data FROM evidence WHERE kind = 'monitor-client'")]:
            assert time.monotonic() < deadline, rows(self.world, "SELECT kind, data FROM evidence")
            time.sleep(0.02)
        os.unlink(self.hold)


def other_monitor(world, kind="-qmp"):
    """A monitor that vmpower does not hold: its path, and QEMU's words for it."""
    path = world.path(f"other-{next(vm_numbers)}")
    return path, [kind, f"unix:{path},server=on,wait=off"]


def attached_alone(world, *words, action="button-obey", daemon=None, disk=None):
    """A VM that a daemon holds, and that nobody else is connected to."""

    def start():
        return Vm(world, "-serial", "stdio", *words, *(disk.words if disk else []), action=action, alone=True)

    vm = disk.started(start) if disk else start()
    vm.output.wait_for("probe: ready" if action == "button-obey" else "probe: idle")
    daemon = daemon or Daemon(world)
    daemon_must_attach(world, vm)
    return vm, daemon


def daemon_must_attach(world, vm):
    """QEMU prints before it listens, or after."""
    while not os.path.exists(vm.path):
        assert vm.process.poll() is None, vm.output.text()
        time.sleep(0.01)
    attached(world, vm)


def is_likely(verdict, pid, via="qmp"):
    """The verdict's actor is that process, likely, by the only fact that says so."""
    actor = verdict["actor"]
    assert actor, (verdict["summary"], verdict["evidence"])
    assert (actor["pid"], actor["via"], actor["confidence"]) == (pid, via, "likely"), actor
    assert actor["uid"] == os.getuid() and actor["parents"] and "most likely" in verdict["summary"], verdict
    assert str(pid) in verdict["summary"], verdict["summary"]
    (proof,) = [fact for fact in evidence_of(verdict, "monitor-client") if fact["proof"]]
    assert proof["source"] == "process" and proof["data"]["actor"]["pid"] == pid, proof
    return actor


@test("stop, cont, a reset and the power button at a monitor that vmpower does not hold: by who is connected there, most likely")
def at_another_monitor(world):
    path, words = other_monitor(world)
    disk = HeldDisk(world)
    vm, daemon = attached_alone(world, *words, disk=disk)
    client = Client(world, path, NEGOTIATE)
    for i, command in enumerate(("stop", "cont", "system_reset")):
        client.ask(command)
        daemon.wait_told(vm.name, i + 1)
    vm.output.wait_for("probe: ready", count=2)
    client.write()
    client.ask("system_powerdown")
    disk.wait_seen("powerdown")
    pause, resume, reset, off = at_end(vm, daemon, 4)
    says(pause, "pause", "operator", "qmp-stop", None, rule="qmp-stop")
    says(resume, "resume", "operator", "qmp-stop", None, rule="qmp-cont")
    says(reset, "reboot", "operator", "qmp-reset", False, rule="qmp-reset")
    says(off, "poweroff", "operator", "power-button", True, rule="power-button")
    for verdict in (pause, resume, reset, off):
        actor = is_likely(verdict, client.pid)
        assert actor["comm"].startswith("python") and path in actor["cmdline"], actor
        assert verdict["confidence"] == "certain" and verdict["revises"] is None, verdict


@test("quit at a monitor that vmpower does not hold: by who is connected there, most likely")
def quits(world):
    path, words = other_monitor(world)
    disk = HeldDisk(world)
    vm, daemon = attached_alone(world, *words, disk=disk)
    client = Client(world, path, NEGOTIATE)
    client.write()
    client.ask("quit")
    disk.wait_seen("shutdown")
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, "destroy", "operator", "qmp-quit", False, rule="qmp-quit", confidence="certain")
    is_likely(destroyed, client.pid)
    (client_seen,) = evidence_of(destroyed, "monitor-client")
    assert (client_seen["data"]["event"], client_seen["data"]["monitor"]) == ("shutdown", path), client_seen


@test("quit at a monitor for people, on a socket")
def quits_hmp(world):
    path, words = other_monitor(world, "-monitor")
    disk = HeldDisk(world)
    vm, daemon = attached_alone(world, *words, disk=disk)
    client = Client(world, path)
    client.say(WRITE)
    client.say("quit")
    disk.wait_seen("shutdown")
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, "destroy", "operator", "qmp-quit", False)
    is_likely(destroyed, client.pid, "hmp")


@test("a QEMU that goes at once is gone before anybody can be seen, or not; nobody else is named")
def quits_at_once(world):
    path, words = other_monitor(world)
    vm, daemon = attached_alone(world, *words)
    client = Client(world, path, NEGOTIATE)
    client.ask("quit")
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, "destroy", "operator", "qmp-quit", False)
    assert not destroyed["actor"] or destroyed["actor"]["pid"] == client.pid, destroyed["actor"]


@test("two at two monitors: nobody is accused, and both are shown")
def two_clients(world):
    (path, words), (second, more) = other_monitor(world), other_monitor(world, "-monitor")
    vm, daemon = attached_alone(world, *words, *more)
    client, bystander = Client(world, path, NEGOTIATE), Client(world, second)
    bystander.say("info status")
    client.ask("stop")
    daemon.wait_told(vm.name)
    bystander.hang_up()
    client.ask("cont")
    daemon.wait_told(vm.name, 2)
    vm.signal(signal.SIGKILL)
    pause, resume, _ = at_end(vm, daemon, 3)
    says(pause, "pause", "operator", "qmp-stop", None, actor=None)
    seen = {fact["data"]["actor"]["pid"] for fact in evidence_of(pause, "monitor-client")}
    assert seen == {client.pid, bystander.pid}, pause["evidence"]
    is_likely(resume, client.pid)


@test("one that says stop and hangs up at once is named or not; nobody else is")
def hangs_up(world):
    path, words = other_monitor(world)
    vm, daemon = attached_alone(world, *words)
    client = popen([sys.executable, world.script("hasty", HASTY), path], env=world.environment)
    client.wait()
    daemon.wait_told(vm.name)
    vm.signal(signal.SIGKILL)
    pause, _ = at_end(vm, daemon, 2)
    if pause["actor"]:
        says(pause, "pause", "operator", "qmp-stop", None, rule="qmp-stop")
        assert pause["actor"]["pid"] == client.pid, pause["actor"]
    else:
        says(pause, "pause", "operator", "qmp-stop", None, rule="qmp-stop-unseen", confidence="likely")


@test("what goes through vmpower is by who asked for it, whoever else is connected")
def by_request(world):
    path, words = other_monitor(world)
    disk = HeldDisk(world)
    vm, daemon = attached_alone(world, *words, disk=disk)
    client = Client(world, path, NEGOTIATE)
    assert world.vmpower("pause", vm.name).returncode == 0
    daemon.wait_told(vm.name)
    client.write()
    client.ask("quit")
    disk.wait_seen("shutdown")
    pause, destroyed = at_end(vm, daemon, 2)
    assert (pause["actor"]["via"], pause["actor"]["confidence"]) == ("vmpower pause", "certain"), pause["actor"]
    is_likely(destroyed, client.pid)


def is_by_verb(verdict, verb):
    actor = verdict["actor"]
    assert actor and (actor["comm"], actor["via"], actor["confidence"]) == ("vmpower", f"vmpower {verb}", "certain"), verdict
    assert actor["parents"][0]["pid"] == os.getpid() and actor["session"] == os.getsid(0), actor


@test("vmpower shutdown: by whom, where the guest obeys and where it reboots; and who wakes it")
def by_verbs(world):
    obeys, daemon = attached_alone(world)
    reboots = Vm(world, "-serial", "stdio", action="button-reset", alone=True)
    sleeps = Vm(world, "-serial", "stdio", "-S", action="s3", alone=True)
    reboots.output.wait_for("probe: ready")
    for vm in (reboots, sleeps):
        daemon_must_attach(world, vm)
    assert world.vmpower("resume", sleeps.name).returncode == 0
    daemon.wait_told(sleeps.name, 2)
    for verb, vm, count in (("shutdown", obeys, 1), ("shutdown", reboots, 1), ("wake", sleeps, 3)):
        done = world.vmpower(verb, vm.name)
        assert done.returncode == 0, done.stderr
        daemon.wait_told(vm.name, count)
    for vm in (reboots, sleeps):
        vm.signal(signal.SIGKILL)
        daemon.wait_told(vm.name, 2 if vm is reboots else 4)
    daemon.stop()
    (off,), (reboot, _), (resume, _, wake, _) = obeys.history(), reboots.history(), sleeps.history()
    says(off, "poweroff", "operator", "power-button", True)
    says(reboot, "reboot", "operator", "power-button", None)
    says(resume, "resume", "operator", "qmp-stop", None)
    says(wake, "wake", "operator", "acpi-s3", None, rule="wake-asked")
    for verdict, verb in ((off, "shutdown"), (reboot, "shutdown"), (resume, "resume"), (wake, "wake")):
        is_by_verb(verdict, verb)


@test("the API: by who called it")
def by_the_api(world):
    vm, daemon = attached_alone(world)
    status, told = http(world, "POST", f"/v1/vms/{vm.name}/requests", {"action": "destroy"})
    assert status == 200, told
    (destroyed,) = at_end(vm, daemon)
    says(destroyed, "destroy", "operator", "qmp-quit", False)
    actor = destroyed["actor"]
    assert (actor["pid"], actor["confidence"], actor["session"]) == (os.getpid(), "certain", os.getsid(0)), actor


@test("migrated away: by who asked for it through vmpower, or who alone is at another monitor")
def migrated(world):
    path, words = other_monitor(world)
    by_request, daemon = attached_alone(world)
    by_other = Vm(world, "-serial", "stdio", *words, action="button-obey", alone=True)
    by_other.output.wait_for("probe: ready")
    daemon_must_attach(world, by_other)
    through, beside = Client(world, shared_path(world, by_request.name), NEGOTIATE), Client(world, path, NEGOTIATE)
    for vm, client in ((by_request, through), (by_other, beside)):
        client.ask("migrate", uri="exec:cat >/dev/null")
        daemon.wait_told(vm.name)
        client.ask("quit")
        vm.is_over()
    daemon.stop()
    (asked,), (seen,) = by_request.history(), by_other.history()
    for verdict in (asked, seen):
        says(verdict, "migrate", "operator", "migration", None)
        assert " was migrated away by " in verdict["summary"], verdict["summary"]
    assert (asked["actor"]["pid"], asked["actor"]["confidence"]) == (through.pid, "certain"), asked["actor"]
    is_likely(seen, beside.pid)


@test("one that arrives by migration: nobody has said cont, and who asked for it is named; whoever kills its source then has not ended it")
def migration_by_itself(world):
    image = world.path("image")
    leaves, daemon = attached_alone(world)
    arrives = Vm(world, "-serial", "stdio", "-incoming", "defer", action="button-obey", alone=True)
    daemon_must_attach(world, arrives)
    at_source, at_target = (Client(world, shared_path(world, vm.name), NEGOTIATE) for vm in (leaves, arrives))
    at_source.ask("migrate", uri=f"exec:cat >{image}")
    daemon.wait_told(leaves.name)
    leaves.signal(signal.SIGKILL)
    at_target.ask("migrate-incoming", uri=f"exec:cat {image}")
    daemon.wait_told(arrives.name)
    arrives.signal(signal.SIGKILL)
    arrives.is_over()
    daemon.wait_told(arrives.name, 2)
    (migrated,) = at_end(leaves, daemon)
    (arrival, _) = arrives.history()
    says(migrated, "migrate", "operator", "migration", None, left="paused")
    says(arrival, "resume", "operator", "migration", None, rule="migrated-here", left="running", confidence="likely")
    assert (migrated["actor"]["pid"], arrival["actor"]["pid"]) == (at_source.pid, at_target.pid), (migrated["actor"], arrival["actor"])


@test("after a restart the daemon's own connection is an earlier life's, and is accused of nothing")
def after_a_restart(world):
    path, words = other_monitor(world)
    manager = ServiceManager(world)
    vm, daemon = attached_alone(world, *words, daemon=manager.start())
    daemon.stop()
    daemon = manager.start()
    client = Client(world, path, NEGOTIATE)
    client.ask("stop")
    daemon.wait_told(vm.name)
    client.hang_up()
    # Now nobody is there but us.
    os.kill(vm.pid, signal.SIGTERM)
    vm.is_over()
    daemon.wait_told(vm.name, 2)
    manager.end(daemon)
    pause, _ = vm.history()
    says(pause, "pause", "operator", "qmp-stop", None)
    is_likely(pause, client.pid)
    assert len(evidence_of(pause, "monitor-client")) == 1, pause["evidence"]


@test("`vmpower run`: who told the user's own monitor to quit")
def of_a_run(world):
    path, words = other_monitor(world)
    disk = HeldDisk(world)
    preload = [f"{name}={value}" for name, value in disk.preload.items()]
    run = world.run("env", *preload, *probe("idle"), *disk.words, *words)
    run.stdout.wait_for("probe: idle")
    client = Client(world, path, NEGOTIATE)
    client.write()
    client.ask("quit")
    disk.wait_seen("shutdown")
    assert run.wait() == DESTROYED
    (destroyed,) = world.history("vm")
    says(destroyed, "destroy", "operator", "qmp-quit", False)
    is_likely(destroyed, client.pid)
    (line,) = [line for line in run.own_lines() if "quit" in line]
    assert "most likely" in line, line


if __name__ == "__main__":
    sys.exit(main())
