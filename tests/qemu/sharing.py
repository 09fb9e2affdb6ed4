#!/usr/bin/env python3
"""The monitor that `vmpowerd` holds, used by others through RUN_DIR/qmp/NAME.sock: who asked is on record before it is done."""

import os
import signal
import socket
import stat
import sys
import time

from daemon_world import *

CLIENT = """
import os, socket, sys
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(b'{"execute": "qmp_capabilities"}' + sys.argv[2].encode())
while client.recv(65536):
    pass
"""


def shared(world, *words, **named):
    """A VM that a daemon holds, and where others may use its monitor."""
    vm = runs(world, *words, **named)
    daemon = Daemon(world)
    attached(world, vm)
    return vm, daemon, shared_path(world, vm.name)


def asks(world, path, text, **named):
    """A program of its own says that on the shared monitor, and listens to the end."""
    process = popen([sys.executable, "-c", CLIENT, path, text], env=world.environment, **named)
    world.later(process.wait)
    return process


def is_by(verdict, process, command):
    """That process did it, for certain, and its request came before its effect."""
    actor = verdict["actor"]
    assert actor["pid"] == process.pid and actor["via"] == "qmp" and actor["comm"].startswith("python"), actor
    assert actor["uid"] == os.getuid() and actor["confidence"] == "certain", actor
    assert str(os.getpid()) in [str(parent["pid"]) for parent in actor["parents"]], actor
    (request,) = [e for e in evidence_of(verdict, "request") if e["data"]["command"] == command]
    assert request["proof"] and request["data"]["actor"]["pid"] == process.pid, request
    cause = next(e for e in verdict["evidence"] if e["source"] == "qmp" and e["proof"])
    assert request["time"] < cause["time"], (request, cause)


def wait_for(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@test("quit: by whom, for certain")
def quits(world):
    vm, daemon, path = shared(world)
    client = asks(world, path, '{"execute": "quit"}')
    vm.is_over()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    is_by(ended, client, "quit")
    wait_for_end(client.pid)
    daemon.stop()


@test("stop and cont, and a reset by way of human-monitor-command: by whom, for certain")
def pauses(world):
    vm, daemon, path = shared(world)
    clients = []
    for i, text in enumerate((
        '{"execute": "stop"}', '{"execute": "cont"}',
        '{"execute": "human-monitor-command", "arguments": {"command-line": "system_reset"}}',
    )):  # fmt: skip
        clients.append(asks(world, path, text))
        daemon.wait_told(vm.name, i + 1)
    pause, resume, reset = vm.history()
    says(pause, "pause", "operator", "qmp-stop", None)
    says(resume, "resume", "operator", "qmp-stop", None)
    says(reset, "reboot", "operator", "qmp-reset", False)
    for verdict, client, command in zip((pause, resume, reset), clients, ("stop", "cont", "system_reset")):
        is_by(verdict, client, command)
        client.kill()
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name, 4)
    is_ours_or_unseen(vm.history()[3])
    daemon.stop()


@test("a quit that QEMU refuses is on record as such, and what is done at another monitor then is not by who had asked for it")
def refused(world):
    vm, daemon, path = shared(world)
    client = asks(world, path, '{"execute": "quit", "arguments": {"a": 1}} {"execute": "human-monitor-command", "arguments": {"command-line": "q 1"}}')
    wait_for(lambda: len(rows(world, "SELECT 1 FROM evidence WHERE kind = 'refused'")) == 2)
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    is_ours_or_unseen(ended)
    assert [e["data"]["actor"]["pid"] for e in evidence_of(ended, "request") if e["data"]["command"] == "quit"] == [client.pid] * 2, ended["evidence"]
    first, second = [e["data"] for e in evidence_of(ended, "refused")]
    assert "'a' is unexpected" in first["why"] and "extraneous characters" in second["why"], (first, second)
    wait_for_end(client.pid)
    daemon.stop()


@test("what was said in one breath, and what a stopped QEMU does only when it goes on: by whom, for certain")
def carried_on(world):
    vm, daemon, path = shared(world)
    asks(world, path, '{"execute": "stop"} {"execute": "cont"}')
    daemon.wait_told(vm.name, 2)
    for verdict in vm.history():
        assert verdict["actor"] and verdict["actor"]["pid"] == vm.history()[0]["actor"]["pid"], verdict
    os.kill(vm.pid, signal.SIGSTOP)
    client = asks(world, path, '{"execute": "stop"} {"execute": "quit"}')
    wait_for(lambda: rows(world, "SELECT 1 FROM evidence WHERE kind = 'request' AND data LIKE '%quit%'"))
    # As late as QEMU's answer must be to be told as late; the judge's bound is the stories'.
    time.sleep(1.1)
    os.kill(vm.pid, signal.SIGCONT)
    vm.is_over()
    wait_for(lambda: vm.history()[-1]["transition"] == "destroy")
    history = vm.history()
    assert story([history[-1]]) == [("destroy", "operator", "qmp-quit")], story(history)
    assert history[-1]["actor"]["pid"] == client.pid, history[-1]
    late = [e["data"] for v in history for e in evidence_of(v, "answered-late")]
    assert {data["command"] for data in late} == {"stop", "quit"} and all(data["asked_at_ns"] for data in late), late
    wait_for_end(client.pid)
    daemon.stop()


@test("the power button: who pressed it, when the guest obeys")
def presses(world):
    vm, daemon, path = shared(world, "-serial", "stdio", action="button-obey")
    vm.output.wait_for("probe: ready")
    client = asks(world, path, '{"execute": "system_powerdown"}')
    vm.is_over()
    daemon.wait_told(vm.name)
    (off,) = vm.history()
    says(off, "poweroff", "operator", "power-button", True, left="gone")
    assert off["actor"]["pid"] == client.pid, off["actor"]
    wait_for_end(client.pid)
    daemon.stop()


@test("vmpower pause, resume, reset, shutdown, wake and destroy: by whom, for certain")
def controls(world):
    vm, daemon, _ = shared(world)

    def done(verb, words):
        result = world.vmpower(verb, vm.name)
        assert result.returncode == 0 and result.stdout.decode() == f"{vm.name} {words}.\n", result

    done("pause", "is paused")
    daemon.wait_told(vm.name)
    assert vm.own.status() == "paused" and listed(world, vm.name)["state"] == "paused"
    done("resume", "runs")
    daemon.wait_told(vm.name, 2)
    done("reset", "was reset")
    daemon.wait_told(vm.name, 3)
    done("shutdown", "was asked to shut down; what its guest makes of it, it will tell")
    vm.own.wait_event("POWERDOWN")
    is_refused(world.vmpower("wake", vm.name), FAILED, "QEMU refuses", "Unable to wake up")
    status, answer = http(world, "POST", f"/v1/vms/{vm.name}/requests", {"action": "wake"})  # he may, but not as things are
    assert status == 409 and "QEMU refuses" in answer["error"], (status, answer)
    done("destroy", "was destroyed")
    vm.is_over()
    daemon.wait_told(vm.name, 4)
    for verdict, row, verb in zip(
        vm.history(),
        (("pause", "operator", "qmp-stop"), ("resume", "operator", "qmp-stop"), ("reboot", "operator", "qmp-reset"),
         ("destroy", "operator", "qmp-quit")),
        ("pause", "resume", "reset", "destroy"),
    ):  # fmt: skip
        assert (verdict["transition"], verdict["initiator"], verdict["mechanism"]) == row, verdict
        assert verdict["actor"]["comm"] == "vmpower" and verdict["actor"]["via"] == f"vmpower {verb}", verdict["actor"]
        assert verdict["confidence"] == "certain" and str(os.getpid()) in [str(p["pid"]) for p in verdict["actor"]["parents"]]
    daemon.stop()


@test("whatever is asked, in QMP's words and in the human monitor's, obeyed or refused: who asked is on record")
def whatever(world):
    vm = Vm(world, action="s3", delay_ms=0)
    vm.own.connect()
    vm.own.wait_status("suspended", "SUSPEND")
    daemon = Daemon(world)
    attached(world, vm)
    path, on_record = shared_path(world, vm.name), []

    def said(commands, *texts):
        client = asks(world, path, " ".join(json.dumps(text) for text in texts))
        on_record.extend((command, client.pid) for command in commands)
        statement = "SELECT data FROM evidence WHERE kind = 'request' AND data NOT LIKE '%attach%' ORDER BY id"
        wait_for(lambda: len(rows(world, statement)) == len(on_record))
        found = [json.loads(data) for (data,) in rows(world, statement)]
        assert [(data["command"], data["actor"]["pid"]) for data in found] == on_record, found
        for data in found[-len(commands) :]:
            actor = data["actor"]
            assert actor["uid"] == os.getuid() and actor["comm"].startswith("python") and actor["via"] == "qmp", actor
            assert os.getpid() in [parent["pid"] for parent in actor["parents"]], actor
        return client

    def human(line):
        return {"execute": "human-monitor-command", "arguments": {"command-line": line}}

    def is_its(verdict, client, row):
        says(verdict, *row)
        assert (verdict["actor"]["pid"], verdict["actor"]["via"]) == (client.pid, "qmp"), verdict["actor"]

    wakes = said(["system_wakeup"], {"execute": "system_wakeup"})
    daemon.wait_told(vm.name, 2)
    resets = said(["system_reset"], {"execute": "system_reset"})
    daemon.wait_told(vm.name, 3)
    is_its(vm.history()[1], wakes, ("wake", "operator", "acpi-s3", None))
    is_its(vm.history()[2], resets, ("reboot", "operator", "qmp-reset", False))
    said(
        ["set-action", "watchdog-set-action", "inject-nmi", "migrate"],
        {"execute": "set-action", "arguments": {"reboot": "reset"}},
        {"execute": "watchdog-set-action", "arguments": {"action": "none"}},
        {"execute": "inject-nmi"},
        {"execute": "migrate", "arguments": {"uri": "nowhere:"}},
    )
    said(
        ["system_wakeup", "system_powerdown", "inject-nmi", "watchdog-set-action", "migrate", "stop", "cont", "stop", "cont"],
        *map(human, ("system_wakeup", "system_powerdown", "nmi", "watchdog_action none", "migrate nowhere:", "stop", "cont", "s", " c")),
    )
    quits = said(["quit"], human("q"))
    vm.is_over()
    wait_for(lambda: vm.history()[-1]["transition"] == "destroy")
    is_its(vm.history()[-1], quits, ("destroy", "operator", "qmp-quit", False))
    for _, pid in on_record:
        wait_for_end(pid)
    daemon.stop()


@test("a monitor that is given back before QEMU has answered: whoever asked is told so, not that it was done")
def given_back(world):
    vm, daemon, _ = shared(world)
    os.kill(vm.pid, signal.SIGSTOP)
    waiting = [popen([VMPOWER, verb, vm.name], env=world.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for verb in ("destroy", "shutdown")]
    wait_for(lambda: len(rows(world, "SELECT 1 FROM evidence WHERE kind = 'request' AND data NOT LIKE '%attach%'")) == 2)
    assert world.vmpower("detach", vm.name).returncode == 0
    for process in waiting:
        told, why = process.communicate(timeout=PATIENCE)
        assert (process.returncode, told) == (FAILED, b"") and b"given back" in why, (process.returncode, told, why)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


@test("two ask for a shutdown at once, and QEMU obeys the first and is gone: both are told the verdict")
def presses_twice(world):
    vm, daemon, _ = shared(world, "-serial", "stdio", action="button-obey")
    vm.output.wait_for("probe: ready")
    os.kill(vm.pid, signal.SIGSTOP)
    words = [VMPOWER, "shutdown", vm.name, "--timeout", "20"]
    waiting = [popen(words, env=world.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
    wait_for(lambda: len(rows(world, "SELECT 1 FROM evidence WHERE kind = 'request' AND data LIKE '%powerdown%'")) == 2)
    os.kill(vm.pid, signal.SIGCONT)
    for process in waiting:
        told, why = process.communicate(timeout=PATIENCE)
        assert (process.returncode, why) == (0, b"") and b"powered itself off" in told, (process.returncode, told, why)
    vm.is_over()
    daemon.stop()


@test("what cannot be asked of a VM: one line, and nothing is done")
def cannot_be_asked(world):
    vm = runs(world)
    daemon = Daemon(world)
    is_refused(world.vmpower("destroy", vm.name), FAILED, "no monitor", "vmpower attach")
    is_refused(world.vmpower("destroy", "nobody" + vm.name), NO_SUCH_VM, "there is no VM")
    for words, expected in (((), "it takes one VM, not 0"), ((vm.name, "--dance"), "--dance")):
        refused = world.vmpower("destroy", *words)
        assert refused.returncode == USAGE and refused.stderr.startswith(b"vmpower destroy: "), refused
        assert expected.encode() in refused.stderr and refused.stderr.count(b"\n") == 1, refused
    assert vm.own.status() == "running"
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


@test("a client meets QEMU itself, under its own ids, and so do two at once")
def is_qemu(world):
    vm, daemon, path = shared(world)
    assert listed(world, vm.name)["shared_monitor"] == path
    one, two = world.dial(path), world.dial(path)
    for client in (one, two):
        assert client.status() == "running"
    assert one.ask("query-name") == vm.own.ask("query-name")
    one.ask("stop")
    two.wait_event("STOP")
    daemon.wait_told(vm.name)
    two.ask("cont")
    one.wait_event("RESUME")
    daemon.wait_told(vm.name, 2)
    two.quit()
    vm.is_over()
    daemon.wait_told(vm.name, 3)
    daemon.stop()
    assert not os.path.exists(path)


@test("the socket is its VM's user's alone, who attaches what his own process listens on, and needs not say which, and nothing else")
def is_private(world):
    if os.getuid():
        raise Skip("needs root, to have another user")
    nobody = 65534
    os.chmod(world.directory, 0o755)
    home = world.path("home")
    os.mkdir(home)
    os.chown(home, nobody, nobody)
    name, path = f"n{os.getpid()}-{next(vm_numbers)}", os.path.join(home, "qmp")
    rom = probe("idle", serial=False)
    words = ["setpriv", "--reuid", str(nobody), "--regid", str(nobody), "--clear-groups", *rom, "-name", name]
    vm = popen([*words, "-qmp", f"unix:{path},server=on,wait=off"], env=world.environment, stdin=subprocess.DEVNULL)
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(path):
        assert time.monotonic() < deadline and vm.poll() is None, "it did not start"
        time.sleep(0.05)
    daemon = Daemon(world)
    os.chmod(world.rundir, 0o755)

    def attaches(name, path):
        words = ["setpriv", "--reuid", str(nobody), "--regid", str(nobody), "--clear-groups", VMPOWER, "attach", name, "--qmp", path]
        return subprocess.run(words, env=world.environment, stdin=subprocess.DEVNULL, capture_output=True)

    # His socket, which he has handed on to a process of root's.
    roots = os.path.join(home, "roots")
    with socket.socket(socket.AF_UNIX) as listener:
        os.seteuid(nobody)
        listener.bind(roots)
        listener.listen()
        os.seteuid(0)
        words = ["-chardev", f"socket,id=m,fd={listener.fileno()},server=on,wait=off", "-mon", "chardev=m,mode=control"]
        other = popen([*rom, "-name", "roots", *words], env=world.environment, stdin=subprocess.DEVNULL, pass_fds=[listener.fileno()])
    is_refused(attaches("roots", roots), FAILED, f"{roots} is not yours: pid {other.pid} listens there")
    other.kill()
    other.wait()
    done = attaches(name, path)
    assert done.returncode == 0, done.stderr
    status = os.stat(shared_path(world, name))
    assert status.st_uid == nobody and stat.S_IMODE(status.st_mode) == 0o600, status
    refused = subprocess.run(
        ["setpriv", "--reuid", "65533", "--clear-groups", sys.executable, "-c", CLIENT, shared_path(world, name), ""],
        stderr=subprocess.PIPE,
    )
    assert refused.returncode and b"PermissionError" in refused.stderr, refused
    vm.kill()
    wait_for_end(vm.pid)
    vm.wait()
    daemon.wait_told(name)
    daemon.stop()


@test("a name that is no name for a file")
def odd_names(world):
    daemon = Daemon(world)
    for name, file in (("a/b 100%", "a%2Fb%20100%25"), (".hidden", "%2Ehidden"), ("ü", "%C3%BC"), ("l" * 200, None)):
        vm = runs(world)
        done = world.vmpower("attach", name, "--qmp", vm.path)
        assert done.returncode == 0, done.stderr
        path = listed(world, name)["shared_monitor"]
        assert os.path.dirname(path) == os.path.join(world.rundir, "qmp") and len(path) < 108, path
        if file:
            assert path == shared_path(world, file), path
        client = world.dial(path)
        assert client.status() == "running"
        client.quit()
        vm.is_over()
        daemon.wait_told(name)
    daemon.stop()


@test("a sick disk keeps nobody from his VM: after 250 ms it goes on, and that is on record")
def sick_disk(world):
    vm, daemon, path = shared(world)
    client = world.dial(path)
    assert client.status() == "running"
    lock = sqlite3.connect(os.path.join(world.state, "vmpower.db"), isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    # One that is born meanwhile, and found (KVM says so), must be written down.
    other = runs(world, accelerator="kvm") if kvm_is_usable() else None
    began = time.monotonic()
    client.ask("stop")
    took = time.monotonic() - began
    assert vm.own.status() == "paused"
    lock.execute("COMMIT")
    lock.close()
    assert 0.2 < took < 2, took
    daemon.wait_told(vm.name)
    (pause,) = [v for v in vm.history() if v["transition"] == "pause"]
    says(pause, "pause", "operator", "qmp-stop", None)
    assert pause["actor"]["pid"] == os.getpid(), pause["actor"]
    stored = rows(world, "SELECT kind, data FROM evidence WHERE kind IN ('request', 'stored-late') ORDER BY id")
    late = [json.loads(data) for kind, data in stored if kind == "stored-late"]
    assert len(late) == 1 and late[0]["command"] == "stop" and late[0]["ms"] >= 245, stored
    assert "stop goes on before it is on record" in daemon.stderr.text(), daemon.stderr.text()
    client.quit()
    vm.is_over()
    daemon.wait_told(vm.name, 2)
    if other:
        deadline = time.monotonic() + PATIENCE
        while not listed(world, other.name):
            assert time.monotonic() < deadline, daemon.stderr.text()
            time.sleep(0.05)
        other.signal(signal.SIGKILL)
        daemon.wait_told(other.name)
    daemon.stop()


@test("one client too many is turned away and told of; one that never reads holds up nobody, and is dropped and told of, too")
def too_many(world):
    drive = "d" * 8192
    vm, daemon, path = shared(world, "-drive", "if=none,id=cd", "-device", f"ide-cd,drive=cd,id={drive}")
    silent = world.dial(path)
    silent.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    clients = [socket.socket(socket.AF_UNIX) for _ in range(70)]
    for client in clients:
        client.connect(path)
    deadline = time.monotonic() + PATIENCE
    while "there are too many clients" not in daemon.stderr.text():
        assert time.monotonic() < deadline, daemon.stderr.text()
        time.sleep(0.05)
    line = next(line for line in daemon.stderr.text().splitlines() if "too many clients" in line)
    assert line.startswith(f"vmpowerd: {vm.name}: a client of its shared monitor") and f"pid {os.getpid()}" in line, line
    for client in clients:
        client.close()
    other = world.dial(path)
    for _ in range(200):
        assert other.status() == "running"
    # Each time QEMU tells the drive's name, 8 KiB: what waits in the sockets, and then a MiB, is soon full.
    deadline = time.monotonic() + PATIENCE
    while "does not read" not in daemon.stderr.text():
        assert time.monotonic() < deadline, daemon.stderr.text()
        other.ask("blockdev-open-tray", device="cd")
        other.ask("blockdev-close-tray", device="cd")
    line = next(line for line in daemon.stderr.text().splitlines() if "does not read" in line)
    told = rf"vmpowerd: {vm.name}: a client of its shared monitor \(python\S*, pid {os.getpid()}, uid {os.getuid()}\) was dropped: it does not read: .*"
    assert re.fullmatch(told, line), line
    other.quit()
    vm.is_over()
    daemon.wait_told(vm.name)
    daemon.stop()


if __name__ == "__main__":
    sys.exit(main())
