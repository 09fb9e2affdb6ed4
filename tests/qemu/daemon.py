#!/usr/bin/env python3
"""`vmpowerd` on real QEMUs that it did not start: how it finds them, whose monitor it takes, what it tells of their end.

The daemon finds every QEMU of the host, those of other tests included: only VMs by their own name are spoken of here.

    VMPOWERD       the daemon
    VMPOWER_SOAK   a hundred VMs at once, not ten
"""

import ctypes
import datetime
import os
import signal
import socket
import sqlite3
import sys
import uuid

from daemon_world import *


# --- the longest first, for the others to run beside it -------------------------------------------------------------


@on_both("a VM that is attached, and whose guest powers off: certain, and how")
def attach_and_poweroff(world, accelerator):
    vm = Vm(world, action="s5", delay_ms=3000, accelerator=accelerator).greets()
    daemon = Daemon(world)
    attached(world, vm)
    assert vm.is_over() == 0
    daemon.wait_told(vm.name)
    (off,) = vm.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone", decision=("on_poweroff", "leave", "none"))
    (request,) = evidence_of(off, "request", "vmpower")
    assert request["data"]["command"] == "attach" and request["data"]["actor"]["uid"] == os.getuid(), request
    daemon.stop()
    assert vm.history() == [off]


def many(world, accelerator, are_born_first):
    vms = [Vm(world, accelerator=accelerator) for _ in range(100 if os.environ.get("VMPOWER_SOAK") else 10)]
    if are_born_first:
        for vm in vms:
            vm.greets()
    return vms


def all_are_killed(world, daemon, vms):
    for vm in vms:
        os.kill(vm.pid, signal.SIGKILL)
    for vm in vms:
        vm.is_over()
        daemon.wait_told(vm.name)
    daemon.stop()
    for vm in vms:
        (killed,) = vm.history()
        says(killed, *KILLED, confidence="likely", left="gone")
        assert len(verdicts_stored(world, vm)) == 1 and len(instances(world, vm)) == 1
        assert len(daemon.lines_on(vm.name)) == 1, daemon.lines_on(vm.name)


@test("many VMs that were there before, killed at once: one verdict each")
def many_found(world):
    vms = many(world, "tcg", True)
    all_are_killed(world, Daemon(world), vms)


@test("many VMs that are born at once and killed at once: one verdict each")
def many_born(world):
    needs_kvm()
    daemon = Daemon(world)
    vms = many(world, "kvm", True)
    all_are_killed(world, daemon, vms)


# --- finding --------------------------------------------------------------------------------------------------------


@on_both("a VM that was there before the daemon is found, with all that its command line says")
def survey(world, accelerator):
    vm = runs(world, accelerator=accelerator)
    daemon = Daemon(world)
    told = listed(world, vm.name)
    assert list(told) == VM_KEYS, list(told)
    began, since = told.pop("began"), told.pop("since")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", since), since
    assert began == since, "it has run since its process was started"
    started = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + int(start_time_of(vm.pid)) / os.sysconf("SC_CLK_TCK")
    assert abs(datetime.datetime.fromisoformat(began[:26] + "+00:00").timestamp() - started) < 0.1, (began, started)
    assert told == {
        "name": vm.name, "uuid": vm.uuid, "backend": "qemu", "instance": vm.instance, "pid": vm.pid, "state": "running",
        "monitor": None, "shared_monitor": None, "could_attach": vm.path, "sources": ["process"], "last_verdict": None,
    }  # fmt: skip
    text = world.vmpower("list").stdout.decode()
    assert re.search(rf"^{vm.name} +running +{vm.pid} +\d+s +- +-$", text, re.MULTILINE), text
    assert f"vmpower attach {vm.name} --qmp {vm.path} " in text, text
    daemon.stop()
    assert vm.own.status() == "running"
    vm.signal(signal.SIGKILL)


@test("a monitor of a VM that is named from its own directory can be attached by its whole path")
def relative_monitor(world):
    here = os.open(world.directory, os.O_RDONLY)
    name = f"r{os.getpid()}-{next(vm_numbers)}"
    own = world.monitor()
    words = [*probe("idle", serial=False), "-name", name, "-qmp", "unix:relative.qmp,server=on,wait=off", *own.option]
    process = popen(words, env=world.environment, cwd=f"/proc/self/fd/{here}", stdin=subprocess.DEVNULL)
    os.close(here)
    own.connect()
    daemon = Daemon(world)
    assert listed(world, name)["could_attach"] == world.path("relative.qmp"), listed(world, name)
    daemon.stop()
    own.quit()
    process.wait()


@test("a VM without a monitor is found, and attach is not offered")
def without_monitor(world):
    vm = runs(world, listens=False)
    daemon = Daemon(world)
    told = listed(world, vm.name)
    assert told["could_attach"] is None and told["sources"] == ["process"], told
    daemon.stop()
    vm.signal(signal.SIGKILL)


@test("kvm: a VM born while the daemon runs is announced by the kernel, and its kill -9 is told to who watches")
def born(world):
    needs_kvm()
    daemon = Daemon(world)
    watch = Watch(world)
    vm = runs(world, accelerator="kvm")
    told = listed(world, vm.name)
    assert (told["pid"], told["instance"], told["could_attach"]) == (vm.pid, vm.instance, vm.path), told
    vm.signal(signal.SIGKILL)
    killed = watch.wait(vm.name)
    says(killed, *KILLED, confidence="likely", left="gone", decision=None)
    assert evidence_of(killed, "killed", "process")[0]["data"]["name"] == "SIGKILL"
    assert vm.history() == [killed] == [world.why(vm.name)]
    assert listed(world, vm.name) is None
    daemon.stop()
    assert watch.wait_for_end() == -signal.SIGINT
    assert watch.verdicts(vm.name) == [killed]
    assert watch.stderr.text().startswith("vmpower: vmpowerd has ended; ") and watch.stderr.text().count("\n") == 1, watch.stderr.text()


@test("who watches goes on with the next daemon: nothing is told twice, and nothing is left out")
def watched_over_restarts(world):
    vms = [runs(world) for _ in range(3)]
    daemon = Daemon(world)
    watch = Watch(world)
    vms[0].signal(signal.SIGKILL)
    watch.wait(vms[0].name)
    for vm, end in ((vms[1], daemon.stop), (vms[2], None)):
        end = end or daemon.kill
        end()
        watch.stderr.wait_for("vmpowerd has ended", count=vms.index(vm))
        vm.signal(signal.SIGKILL)
        daemon = Daemon(world)
        watch.wait(vm.name)
    daemon.stop()
    watch.stderr.wait_for("vmpowerd has ended", count=3)
    watch.wait_for_end()
    for vm in vms:
        assert [v["id"] for v in watch.verdicts(vm.name)] == [v["id"] for v in vm.history()], watch.stdout.text()
    assert watch.stderr.text().count("\n") == 3, watch.stderr.text()


@test("kvm: a VM that is born and ends at once leaves one verdict or none, and no daemon that ails")
def born_and_gone(world):
    needs_kvm()
    daemon = Daemon(world)
    vms = [Vm(world, action="s5", accelerator="kvm") for _ in range(5)]
    for vm in vms:
        assert vm.is_over() == 0
    vm = runs(world, accelerator="kvm")
    assert listed(world, vm.name)
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    for vm in vms:
        assert len(verdicts_stored(world, vm)) <= 1, verdicts_stored(world, vm)


def uevents_of(pid):
    """The socket by which that process hears the kernel announce VMs."""
    process, take = os.pidfd_open(pid), ctypes.CDLL(None, use_errno=True).syscall
    for number in os.listdir(f"/proc/{pid}/fd"):
        if not os.readlink(f"/proc/{pid}/fd/{number}").startswith("socket:"):
            continue
        taken = socket.socket(fileno=take(438, process, int(number), 0))  # pidfd_getfd(2)
        if (taken.family, taken.proto) == (socket.AF_NETLINK, 15):  # NETLINK_KOBJECT_UEVENT
            os.close(process)
            return taken
        taken.close()
    raise AssertionError("it has none")


@test("kvm: more is announced than the daemon has room for: it looks at all processes once more, and finds a VM that nothing announces, too")
def overrun(world):
    needs_root()
    needs_kvm()
    daemon = Daemon(world)
    vm = runs(world)
    assert not listed(world, vm.name)
    os.kill(daemon.process.pid, signal.SIGSTOP)
    with uevents_of(daemon.process.pid) as uevents, open("/sys/devices/virtual/misc/kvm/uevent", "wb", buffering=0) as kvm:
        uevents.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        for _ in range(100):
            kvm.write(b"change")
        uevents.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    os.kill(daemon.process.pid, signal.SIGCONT)
    assert wait_listed(world, vm.name)["instance"] == vm.instance
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


@on_both("SIGTERM to a VM that is watched by its process alone: it is gone, and nobody pretends to know why")
def found_and_terminated(world, accelerator):
    vm = runs(world, accelerator=accelerator)
    daemon = Daemon(world)
    assert vm.signal(signal.SIGTERM) == 0
    daemon.wait_told(vm.name)
    (gone,) = vm.history()
    says(gone, "unknown", "unknown", "process-exit", None, confidence="guess", left="gone")
    daemon.stop()


@test("a VM that fails by itself, watched by its process alone")
def found_and_failed(world):
    vm = runs(world)
    daemon = Daemon(world)
    assert vm.signal(signal.SIGSEGV) == -signal.SIGSEGV
    daemon.wait_told(vm.name)
    (failed,) = vm.history()
    says(failed, "failure", "vmm", "signal", False, confidence="likely", left="gone")
    daemon.stop()


@test("two VMs of one name are told apart")
def same_name(world):
    name = f"twin{os.getpid()}-{next(vm_numbers)}"
    one, two = runs(world, "-name", name), runs(world, "-name", name)
    daemon = Daemon(world)
    done = json.loads(world.vmpower("list", "--json").stdout)
    names = {vm["instance"]: vm["name"] for vm in done if vm["instance"] in (one.instance, two.instance)}
    assert len(names) == 2 and len(set(names.values())) == 2, names
    assert all(told.startswith(name) for told in names.values()), names
    two.signal(signal.SIGKILL)
    daemon.wait_told(names[two.instance])
    (killed,) = world.history(names[two.instance])
    assert killed["vm"]["instance"] == two.instance
    assert listed(world, names[one.instance])["pid"] == one.pid
    daemon.stop()
    one.signal(signal.SIGKILL)


@test("a uuid that two VMs have is neither's: nothing is done, and their instances are told")
def one_uuid(world):
    word = str(uuid.uuid4())
    vms = [runs(world, "-uuid", word) for _ in range(2)]
    daemon = Daemon(world)
    for vm in vms:
        attached(world, vm)
    is_refused(world.vmpower("pause", word), FAILED, f"2 VMs are called {word}; say which, by its instance:", *(vm.instance for vm in vms))
    assert [vm.own.status() for vm in vms] == ["running"] * 2
    assert world.vmpower("pause", vms[0].instance).returncode == 0
    assert [vm.own.status() for vm in vms] == ["paused", "running"]
    for vm in vms:
        vm.own.quit()
        vm.is_over()
    daemon.stop()


@test("kvm: a VM that is started again at once, again and again, keeps its name")
def started_again(world):
    needs_kvm()
    name = f"again{os.getpid()}-{next(vm_numbers)}"
    daemon = Daemon(world)
    for i in range(4):
        vm = runs(world, "-name", name, accelerator="kvm")
        if i:  # it may go by another name as long as the last one is not over
            daemon.wait_told(name, i)
        told = listed(world, name)
        assert told and told["instance"] == vm.instance, (told, world.vmpower("list").stdout)
        vm.signal(signal.SIGKILL)
    daemon.wait_told(name, 4)
    daemon.stop()
    history = world.history(name)
    assert story(history) == [("destroy", "operator", "signal")] * 4, story(history)
    assert len({verdict["vm"]["instance"] for verdict in history}) == 4


@test("kvm: the name of a VM that was lost with its `vmpower run` is free, and it has its ending first")
def lost_name(world):
    needs_kvm()
    name = f"lost{os.getpid()}-{next(vm_numbers)}"
    own = world.monitor()
    daemon = Daemon(world)
    run = world.run(*probe("idle"), *own.option, name=name)
    own.connect()
    own.wait_status("running", "RESUME")
    run.process.kill()
    run.wait()
    own.quit()
    wait_for_end(own.pid)
    reap_orphans()
    vm = runs(world, "-name", name, accelerator="kvm")
    # The daemon was told of the former one, and sees its end by what `run` has left: its monitor, if there was the time to open it.
    deadline = time.monotonic() + PATIENCE
    while (listed(world, name) or {"instance": None})["instance"] != vm.instance:
        assert time.monotonic() < deadline, listed(world, name)
        time.sleep(0.05)
    vm.signal(signal.SIGKILL)
    while len(world.history(name)) < 2:
        assert time.monotonic() < deadline, world.history(name)
        time.sleep(0.05)
    daemon.stop()
    lost, killed = story(world.history(name))
    assert lost[0] == "unknown" or lost == ("destroy", "operator", "qmp-quit"), lost
    assert killed == ("destroy", "operator", "signal"), killed
    forget_sockets(world)


# --- attach and detach ----------------------------------------------------------------------------------------------


@test("SIGTERM to a VM that is attached is somebody's signal, for certain")
def attached_and_terminated(world):
    vm = runs(world)
    daemon = Daemon(world)
    told = attached(world, vm)
    assert told["sources"] == ["qmp", "process"] and told["could_attach"] is None, told
    vm.signal(signal.SIGTERM)
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "signal", False, left="gone")
    daemon.stop()


@test("a VM that is attached: what happens to it is listed, and told once each")
def attached_and_paused(world):
    vm = runs(world)
    daemon = Daemon(world)
    attached(world, vm)
    vm.own.ask("stop")
    daemon.wait_told(vm.name)
    told = listed(world, vm.name)
    (pause,) = vm.history()
    says(pause, "pause", "operator", "qmp-stop", None, left="paused")
    assert told["state"] == "paused" and told["since"] == pause["time"], (told, pause["time"])
    assert told["last_verdict"] == {"id": pause["id"], "summary": pause["summary"]}, told
    vm.own.ask("cont")
    daemon.wait_told(vm.name, 2)
    assert listed(world, vm.name)["state"] == "running"
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name, 3)
    daemon.stop()
    assert story(vm.history()) == [
        ("pause", "operator", "qmp-stop"), ("resume", "operator", "qmp-stop"), ("destroy", "operator", "qmp-quit"),
    ]  # fmt: skip


@test("a VM that was paused before it is attached is listed so, and that is no story")
def attached_while_paused(world):
    vm = runs(world)
    vm.own.ask("stop")
    daemon = Daemon(world)
    attached(world, vm)
    deadline = time.monotonic() + PATIENCE
    while listed(world, vm.name)["state"] != "paused":
        assert time.monotonic() < deadline, listed(world, vm.name)
        time.sleep(0.05)
    assert vm.history() == []
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


def presses_until_off(vm):
    """Its guest may not see the first."""
    while vm.own.status() != "shutdown":
        vm.own.ask("system_powerdown")
        time.sleep(0.05)


@test("what has happened while no daemon looked is found by the next one, and is not his who clears it away")
def found(world):
    button = {"action": "button-obey"}
    off, paused, resumed = runs(world, "-no-shutdown", **button), runs(world), runs(world)
    daemon = Daemon(world)
    for vm in (off, paused, resumed):
        attached(world, vm)
    for vm, command in ((paused, "stop"), (paused, "cont"), (resumed, "stop")):
        vm.own.ask(command)
    daemon.wait_told(paused.name, 2)
    daemon.wait_told(resumed.name)
    daemon.kill()
    forget_sockets(world)

    presses_until_off(off)
    paused.own.ask("stop")
    resumed.own.ask("cont")
    never = runs(world, "-no-shutdown", **button)
    presses_until_off(never)

    daemon = Daemon(world)
    attached(world, never)
    for vm, state in ((off, "off"), (never, "off"), (paused, "paused"), (resumed, "running")):
        daemon.wait_told(vm.name)
        assert listed(world, vm.name)["state"] == state, (vm.name, listed(world, vm.name))
    for vm in (off, never):
        says(world.why(vm.name), "poweroff", "unknown", "unseen", None, left="off", confidence="likely")
    done = world.vmpower("destroy", off.name, "--timeout", "20")
    assert (done.returncode, done.stdout.decode()) == (0, f"{off.name} is gone; it was off before.\n"), done
    off.is_over()
    never.signal(signal.SIGTERM)
    wait_listed(world, never.name, lambda told: not told)
    for vm in (off, never):
        assert story(vm.history()) == [("poweroff", "unknown", "unseen")], vm.history()
    assert story(paused.history())[2:] == [("pause", "unknown", "unseen")], paused.history()
    assert story(resumed.history())[1:] == [("resume", "unknown", "unseen")], resumed.history()
    daemon.kill()
    forget_sockets(world)

    daemon = Daemon(world)
    for vm, state, n in ((paused, "paused", 3), (resumed, "running", 2)):
        is_attached_by_itself(world, vm)
        vm.own.ask("query-status")
        wait_listed(world, vm.name, lambda told: told["state"] == state)
        vm.signal(signal.SIGKILL)
        daemon.wait_told(vm.name)
        assert len(vm.history()) == n + 1, vm.history()
    daemon.stop()


@test("who asks is answered with what has come of it, however often")
def answered(world):
    vm = Vm(world, action="s3", delay_ms=0)
    vm.own.connect()
    vm.own.wait_status("suspended", "SUSPEND")
    daemon = Daemon(world)
    attached(world, vm)

    def asks(action, state):
        status, told = http(world, "POST", f"/v1/vms/{vm.name}/requests", {"action": action})
        assert status == 200 and told["state"] == state, (action, told)
        assert listed(world, vm.name)["state"] == state, listed(world, vm.name)

    wait_listed(world, vm.name, lambda told: told["state"] == "suspended")
    asks("wake", "running")
    for _ in range(12):
        asks("pause", "paused")
        asks("resume", "running")
    vm.signal(signal.SIGKILL)
    daemon.stop()
    history = story(vm.history())
    assert history[:26] == [("suspend", "guest", "acpi-s3"), ("wake", "operator", "acpi-s3")] + 12 * [("pause", "operator", "qmp-stop"), ("resume", "operator", "qmp-stop")], history


@test("attach calls the VM as it is asked to")
def attach_renames(world):
    vm = runs(world)
    daemon = Daemon(world)
    name = f"renamed{vm.name}"
    done = world.vmpower("attach", name, "--qmp", vm.path, "--pid", str(vm.pid))
    assert done.returncode == 0 and done.stdout.decode() == f"{name} is attached (pid {vm.pid}).\n", done
    assert listed(world, vm.name) is None and listed(world, name)["uuid"] == vm.uuid
    vm.signal(signal.SIGKILL)
    daemon.wait_told(name)
    (killed,) = world.history(name)
    says(killed, *KILLED, confidence="likely", left="gone")
    assert killed["vm"]["name"] == name and killed["vm"]["instance"] == vm.instance
    daemon.stop()


@test("attach does not call a VM by the name of another one, be it under `vmpower run`")
def attach_name_taken(world):
    name = f"taken{os.getpid()}-{next(vm_numbers)}"
    own = world.monitor()
    run = world.run(*probe("idle"), *own.option, name=name)
    own.connect()
    own.wait_status("running", "RESUME")
    vm, other = runs(world), runs(world)
    daemon = Daemon(world)
    is_refused(world.vmpower("attach", name, "--qmp", vm.path), FAILED, "another VM is called", name, f"pid {own.pid}")
    is_refused(world.vmpower("attach", other.name, "--qmp", vm.path), FAILED, "another VM", other.name, f"pid {other.pid}")
    is_still_unattached(world, vm)
    own.quit()
    assert run.wait() == DESTROYED
    done = world.vmpower("attach", name, "--qmp", vm.path)
    assert done.returncode == 0, done.stderr
    for one in (vm, other):
        one.signal(signal.SIGKILL)
    for told in (name, other.name):
        daemon.wait_told(told)
    daemon.stop()
    assert [v["mechanism"] for v in world.history(name)] == ["qmp-quit", "signal"], story(world.history(name))
    assert story(other.history()) == [("destroy", "operator", "signal")]


@test("attach finds a VM that the daemon has not: TCG announces nothing")
def attach_finds(world):
    daemon = Daemon(world)
    vm = runs(world)
    attached(world, vm)
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    daemon.stop()


@test("attach refuses what is no monitor, and what is not that process's")
def attach_refusals(world):
    vm = runs(world)
    daemon = Daemon(world)
    is_refused(attach(world, vm, path=world.path("nowhere")), FAILED, "nowhere", "No such file")
    is_refused(attach(world, vm, path=world.write("file", "")), FAILED, "file is no socket")
    is_refused(attach(world, vm, path="/"), FAILED, "no socket")
    is_refused(attach(world, vm, "--pid", str(os.getpid())), FAILED, f"pid {os.getpid()} does not listen", vm.path)
    is_refused(attach(world, vm, "--pid", "4194305"), FAILED, "pid 4194305")
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(world.path("dead"))
    is_refused(attach(world, vm, path=world.path("dead")), FAILED, "nobody is seen to listen")
    dead.close()
    is_refused(attach(world, vm, path=os.path.join(world.rundir, "vmpower.sock")), FAILED, "vmpower.sock")
    is_still_unattached(world, vm)
    daemon.stop()
    assert vm.own.status() == "running"
    vm.signal(signal.SIGKILL)


@test("attach refuses libvirt's monitors by their place alone, and touches nothing")
def attach_libvirts(world):
    daemon = Daemon(world)
    for path in (
        "/var/lib/libvirt/qemu/domain-1-web/monitor.sock",
        "/run/libvirt/qemu/web.monitor",
        "/var/run/libvirt/qemu/web.monitor",
    ):
        status, answer = http(world, "POST", "/v1/vms", {"name": "web", "qmp": path})
        assert status == 403 and "libvirt" in answer["error"], (status, answer)
    daemon.stop()


@test("a monitor that somebody holds is refused, and his connection goes on")
def attach_taken(world):
    vm = runs(world)
    daemon = Daemon(world)
    toolstack = world.dial(vm.path)
    is_refused(attach(world, vm), FAILED, "somebody is connected", vm.path)
    is_refused(attach(world, vm, "--pid", str(vm.pid)), FAILED, "somebody is connected")
    assert toolstack.status() == "running"
    is_still_unattached(world, vm)
    toolstack.close()
    vm.own.status()  # QEMU has seen it go
    attached(world, vm)
    is_refused(world.vmpower("attach", "another-name", "--qmp", vm.path), FAILED, f"{vm.name} is attached already, by {vm.path}")
    pretty = Vm(world, "-qmp-pretty", f"unix:{vm.path}.pretty,server=on,wait=off").greets()
    is_refused(attach(world, pretty, path=f"{vm.path}.pretty"), FAILED, "pretty=on", "is not taken")
    pretty.signal(signal.SIGKILL)
    daemon.stop()
    vm.signal(signal.SIGKILL)


@test("attach twice is refused, and the first goes on")
def attach_twice(world):
    vm, other = runs(world), runs(world)
    daemon = Daemon(world)
    attached(world, vm)
    is_refused(attach(world, vm), FAILED, vm.path)
    is_refused(attach(world, vm, path=other.path), FAILED, vm.name)
    is_still_unattached(world, other)
    assert listed(world, vm.name)["monitor"] == vm.path
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    daemon.stop()
    other.signal(signal.SIGKILL)


@test("detach gives the monitor back, and the VM is watched as before")
def detach(world):
    vm = runs(world)
    daemon = Daemon(world)
    attached(world, vm)
    done = world.vmpower("detach", vm.name, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["monitor"], told["sources"], told["could_attach"]) == (None, ["process"], vm.path), told
    toolstack = world.dial(vm.path)
    assert toolstack.status() == "running"
    toolstack.close()
    vm.own.status()
    is_refused(world.vmpower("detach", vm.name), FAILED, "no monitor", vm.name)
    is_refused(world.vmpower("detach", "nobody" + vm.name), NO_SUCH_VM, "there is no VM")
    attached(world, vm)
    assert world.vmpower("detach", vm.name).returncode == 0
    assert vm.history() == [], "nothing has happened to the VM"
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    (killed,) = vm.history()
    says(killed, *KILLED, confidence="likely", left="gone")


# --- whose monitor it is --------------------------------------------------------------------------------------------


@on_both("a toolstack's monitor is its own, when it connects again, too")
def toolstack(world, accelerator):
    vm = runs(world, accelerator=accelerator)
    first = world.dial(vm.path)
    daemon = Daemon(world)
    assert listed(world, vm.name)["monitor"] is None
    assert first.status() == "running"
    for _ in range(3):
        first.close()
        first = world.dial(vm.path)
        assert first.status() == "running"
        is_still_unattached(world, vm)
    daemon.stop()
    assert first.status() == "running"
    first.quit()
    vm.is_over()


@on_both("--take-monitors opens a free monitor by itself")
def take_monitors(world, accelerator):
    vm = runs(world, accelerator=accelerator)
    other = runs(world)
    daemon = Daemon(world, "--take-monitors", "/nonexistent/*", "--take-monitors", vm.path[:-3] + "*")
    told = is_attached_by_itself(world, vm)
    assert told["sources"] == ["qmp", "process"], told
    is_still_unattached(world, other)
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    daemon.stop()
    other.signal(signal.SIGKILL)


@test("kvm: --take-monitors opens the monitor of a VM that is born, too")
def take_monitors_born(world):
    needs_kvm()
    daemon = Daemon(world, "--take-monitors", world.path("*.qmp"))
    vm = runs(world, accelerator="kvm")
    is_attached_by_itself(world, vm)
    vm.own.quit()
    vm.is_over()
    daemon.wait_told(vm.name)
    (ended,) = vm.history()
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone")
    daemon.stop()


@test("--take-monitors does not touch a monitor that somebody holds")
def take_monitors_taken(world):
    vm = runs(world)
    toolstack = world.dial(vm.path)
    daemon = Daemon(world, "--take-monitors", world.path("*.qmp"))
    is_still_unattached(world, vm)
    assert toolstack.status() == "running"
    toolstack.quit()
    vm.is_over()
    daemon.wait_told(vm.name)
    daemon.stop()
    assert len(verdicts_stored(world, vm)) == 1


# --- the daemon's own end -------------------------------------------------------------------------------------------


def goes_on(end, accelerator, attach_first):
    """The daemon ends so, another one starts, and the VM is the same to it."""

    def does(world):
        if accelerator == "kvm":
            needs_kvm()
        vm = runs(world, accelerator=accelerator)
        daemon = Daemon(world)
        if attach_first:
            attached(world, vm)
        end(daemon)
        assert vm.own.status() == "running"
        daemon = Daemon(world)
        told = listed(world, vm.name)
        assert (told["instance"], told["pid"], told["state"]) == (vm.instance, vm.pid, "running"), told
        assert vm.history() == []
        if attach_first:
            is_attached_by_itself(world, vm)
        vm.signal(signal.SIGKILL)
        daemon.wait_told(vm.name)
        daemon.stop()
        Daemon(world).stop()
        assert len(instances(world, vm)) == 1, instances(world, vm)
        assert verdicts_stored(world, vm) == [("destroy", "signal")], verdicts_stored(world, vm)
        (killed,) = vm.history()
        says(killed, *KILLED, confidence="likely", left="gone")

    return does


def loses(end):
    """The daemon ends so, then the VM, which nobody sees; the next daemon says that, once."""

    def does(world):
        vm = runs(world)
        daemon = Daemon(world)
        assert listed(world, vm.name)
        end(daemon)
        vm.signal(signal.SIGKILL)
        for _ in range(2):
            Daemon(world).stop()
            assert verdicts_stored(world, vm) == [("unknown", "unseen")], verdicts_stored(world, vm)
        (lost,) = vm.history()
        says(lost, *LOST, confidence="guess", left="gone", decision=None)
        assert evidence_of(lost, "gap", "vmpower"), "and says that nobody looked"
        assert len(instances(world, vm)) == 1, instances(world, vm)

    return does


test("a daemon that is started again: the VM runs on, is the same, and ends once")(goes_on(Daemon.stop, "tcg", False))
test("kvm: a daemon that is started again: the VM is the same, and attached again")(goes_on(Daemon.stop, "kvm", True))
test("a daemon that was killed: the VM runs on, is the same to the next one, and ends once")(
    goes_on(Daemon.kill, "tcg", False)
)
test("a daemon that was killed: the next one takes its monitors up")(goes_on(Daemon.kill, "tcg", True))
test("a VM that ends while no daemon runs: unseen, and told once")(loses(Daemon.stop))
test("a VM that ends after its daemon was killed: unseen, and told once")(loses(Daemon.kill))


def restarted_host(world, end):
    """A VM of another boot of the host: its rows are those of a daemon that ended so, its boot id is one that never comes again."""
    vm = runs(world)
    daemon = Daemon(world)
    attached(world, vm)
    end(daemon)
    vm.signal(signal.SIGKILL)
    boot = str(uuid.uuid4())
    connection = sqlite3.connect(os.path.join(world.state, "vmpower.db"))
    connection.execute("UPDATE vm SET instance = replace(instance, ?, ?), watcher = replace(watcher, ?, ?)", (boot_id(), boot) * 2)
    connection.commit()
    connection.close()
    forget_sockets(world)
    Daemon(world).stop()
    Daemon(world).stop()
    (ended,) = world.history(vm.name)
    assert ended["vm"]["instance"] == vm.instance.replace(boot_id(), boot), ended["vm"]
    ended["vm"]["instance"] = vm.instance
    return ended


@test("after a restart of the host, a VM that was looked after until then was ended with it")
def restarted_watched(world):
    ended = restarted_host(world, Daemon.kill)
    says(ended, "destroy", "host", "host-shutdown", False, confidence="likely", left="gone", decision=None)
    assert evidence_of(ended, "host-restarted", "host")[0]["data"] == {"watched": True}, ended["evidence"]


@test("after a restart of the host, a VM that nobody looked after when it went down is unseen")
def restarted_unwatched(world):
    says(restarted_host(world, Daemon.stop), *LOST, confidence="guess", left="gone", decision=None)


@test("what a daemon saw before it was told to end is told")
def stops_together(world):
    vm = runs(world)
    daemon = Daemon(world)
    attached(world, vm)
    vm.own.ask("stop")
    daemon.wait_told(vm.name)
    vm.signal(signal.SIGKILL)
    daemon.stop()
    Daemon(world).stop()
    pause, ended = vm.history()
    says(pause, "pause", "operator", "qmp-stop", None, left="paused")
    assert ended["left"] == "gone" and len(verdicts_stored(world, vm)) == 2, (brief(ended), verdicts_stored(world, vm))


NOBODY_READS = """
import os, sys
ours, theirs = os.pipe()
os.dup2(theirs, 2)
os.execv(sys.argv[1], sys.argv[1:])
"""


@test("no signal but SIGTERM and SIGINT ends it, nor that nobody reads its standard error any more")
def other_signals(world):
    vm = runs(world)
    daemon = Daemon(world, within=(sys.executable, "-c", NOBODY_READS))
    for number in (signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1, signal.SIGUSR2):
        daemon.process.send_signal(number)
    vm.signal(signal.SIGKILL)
    deadline = time.monotonic() + PATIENCE
    while not vm.history():
        assert daemon.process.poll() is None and time.monotonic() < deadline, daemon.process.poll()
        time.sleep(0.02)
    daemon.stop()
    daemon = Daemon(world)
    daemon.process.send_signal(signal.SIGHUP)
    daemon.stderr.wait_for("does not read its configuration again")
    daemon.process.send_signal(signal.SIGINT)
    daemon._end(0)


@test("a second daemon in one run directory refuses to start, in one line, and the first goes on")
def second_daemon(world):
    vm = runs(world)
    daemon = Daemon(world)
    second = start_daemon(world)
    _, err = second.communicate(timeout=PATIENCE)
    world.outputs.append(("vmpowerd", err.decode()))
    assert second.returncode == FAILED, second.returncode
    (line,) = err.decode().splitlines()
    assert line.startswith("vmpowerd: ") and "another vmpowerd" in line and world.rundir in line, line
    assert listed(world, vm.name)["pid"] == vm.pid
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()
    (killed,) = vm.history()
    says(killed, *KILLED, confidence="likely", left="gone")


@test("a second daemon on one state directory, with sockets of its own, refuses to start: it says who has it; and `run` is not kept out")
def second_daemon_elsewhere(world):
    daemon = Daemon(world)
    elsewhere = {**world.environment, "VMPOWER_RUN_DIR": world.path("elsewhere")}
    second = popen([VMPOWERD], env=elsewhere, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    _, err = second.communicate(timeout=PATIENCE)
    world.outputs.append(("vmpowerd", err.decode()))
    assert second.returncode == FAILED, second.returncode
    (line,) = err.decode().splitlines()
    assert line.startswith("vmpowerd: ") and f"{world.state} belongs to another vmpowerd, pid {daemon.process.pid}" in line, line
    assert world.run(*probe("s5")).wait() == 0
    daemon.kill()
    Daemon(world).stop()


@test("wrong words to the daemon: one line, and nothing is started")
def daemon_usage(world):
    for words, expected in ((["--dance"], "--dance"), (["vm"], "vm"), (["--take-monitors"], "--take-monitors")):
        process = start_daemon(world, words)
        _, err = process.communicate(timeout=PATIENCE)
        assert process.returncode == USAGE, (words, process.returncode)
        (line,) = err.decode().splitlines()
        assert line.startswith("vmpowerd: ") and expected in line, line
    assert not os.path.exists(world.state) and world.sockets() == []


@test("the verbs that need a daemon, without one")
def no_daemon(world):
    file = world.write("monitor", "")
    for words in (["list"], ["list", "--json"], ["watch"], ["attach", "vm", "--qmp", file], ["detach", "vm"]):
        is_refused(world.vmpower(*words), FAILED, "no vmpowerd answers")
    daemon = Daemon(world)
    daemon.kill()
    for words in (["list"], ["watch"]):
        is_refused(world.vmpower(*words), FAILED, "no vmpowerd answers")
    forget_sockets(world)


# --- beside `vmpower run` -------------------------------------------------------------------------------------------


def left_to_run(accelerator, is_first, wraps):
    """A VM that `vmpower run` started is its own, whoever came first."""

    def is_left(world):
        if accelerator == "kvm":
            needs_kvm()
        daemon = None if is_first else Daemon(world)
        own = world.monitor()
        name = f"run{os.getpid()}-{next(vm_numbers)}"
        words = [*probe("idle", accelerator=accelerator), "-name", name]
        if wraps:
            words = [world.script("wrapper", '#!/bin/sh\n"$@"\n'), *words]
        run = world.run(*words, *own.option, name=name)
        own.connect()
        own.wait_status("running", "RESUME")
        daemon = daemon or Daemon(world)
        is_listed = listed(world, name)
        assert is_listed is None or is_listed["pid"] == own.pid, is_listed
        os.kill(own.pid, signal.SIGKILL)
        assert run.wait() == DESTROYED
        daemon.stop()
        instance = run.verdict()["vm"]["instance"]
        assert instance.split(":")[1] == str(own.pid), instance
        assert len(rows(world, "SELECT id FROM vm WHERE instance = ?", instance)) == 1
        assert len(rows(world, "SELECT v.id FROM verdict v JOIN vm ON vm.id = v.vm WHERE vm.instance = ?", instance)) == 1
        assert [v["id"] for v in world.history() if v["vm"]["instance"] == instance] == [world.why(name)["id"]]
        says(world.why(name), *KILLED, confidence="likely", left="gone", decision=None)
        # What `run` has told before it was over is passed on, once.
        assert daemon.lines_on(name) in ([], [f"vmpowerd: {world.why(name)['summary']}\n"]), daemon.stderr.text()
        assert daemon.lines_on(f"qemu-{own.pid}") == [], daemon.stderr.text()
        assert run.own_lines() == [f"vmpower: {world.why(name)['summary']}"], run.own_lines()

    return is_left


test("a VM under `vmpower run` is left to run")(left_to_run("tcg", True, False))
test("kvm: a VM under `vmpower run` that is born while the daemon runs is left to run")(left_to_run("kvm", False, False))
test("kvm: and so it is where a wrapper waits for it: it is not announced twice")(left_to_run("kvm", False, True))


@test("after `vmpower run` was killed, the daemon that starts next takes its VM over")
def taken_over(world):
    own = world.monitor()
    name = f"run{os.getpid()}-{next(vm_numbers)}"
    run = world.run(*probe("idle"), "-name", name, *own.option, name=name)
    own.connect()
    own.wait_status("running", "RESUME")
    run.process.kill()
    run.wait()
    daemon = Daemon(world)
    assert listed(world, name)["pid"] == own.pid
    os.kill(own.pid, signal.SIGKILL)
    daemon.wait_told(name)
    daemon.stop()
    (killed,) = world.history(name)
    says(killed, *KILLED, confidence="likely", left="gone", decision=killed["decision"])
    # Nobody else would have concluded anything of it.
    assert rows(world, "SELECT is_daemons FROM vm WHERE name = ?", name) == [(1,)]
    wait_for_end(own.pid)
    reap_orphans()
    forget_sockets(world)


@test("when `vmpower run` is killed, the daemon that is there takes its VM over, with the monitor that it had")
def taken_over_at_once(world):
    own = world.monitor()
    name = f"run{os.getpid()}-{next(vm_numbers)}"
    run = world.run(*probe("idle"), "-name", name, *own.option, name=name)
    own.connect()
    own.wait_status("running", "RESUME")
    daemon = Daemon(world)
    wait_listed(world, name)
    is_refused(world.vmpower("pause", name), FAILED, f"pid {run.pid} looks after {name}", "-qmp", f"end pid {run.pid}")
    run.process.kill()
    run.wait()
    deadline = time.monotonic() + PATIENCE
    while not (listed(world, name) or {}).get("monitor"):
        assert time.monotonic() < deadline, (listed(world, name), daemon.stderr.text())
        time.sleep(0.05)
    assert listed(world, name)["monitor"].startswith(os.path.join(world.rundir, "run") + "/"), listed(world, name)
    own.quit()
    wait_for_end(own.pid)
    reap_orphans()
    daemon.wait_told(name)
    (ended,) = world.history(name)
    says(ended, "destroy", "operator", "qmp-quit", False, left="gone", decision=ended["decision"])
    assert evidence_of(ended, "gap"), "and says that nobody looked for a moment"
    daemon.stop()
    forget_sockets(world)


if __name__ == "__main__":
    sys.exit(main())
