#!/usr/bin/env python3
"""What `vmpower run`, `why`, `history` and `rejudge` do around the verdict, and what they say when they cannot."""

import datetime
import hashlib
import os
import signal
import sqlite3
import sys

from world import *

FAILED_TO_START, USAGE, NO_SUCH_VM, NOT_STOPPED = 1, 2, 3, 4
CRASHED, DESTROYED, VMM_FAILED, HALTED, UNKNOWN = 10, 11, 13, 14, 15
NOBODY = 65534


def started(world, *words, options=(), name="vm", action="idle", **named):
    """A VM that runs, and the user's monitor on it."""
    monitor = world.monitor()
    run = world.run(*words, *probe(action), *monitor.option, options=options, name=name, **named)
    monitor.connect()
    while monitor.status() == "prelaunch":
        monitor.wait_event("RESUME")
    return run, monitor


def database(world):
    return os.path.join(world.state, "vmpower.db")


def says_one_line(done, status, *words):
    """Exactly one line on stderr, nothing on stdout, and the documented status."""
    err, out = (text if isinstance(text, bytes) else text.data for text in (done.stderr, done.stdout))
    code = done.returncode if hasattr(done, "returncode") else done.process.returncode
    assert code == status, f"exit status {code}, not {status}: {err!r}"
    assert out == b"", out
    lines = err.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith("vmpower"), lines
    for word in words:
        assert word in lines[0], f"{word!r} is not in {lines[0]!r}"


def refuses(world, run, status, *words):
    """A run that could not start anything: one line, and no VM of it anywhere."""
    run.wait()
    run.stdout.wait_for_end()
    run.stderr.wait_for_end()
    says_one_line(run, status, *words)
    assert not run.verdict()


# --- the longest first, for the others to run beside it ----------------------------------------------------------------


@test("a database that stays locked: the verdict is told all the same, and not silently")
def locked_for_ever(world):
    run, monitor = started(world)
    holder = sqlite3.connect(database(world), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    monitor.quit()
    status = run.wait(2 * PATIENCE)
    holder.execute("ROLLBACK")
    holder.close()
    assert status == DESTROYED, status
    says(run.verdict(), "destroy", "operator", "qmp-quit", False, left="gone")
    assert any("could not be stored" in line for line in run.own_lines()), run.own_lines()
    # What was not stored cannot be told again, but it is not told wrongly either.
    later = world.why()
    assert later["transition"] in ("destroy", "unknown"), brief(later)


# --- whose VM it is -------------------------------------------------------------------------------------------------


@test("-daemonize: run stays until the daemon ends, and the verdict is on the daemon")
def daemonize(world):
    monitor = world.monitor()
    run = world.run(*probe("idle", serial=False), "-daemonize", *monitor.option)
    monitor.connect()
    monitor.wait_status("running", "RESUME")
    pid = monitor.pid
    assert pid in descendants_of(run.pid) and os.getsid(pid) != os.getsid(run.pid), "a daemon, and ours to reap"
    start = start_time_of(pid)
    assert run.process.poll() is None
    os.kill(pid, signal.SIGTERM)
    assert run.wait() == DESTROYED
    verdict = world.why()
    says(verdict, "destroy", "operator", "signal", False, left="gone")
    assert verdict["vm"]["instance"] == f"{boot_id()}:{pid}:{start}", verdict["vm"]


@test("-daemonize: the guest's own power-off, at once")
def daemonize_poweroff(world):
    run = world.run(*probe("s5", serial=False), "-daemonize")
    assert run.wait() == 0
    (off,) = world.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone", decision=("on_poweroff", "destroy", "done"))


@test("-daemonize with a bad line: a failure, and QEMU's own words")
def daemonize_failure(world):
    run = world.run(*probe("s5", serial=False), "-daemonize", "-device", "nonsense")
    assert run.wait() == VMM_FAILED
    verdict = world.why()
    says(verdict, "failure", "vmm", "process-exit", False, left="gone")
    assert any("nonsense" in e["data"]["text"] for e in evidence_of(verdict, "message"))


@test("a wrapper that execs is the VM")
def wrapper_exec(world):
    wrapper = world.script("wrapper", '#!/bin/sh\nexec "$@"\n')
    run, monitor = started(world, wrapper)
    pid = monitor.pid
    monitor.quit()
    assert run.wait() == DESTROYED
    assert world.why()["vm"]["instance"].split(":")[1] == str(pid)


@test("a wrapper that waits is not the VM: the QEMU in it is")
def wrapper_fork(world):
    wrapper = world.script("wrapper", '#!/bin/sh\n"$@"\nexit 7\n')
    run, monitor = started(world, wrapper)
    pid = monitor.pid
    os.kill(pid, signal.SIGKILL)
    assert run.wait() == DESTROYED
    verdict = world.why()
    says(verdict, "destroy", "operator", "signal", False, confidence="likely", left="gone")
    assert verdict["vm"]["instance"].split(":")[1] == str(pid), verdict["vm"]
    assert evidence_of(verdict, "killed")[0]["data"]["name"] == "SIGKILL"


@test("a wrapper that waits, and a guest that powers off")
def wrapper_fork_poweroff(world):
    wrapper = world.script("wrapper", '#!/bin/sh\n"$@"\necho "wrapper: $?"\n')
    run = world.run(wrapper, *probe("s5"))
    assert run.wait() == 0
    (off,) = world.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone")
    assert run.stdout.wait_for_end() == b"probe: s5\r\nwrapper: 0\n", run.stdout.data


@test("a wrapper that starts its VM again and again: each is an instance with a verdict of its own")
def wrapper_loop(world):
    wrapper = world.script("wrapper", '#!/bin/sh\nfor i in 1 2 3 4; do "$@"; done\n')
    run, monitor = started(world, wrapper)
    pids = []
    for i in range(4):
        pids.append(monitor.pid)
        # One that is killed leaves its socket behind.
        if i in (0, 1):
            os.kill(monitor.pid, signal.SIGKILL)
        else:
            monitor.quit()
        if i < 3:
            monitor.connect()
            monitor.wait_status("running", "RESUME")
    assert run.wait() == DESTROYED
    history = world.history()
    assert story(history) == 2 * [("destroy", "operator", "signal")] + 2 * [("destroy", "operator", "qmp-quit")], story(history)
    assert [int(verdict["vm"]["instance"].split(":")[1]) for verdict in history] == pids, history
    assert {verdict["vm"]["name"] for verdict in history} == {"vm"}, history


@test("a wrapper that starts its VM again has done what the policy wanted; where it ends, the policy starts it anew")
def wrapper_loop_restarts(world):
    marks = world.path("marks")
    script = f'#!/bin/sh\necho begun >>{marks}\n[ $(wc -l <{marks}) = 1 ] || exit 0\n"$@"\n"$@"\n'
    run = world.run(world.script("wrapper", script), *probe("s5"), options=["--policy", "on_poweroff=restart"])
    run.wait()
    history = world.history()
    assert [verdict["decision"]["result"] for verdict in history[:2]] == ["done", "done"], history
    assert story(history)[:2] == 2 * [("poweroff", "guest", "acpi-s5")], story(history)
    with open(marks, encoding="ascii") as file:
        assert len(file.readlines()) == 2


@test("a wrapper that starts its VM again while another has its name: that is said, and the VM runs all the same")
def wrapper_loop_without_a_name(world):
    gate = world.path("gate")
    os.mkfifo(gate)
    run = world.run(world.script("wrapper", f'#!/bin/sh\n"$@"\nread word <{gate}\n"$@"\n"$@"\n'), *probe("s5"))
    run.wait_verdict(transition="poweroff")
    other, monitor = started(world)
    with open(gate, "w", encoding="ascii") as file:
        file.write("go\n")
    assert run.wait() == 0
    said = [line for line in run.own_lines() if "is not looked after: a VM named vm is running already" in line]
    assert len(said) == 2, run.own_lines()
    monitor.quit()
    assert other.wait() == DESTROYED
    assert story(world.history()) == [("poweroff", "guest", "acpi-s5"), ("destroy", "operator", "qmp-quit")]


@test("a wrapper that goes first leaves the VM to us")
def wrapper_background(world):
    wrapper = world.script("wrapper", '#!/bin/sh\n"$@" &\nexit 0\n')
    run, monitor = started(world, wrapper)
    pid = monitor.pid
    assert run.process.poll() is None, "run stays with the VM"
    monitor.quit()
    assert run.wait() == DESTROYED
    verdict = world.why()
    says(verdict, "destroy", "operator", "qmp-quit", False, left="gone")
    assert verdict["vm"]["instance"].split(":")[1] == str(pid)


@test("a wrapper that goes first, and what it leaves is not QEMU yet")
def wrapper_background_late(world):
    gate = world.path("gate")
    os.mkfifo(gate)
    wrapper = world.script("wrapper", f'#!/bin/sh\n(read word <{gate}; exec "$@") &\necho "gone $$"\n')
    monitor = world.monitor()
    run = world.run(wrapper, *probe("s5"), *monitor.option)
    run.stdout.wait_for("gone ")
    wait_for_end(int(run.stdout.data.split()[1]))
    with open(gate, "w", encoding="ascii") as file:
        file.write("go\n")
    assert run.wait() == 0, run.stderr.text()
    (off,) = world.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone")


@test("a wrapper that fails and leaves a helper behind: a failure, and the helper is let alone")
def wrapper_leaves_helper(world):
    gate = world.path("gate")
    os.mkfifo(gate)
    wrapper = world.script("wrapper", f"#!/bin/sh\n(read word <{gate}) &\nexit 5\n")
    run = world.run(wrapper, QEMU)
    assert run.wait() == VMM_FAILED
    says(world.why(), "failure", "vmm", "process-exit", False, left="gone")
    (helper,) = world.ours()
    with open(gate, "w", encoding="ascii") as file:
        file.write("go\n")
    wait_for_end(helper)


@test("a helper that the wrapper leaves behind does not hold the verdict up")
def wrapper_with_helper(world):
    gate = world.path("gate")
    os.mkfifo(gate)
    wrapper = world.script("wrapper", f'#!/bin/sh\n(read word <{gate}) >/dev/null 2>&1 &\nexec "$@"\n')
    run = world.run(wrapper, *probe("s5"))
    assert run.wait() == 0
    (shutdown,) = evidence_of(run.verdict(), "shutdown")
    ended = datetime.datetime.fromisoformat(shutdown["time"][:26] + "+00:00").timestamp()
    assert os.stat(run.verdict_path).st_mtime - ended < 1.9, "it was waited for"
    says(world.why(), "poweroff", "guest", "acpi-s5", True, left="gone")
    (helper,) = world.ours()
    with open(gate, "w", encoding="ascii") as file:
        file.write("go\n")
    wait_for_end(helper)


@test("a wrapper that passes nothing on: its QEMU is watched by its process")
def wrapper_ignores(world):
    wrapper = world.script("wrapper", "#!/bin/sh\nexec " + " ".join(probe("s5")) + "\n")
    run = world.run(wrapper, QEMU)
    status = run.wait()
    (verdict,) = world.history()
    # Without its words, an exit status of 0 says nothing.
    assert status == UNKNOWN, status
    says(verdict, "unknown", "unknown", "process-exit", None, confidence="guess", left="gone")


@test("a wrapper that passes nothing on and goes first: its QEMU is found")
def wrapper_ignores_and_goes(world):
    monitor = world.monitor()
    words = [*probe("idle", serial=False), *monitor.option]
    wrapper = world.script("wrapper", "#!/bin/sh\n" + " ".join(words) + " </dev/null >/dev/null 2>&1 &\n")
    run = world.run(wrapper, QEMU)
    monitor.connect()
    pid = monitor.pid
    wait_until_found(world, pid)
    os.kill(pid, signal.SIGKILL)
    assert run.wait() == DESTROYED
    verdict = world.why()
    says(verdict, "destroy", "operator", "signal", False, confidence="likely", left="gone")
    assert verdict["vm"]["instance"].split(":")[1] == str(pid), (verdict["vm"], pid)


def wait_until_found(world, pid):
    """That process is the VM, by the record.  (Who is killed the moment that his parent has gone may be gone before anybody has looked for him.)"""
    deadline = time.monotonic() + PATIENCE
    while not any(instance.split(":")[1] == str(pid) for (instance,) in query(world, "SELECT instance FROM vm")):
        assert time.monotonic() < deadline, f"{pid} is not found"
        time.sleep(0.005)


@test("the user's own QMP socket is served beside ours")
def own_monitor(world):
    path = world.path("own.sock")
    run = world.run(*probe("idle"), "-qmp", f"unix:{path},server=on,wait=off")
    run.stdout.wait_for("probe: idle")
    own = world.dial(path)
    assert own.status() == "running"
    own.ask("stop")
    own.wait_event("STOP")
    run.wait_verdict(transition="pause")
    own.ask("system_reset")
    reboot = run.wait_verdict(transition="reboot")
    says(reboot, "reboot", "operator", "qmp-reset", False, left="paused", decision=("on_reboot", "restart", "by-vmm"))
    assert own.status() == "prelaunch"
    own.quit()
    assert run.wait() == DESTROYED


@test("-S of the user's is respected: the VM is not started by us")
def user_stopped(world):
    monitor = world.monitor()
    run = world.run(*probe("s5"), "-S", *monitor.option)
    monitor.connect()
    monitor.stays_silent(0.5, "RESUME", "SHUTDOWN")
    assert monitor.status() == "prelaunch"
    assert run.stdout.data == b""
    monitor.ask("cont")
    assert run.wait() == 0
    says(world.why(), "poweroff", "guest", "acpi-s5", True, left="gone")


@test("a QEMU that nobody may talk to: -sandbox with its strictest settings")
def sandbox(world):
    words = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
    run = world.run(*probe("s5"), "-sandbox", words)
    assert run.wait() == 0
    says(world.why(), "poweroff", "guest", "acpi-s5", True)


# --- names ----------------------------------------------------------------------------------------------------------


@test("without a name it is qemu-PID")
def name_by_pid(world):
    run = world.run(*probe("s5"), name=None)
    assert run.wait() == 0
    (off,) = world.history()
    assert off["vm"]["name"] == "qemu-" + off["vm"]["instance"].split(":")[1], off["vm"]
    assert world.why(off["vm"]["name"]) == off


@test("QEMU's own -name and -uuid count")
def name_by_qemu(world):
    uuid = "8f2f8e9e-7c3c-4b0e-9a52-2f1f6d4a9c11"
    run = world.run(*probe("s5"), "-name", "guest=web-1,debug-threads=on", "-uuid", uuid, name=None)
    assert run.wait() == 0
    off = world.why("web-1")
    assert off["vm"]["name"] == "web-1" and off["vm"]["uuid"] == uuid
    assert world.why(uuid) == world.why(uuid.upper()) == world.why(off["vm"]["instance"]) == off


@test("--name outranks -name")
def name_by_user(world):
    run = world.run(*probe("s5"), "-name", "theirs", name="ours")
    assert run.wait() == 0
    assert world.why("ours")["vm"]["name"] == "ours"
    says_one_line(world.vmpower("why", "theirs"), NO_SUCH_VM, "there is no VM theirs")


@test("a name may be any text")
def name_any_text(world):
    for name in ("a b", "../../etc/passwd", "ä", "%s%n", "x" * 200, "'; DROP TABLE verdict; --"):
        run = world.run(*probe("s5"), name=name)
        assert run.wait() == 0, run.stderr.text()
        assert world.why(name)["vm"]["name"] == name
    assert len(world.history()) == 6


@test("a second VM of a name that runs is refused, and the first goes on")
def name_taken(world):
    first, monitor = started(world)
    second = world.run(*probe("idle"))
    refuses(world, second, FAILED_TO_START, "vm", f"pid {monitor.pid}", "--name")
    assert monitor.status() == "running"
    monitor.quit()
    assert first.wait() == DESTROYED
    assert len(world.history()) == 1
    # The name is free again.
    assert world.run(*probe("s5")).wait() == 0
    assert len(world.history("vm")) == 2


@test("two VMs at once in one state directory")
def two_at_once(world):
    one, monitor_one = started(world, name="one")
    two, monitor_two = started(world, name="two")
    monitor_one.quit()
    assert one.wait() == DESTROYED
    os.kill(monitor_two.pid, signal.SIGKILL)
    assert two.wait() == DESTROYED
    says(world.why("one"), "destroy", "operator", "qmp-quit", False)
    says(world.why("two"), "destroy", "operator", "signal", False, confidence="likely")
    assert [v["vm"]["name"] for v in world.history()] == ["one", "two"]
    assert len(world.history("one")) == 1


@test("ten VMs at once in one state directory")
def ten_at_once(world):
    runs = [world.run(*probe("s5"), name=f"vm-{i}") for i in range(10)]
    assert [run.wait() for run in runs] == [0] * 10
    assert sorted(v["vm"]["name"] for v in world.history()) == sorted(f"vm-{i}" for i in range(10))


# --- policy ---------------------------------------------------------------------------------------------------------


def policies(*settings):
    return [word for setting in settings for word in ("--policy", setting)]


@test("on_reboot=destroy ends a VM that reboots")
def reboot_destroys(world):
    run = world.run(*probe("reset-cf9"), options=policies("on_reboot=destroy"))
    assert run.wait() == 0
    (reboot,) = world.history()
    says(reboot, "reboot", "guest", "guest-reset", None, left="running", decision=("on_reboot", "destroy", "done"))
    assert run.verdict() == reboot


@test("on_reboot=preserve holds a VM that reboots, until somebody quits it")
def reboot_preserves(world):
    monitor = world.monitor()
    run = world.run(*probe("reset-cf9"), *monitor.option, options=policies("on_reboot=preserve"))
    monitor.connect()
    run.wait_verdict(transition="reboot")
    assert monitor.status() == "shutdown"
    monitor.quit()
    assert run.wait() == 0
    (reboot,) = world.history()
    says(reboot, "reboot", "guest", "guest-reset", None, left="off", decision=("on_reboot", "preserve", "none"))


@test("--policy outranks -no-reboot")
def policy_outranks(world):
    run = world.run(*probe("reset-cf9"), "-no-reboot", options=policies("on_reboot=restart"))
    assert run.wait() == 0
    history = world.history()
    # -no-reboot ends QEMU each time, so policy starts it anew, until it gives up.
    assert [v["decision"]["result"] for v in history] == ["done"] * 5 + ["gave-up"], [v["decision"] for v in history]


@test("on_poweroff=restart starts it again, and gives up after five times in a minute")
def restart_gives_up(world):
    run = world.run(*probe("s5"), options=policies("on_poweroff=restart"))
    assert run.wait() == 0
    history = world.history()
    assert len(history) == 6, story(history)
    for off in history:
        says(off, "poweroff", "guest", "acpi-s5", True, left="gone")
    assert [v["decision"]["result"] for v in history] == ["done"] * 5 + ["gave-up"]
    assert len({v["vm"]["instance"] for v in history}) == 6 and {v["vm"]["name"] for v in history} == {"vm"}
    assert run.stdout.wait_for_end() == b"probe: s5\r\n" * 6
    lines = run.own_lines()
    assert len(lines) == 2 and "giving up" in lines[0], lines
    assert run.verdict() == world.why() == history[-1]


@test("a VM without a name keeps its name when it is started again")
def restart_without_name(world):
    run = world.run(*probe("s5"), name=None, options=policies("on_poweroff=restart"))
    assert run.wait() == 0
    history = world.history()
    assert len(history) == 6
    assert len({v["vm"]["name"] for v in history}) == 1, {v["vm"]["name"] for v in history}


@test("a restart that cannot be made is said, and so is the verdict")
def restart_fails(world):
    wrapper = world.script("wrapper", '#!/bin/sh\nmv "$0" "$0.gone"\nexec "$@"\n')
    run = world.run(wrapper, *probe("s5"), options=policies("on_poweroff=restart"))
    assert run.wait() == 0
    (off,) = world.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone", decision=("on_poweroff", "restart", "failed"))
    assert any("cannot" in line for line in run.own_lines()), run.own_lines()


@test("on_poweroff=preserve holds the VM until somebody quits it")
def poweroff_preserves(world):
    monitor = world.monitor()
    run = world.run(*probe("s5"), *monitor.option, options=policies("on_poweroff=preserve"))
    monitor.connect()
    run.wait_verdict(transition="poweroff")
    assert monitor.status() == "shutdown"
    assert run.process.poll() is None
    monitor.quit()
    assert run.wait() == 0
    (off,) = world.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="off", decision=("on_poweroff", "preserve", "none"))


@test("on_poweroff=destroy outranks -no-shutdown")
def poweroff_destroys(world):
    run = world.run(*probe("s5"), "-no-shutdown", options=policies("on_poweroff=destroy"))
    assert run.wait() == 0
    (off,) = world.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="off", decision=("on_poweroff", "destroy", "done"))


@test("on_poweroff=restart of a VM that is held: the same name, a new instance; given up, it stays as it is")
def restart_held(world):
    run = world.run(*probe("s5"), "-no-shutdown", options=policies("on_poweroff=restart"))
    run.stderr.wait_for("giving up")
    assert run.process.poll() is None
    os.kill(run.vm_pid(), signal.SIGTERM)
    assert run.wait() == 0
    history = world.history()
    assert [v["decision"]["result"] for v in history] == ["done"] * 5 + ["gave-up"], [v["decision"] for v in history]
    assert {v["left"] for v in history} == {"off"}


@test("on_crash=preserve keeps a guest that has panicked")
def crash_preserves(world):
    monitor = world.monitor()
    run = world.run(*probe("panic"), "-device", "pvpanic", *monitor.option, options=policies("on_crash=preserve"))
    monitor.connect()
    run.wait_verdict(transition="crash")
    assert monitor.status() == "guest-panicked"
    monitor.quit()
    assert run.wait() == CRASHED
    (crash,) = world.history()
    says(crash, "crash", "guest", "panic-device", False, left="paused", decision=("on_crash", "preserve", "none"))


@test("on_crash=restart starts a guest that has panicked again")
def crash_restarts(world):
    run = world.run(*probe("panic"), "-device", "pvpanic", options=policies("on_crash=restart"))
    assert run.wait() == CRASHED
    history = world.history()
    assert [v["decision"]["result"] for v in history] == ["done"] * 5 + ["gave-up"]
    assert {v["transition"] for v in history} == {"crash"}


@test("on_halt=leave tells it and leaves the VM")
def halt_leaves(world):
    monitor = world.monitor()
    run = world.run(*probe("halt"), *monitor.option, options=policies("halt_after=0.2", "on_halt=leave"))
    monitor.connect()
    run.wait_verdict(transition="halt")
    monitor.stays_silent(0.5, "SHUTDOWN")
    assert monitor.status() == "running"
    monitor.quit()
    assert run.wait() == HALTED
    (halt,) = world.history()
    says(halt, "halt", "guest", "halted", None, left="halted", decision=("on_halt", "leave", "none"))


@test("on_halt=restart replaces the VM")
def halt_restarts(world):
    # The second one powers itself off.
    wrapper = world.script(
        "wrapper",
        f'#!/bin/sh\n[ ! -e {world.path("second")} ] || set -- $(echo "$@" | sed s/string=halt/string=s5/)\n'
        f': >{world.path("second")}\nexec "$@"\n',
    )
    run = world.run(wrapper, *probe("halt"), options=policies("halt_after=0.2", "on_halt=restart"))
    assert run.wait() == 0
    halt, off = world.history()
    says(halt, "halt", "guest", "halted", None, left="halted", decision=("on_halt", "restart", "done"))
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone")
    assert halt["vm"]["instance"] != off["vm"]["instance"]


# --- wrong usage ----------------------------------------------------------------------------------------------------

QEMU_LINE = ["--", QEMU, "-M", "none"]


def wrong(sentence, words, *expected, status=USAGE):
    def is_refused(world):
        says_one_line(world.vmpower(*words), status, *expected)
        assert not os.path.exists(world.state) or not world.history()

    test(sentence)(is_refused)


wrong("an unknown verb", ["dance"], "there is no verb 'dance'")
wrong("an unknown option of run", ["run", "--dance", *QEMU_LINE], "--dance", "vmpower run --help")
wrong("an unknown option of why", ["why", "--dance", "vm"], "--dance")
wrong("an unknown option of history", ["history", "--dance"], "--dance")
wrong("an unknown option of rejudge", ["rejudge", "--dance"], "--dance")
wrong("an option without its value", ["run", "--name"], "--name", "value")
wrong("run without a VM", ["run", "--name", "vm"], "which VM")
wrong("run without anything", ["run"], "which VM")
wrong("an empty name", ["run", "--name", "", *QEMU_LINE], "--name")
wrong("a name that is too long", ["run", "--name", "x" * 5000, *QEMU_LINE], "--name")
wrong("an unknown exit status", ["run", "--exit-status", "guest", *QEMU_LINE], "--exit-status", "guest")
wrong("why without a VM", ["why"], "one VM")
wrong("why with two VMs", ["why", "a", "b"], "one VM")
wrong("a limit of nothing", ["history", "--limit", "0"], "--limit", "'0'")
wrong("a limit that is no number", ["history", "--limit", "3x"], "--limit", "'3x'")
wrong("a negative limit", ["history", "--limit", "-1"], "--limit", "'-1'")
wrong("history of two VMs", ["history", "a", "b"], "one VM")

for setting, word in (
    ("on_poweroff=dance", "the actions are"),
    ("on_dance=destroy", "the names are"),
    ("on_poweroff", "NAME=VALUE"),
    ("", "NAME=VALUE"),
    ("=", "the names are"),
    ("halt_after=soon", "seconds"),
    ("halt_after=-1", "seconds"),
    ("halt_after=1e3", "seconds"),
    ("halt_after=31536001", "seconds"),
    ("button_certain=", "seconds"),
    ("on_poweroff=destroy ", "the actions are"),
):
    wrong(f"--policy {setting!r}", ["run", "--policy", setting, *QEMU_LINE], word, "--policy")

wrong("a program that is not there", ["run", "--", "qemu-system-nonsense"], "qemu-system-nonsense", status=FAILED_TO_START)
wrong("a path that is not there", ["run", "--", "/nonexistent/qemu"], "/nonexistent/qemu", status=FAILED_TO_START)
wrong("a directory instead of a program", ["run", "--", "/"], "cannot run", status=FAILED_TO_START)
wrong("why of a VM that never was", ["why", "vm"], "there is no VM vm", status=NO_SUCH_VM)
wrong("history of a VM that never was", ["history", "vm"], "there is no VM vm", status=NO_SUCH_VM)
wrong("rejudge of a VM that never was", ["rejudge", "vm"], "there is no VM vm", status=NO_SUCH_VM)


@test("vmpower alone tells its verbs, and that this is no usage")
def no_verb(world):
    done = world.vmpower()
    assert done.returncode == USAGE and done.stdout == b"" and b"Usage: vmpower VERB" in done.stderr
    done = world.vmpower("--help")
    assert done.returncode == 0 and done.stderr == b"" and b"Usage: vmpower VERB" in done.stdout
    for verb in ("run", "why", "history", "rejudge"):
        done = world.vmpower(verb, "--help")
        assert done.returncode == 0 and done.stderr == b"" and f"Usage: vmpower {verb}".encode() in done.stdout
        assert b"Exit status:" in done.stdout
    assert world.vmpower("--version").stdout.startswith(b"vmpower ")


@test("a program that may not be run")
def not_executable(world):
    path = world.write("qemu-system-x86_64", "#!/bin/sh\n", 0o644)
    refuses(world, world.run(path), FAILED_TO_START, path)


@test("a script whose interpreter is not there")
def no_interpreter(world):
    path = world.script("qemu-system-x86_64", "#!/nonexistent/sh\n")
    run = world.run(path)
    refuses(world, run, FAILED_TO_START, path)
    assert world.history() == []


@test("no QEMU in the path")
def no_qemu(world):
    refuses(world, world.run(QEMU, env={**world.environment, "PATH": world.directory}), FAILED_TO_START, QEMU, "is QEMU installed?")


@test("standard output that is full is a failure")
def full_output(world):
    with open("/dev/full", "wb") as full:
        done = world.vmpower("--help", stdout=full)
    assert done.returncode == FAILED_TO_START and done.stderr.count(b"\n") == 1, done


# --- exit status, verdict file, standard error -------------------------------------------------------------------------


@test("--exit-status=vmm passes QEMU's own")
def vmm_status(world):
    debug = [*probe("debug-exit"), "-device", "isa-debug-exit,iobase=0xf4,iosize=4"]
    assert world.run(*debug, options=["--exit-status=vmm"]).wait() == 33
    run, monitor = started(world, options=["--exit-status", "vmm"])
    os.kill(monitor.pid, signal.SIGKILL)
    assert run.wait() == 128 + signal.SIGKILL
    assert world.run(QEMU, "-nonsense", options=["--exit-status=vmm"]).wait() == 1
    assert world.run(*probe("s5"), options=["--exit-status=vmm"]).wait() == 0
    assert world.run(*debug, options=["--exit-status=verdict"]).wait() == 0


@test("--quiet says nothing")
def quiet(world):
    run = world.run(*probe("s5"), options=["--quiet"])
    assert run.wait() == 0
    assert run.stderr.wait_for_end() == b""


@test("--verdict to a place that is not there is refused before anything starts")
def verdict_nowhere(world):
    path = world.path("nowhere/verdict")
    run = world.run(*probe("s5"), verdict=path)
    refuses(world, run, FAILED_TO_START, path)
    assert world.run(*probe("s5"), verdict=world.directory).wait() == FAILED_TO_START


@test("--verdict replaces the file whole, and keeps its mode to the umask")
def verdict_file(world):
    path = world.write("verdict", "something old\n" * 1000)
    run = world.run(*probe("s5"), verdict=path)
    assert run.wait() == 0
    assert run.verdict() == world.why()
    assert [name for name in os.listdir(world.directory) if name.startswith("verdict.")] == []


@test("-help and -version are QEMU's own, and no VM")
def informs(world):
    for words in (["-version"], ["-help"], ["-M", "help"], ["-device", "?"]):
        own = popen([QEMU, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = own.communicate(timeout=PATIENCE)
        run = world.run(QEMU, *words, verdict=False)
        assert run.wait() == own.returncode
        assert (run.stdout.wait_for_end(), run.stderr.wait_for_end()) == (out, err), words
    assert not os.path.exists(world.state) or world.history() == []


@test("five megabytes on standard error come through byte for byte")
def large_stderr(world):
    noise = os.urandom(5 << 20)
    path = world.path("noise")
    with open(path, "wb") as file:
        file.write(noise)
    wrapper = world.script("wrapper", f'#!/bin/sh\ncat {path} >&2\nexec "$@"\n')
    run = world.run(wrapper, *probe("s5"))
    assert run.wait() == 0
    data = run.stderr.wait_for_end()
    assert hashlib.sha256(data[: len(noise)]).digest() == hashlib.sha256(noise).digest()
    assert data[len(noise) :] == f"vmpower: {world.why()['summary']}\n".encode(), data[len(noise) :]


@test("what is written to standard error last, without a newline, is not lost")
def last_words(world):
    wrapper = world.script("wrapper", "#!/bin/sh\nprintf 'no newline' >&2\nexit 3\n")
    run = world.run(wrapper)
    assert run.wait() == VMM_FAILED
    verdict = world.why()
    assert run.stderr.wait_for_end().startswith(b"no newline")
    assert evidence_of(verdict, "message")[0]["data"]["text"] == "no newline"


@test("a standard error that nobody reads does not hold the VM's verdict up")
def stderr_closed(world):
    reading, writing = os.pipe()
    os.close(reading)
    wrapper = world.script("wrapper", '#!/bin/sh\necho lost >&2\nexec "$@"\n')
    run = world.run(wrapper, *probe("s5"), stderr=writing)
    os.close(writing)
    assert run.wait() == 0
    says(world.why(), "poweroff", "guest", "acpi-s5", True)


@test("a reader of standard error that sleeps slows QEMU down, and loses nothing")
def stderr_slow(world):
    reading, writing = os.pipe()
    wrapper = world.script("wrapper", '#!/bin/sh\nhead -c 1000000 /dev/zero >&2\nexec "$@"\n')
    run = world.run(wrapper, *probe("s5"), stderr=writing)
    os.close(writing)
    assert not run.written or run.verdict() is None
    got = 0
    while data := os.read(reading, 65536):
        got += data.count(b"\0")
    os.close(reading)
    assert run.wait() == 0 and got == 1000000, got


# --- vmpower's own end ----------------------------------------------------------------------------------------------


@test("kill -9 of vmpower does not end the VM; its ending then is unknown, and why says so")
def killed(world):
    run, monitor = started(world)
    run.process.kill()
    assert run.wait() == -signal.SIGKILL
    assert monitor.status() == "running"
    done = world.vmpower("why", "vm")
    says_one_line(done, NOT_STOPPED, "has not stopped", str(monitor.pid))
    monitor.quit()
    wait_for_end(monitor.pid)
    reap_orphans()
    (verdict,) = world.history()
    says(verdict, "unknown", "unknown", "unseen", None, confidence="guess", left="gone", decision=None)
    assert evidence_of(verdict, "gap", "vmpower")
    assert world.why() == verdict
    forget_sockets(world)


def forget_sockets(world):
    """A vmpower that was killed could not take its socket away."""
    for path in world.sockets():
        os.unlink(path)


@test("what vmpower had seen before it was killed is told, even so")
def killed_late(world):
    run, monitor = started(world)
    monitor.ask("stop")
    run.wait_verdict(transition="pause")
    run.process.kill()
    run.wait()
    monitor.quit()
    wait_for_end(monitor.pid)
    reap_orphans()
    pause, gone = world.history()
    says(pause, "pause", "operator", "qmp-stop", None)
    says(gone, "unknown", "unknown", "unseen", None, confidence="guess", left="gone")
    forget_sockets(world)


@test("the name of a VM whose vmpower was killed stays taken as long as it runs")
def killed_and_name_taken(world):
    run, monitor = started(world)
    run.process.kill()
    run.wait()
    refuses(world, world.run(*probe("idle")), FAILED_TO_START, f"pid {monitor.pid}")
    monitor.quit()
    wait_for_end(monitor.pid)
    reap_orphans()
    # The next one gives the last one its ending first.
    assert world.run(*probe("s5")).wait() == 0
    assert story(world.history("vm")) == [("unknown", "unknown", "unseen"), ("poweroff", "guest", "acpi-s5")]
    forget_sockets(world)


@test("SIGTERM to vmpower leaves the VM running, and says so")
def told_to_end(world):
    run, monitor = started(world)
    run.process.terminate()
    assert run.wait() == UNKNOWN
    assert monitor.status() == "running"
    (line,) = run.own_lines()
    assert str(monitor.pid) in line and "runs on" in line, line
    says_one_line(world.vmpower("why", "vm"), NOT_STOPPED, "has not stopped")
    monitor.quit()
    wait_for_end(monitor.pid)
    reap_orphans()
    verdict = world.why()
    says(verdict, "unknown", "unknown", "unseen", None, confidence="guess", left="gone")
    assert any("told to end" in e["data"]["reason"] for e in evidence_of(verdict, "gap")), evidence_of(verdict, "gap")
    forget_sockets(world)


@test("SIGTERM to vmpower while the VM ends, too: the verdict is told")
def told_to_end_together(world):
    run, monitor = started(world)
    run.process.terminate()
    os.kill(monitor.pid, signal.SIGTERM)
    assert run.wait() == DESTROYED
    says(world.why(), "destroy", "operator", "signal", False, left="gone")


# --- history --------------------------------------------------------------------------------------------------------


@test("why and history of a VM that runs")
def not_stopped(world):
    run, monitor = started(world)
    says_one_line(world.vmpower("why", "vm"), NOT_STOPPED, "has not stopped", str(monitor.pid))
    assert world.history("vm") == world.history() == []
    assert world.vmpower("history", "--json").stdout == b"[]\n"
    assert world.vmpower("history").stdout == b"No VM has stopped yet.\n"
    monitor.quit()
    run.wait()


@test("history is newest first, and --limit counts from there")
def limit(world):
    for action in ("s5", "s4", "s5"):
        assert world.run(*probe(action)).wait() == 0
    assert world.run(*probe("s4"), name="other").wait() == 0
    everything = json.loads(world.vmpower("history", "--json").stdout)
    assert [v["transition"] for v in everything] == ["hibernate", "poweroff", "hibernate", "poweroff"]
    assert json.loads(world.vmpower("history", "--json", "--limit", "2").stdout) == everything[:2]
    assert json.loads(world.vmpower("history", "vm", "--json", "--limit", "1").stdout) == everything[1:2]
    assert json.loads(world.vmpower("history", "--json", "--limit", "999999999").stdout) == everything
    lines = world.vmpower("history", "--limit", "3").stdout.decode().splitlines()
    assert len(lines) == 3 and "other" in lines[0], lines
    times = [v["time"] for v in everything]
    assert times == sorted(times, reverse=True)


@test("why in prose has the summary, the proof and no colour for a pipe")
def prose(world):
    assert world.run(*probe("s5")).wait() == 0
    text = world.vmpower("why", "vm").stdout.decode()
    assert world.why()["summary"] in text and "guest-shutdown" in text and "\033" not in text, text


@test("rejudge finds what an older rule had said, and keeps both")
def rejudge(world):
    assert world.run(*probe("s5")).wait() == 0
    before = world.why()
    done = world.vmpower("rejudge")
    assert done.returncode == 0 and b"1 verdicts judged again, 0 changed" in done.stdout, done.stdout
    tamper(world, "UPDATE verdict SET rule = 'an-older-rule', mechanism = 'guest-shutdown', confidence = 'likely'")
    older = world.why()
    assert older["rule"] == "an-older-rule"

    done = world.vmpower("rejudge", "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    assert world.why() == older, "a dry run writes nothing"
    (change,) = json.loads(done.stdout)
    assert change["before"]["id"] == older["id"] and change["after"]["rule"] == before["rule"]

    done = world.vmpower("rejudge", "vm", "--json")
    (change,) = json.loads(done.stdout)
    after = world.why()
    says(after, "poweroff", "guest", "acpi-s5", True, rule=before["rule"], revises=older["id"], decision=before["decision"])
    assert change["after"]["id"] == after["id"]
    assert len(world.history()) == 1, "the newest of each episode"
    assert query(world, "SELECT count(*) FROM verdict") == [(2,)], "nothing is rewritten"
    assert json.loads(world.vmpower("rejudge", "--json").stdout) == [], "and now there is nothing more"


def tamper(world, *statements):
    with sqlite3.connect(database(world)) as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def query(world, statement):
    connection = sqlite3.connect(database(world))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


@test("secrets on the command line are not stored")
def secrets(world):
    words = ["-object", "secret,id=s0,data=hunter2hunter2"]
    assert world.run(*probe("s5"), *words).wait() == 0
    for root, _, names in os.walk(world.state):
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                assert b"hunter2" not in file.read(), name


@test("what is kept is its owner's alone")
def modes(world):
    assert world.run(*probe("s5")).wait() == 0
    for root, directories, names in os.walk(world.state):
        for name in [".", *names]:
            mode = os.stat(os.path.join(root, name)).st_mode & 0o777
            assert mode & 0o022 == 0, (root, name, oct(mode))
    assert os.stat(os.path.join(world.rundir, "run")).st_mode & 0o777 == 0o700


# --- the state directory --------------------------------------------------------------------------------------------


@test("a state directory that may not be written")
def state_not_writable(world):
    os.mkdir(world.state, 0o755)
    os.mkdir(world.rundir)
    unprivileged = {}
    if os.getuid() == 0:
        os.chmod(world.directory, 0o755)
        os.chown(world.rundir, NOBODY, NOBODY)
        unprivileged = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    else:
        os.chmod(world.state, 0o555)
    refuses(world, world.run(*probe("s5"), verdict=writable_verdict(world), **unprivileged), FAILED_TO_START, world.state)


def writable_verdict(world):
    """A verdict file that an unprivileged run can write."""
    os.mkdir(world.path("out"), 0o777)
    os.chmod(world.path("out"), 0o777)
    return world.path("out/verdict")


@test("a run directory that belongs to somebody else, or is open to others")
def run_directory(world):
    os.makedirs(os.path.join(world.rundir, "run"))
    os.chmod(os.path.join(world.rundir, "run"), 0o777)
    refuses(world, world.run(*probe("s5")), FAILED_TO_START, world.rundir, "VMPOWER_RUN_DIR")


@test("an unprivileged user runs a VM with directories of his own")
def unprivileged(world):
    needs_root()
    os.chmod(world.directory, 0o777)
    home = world.path("home")
    os.mkdir(home)
    os.chown(home, NOBODY, NOBODY)
    environment = {k: v for k, v in world.environment.items() if k not in ("VMPOWER_STATE_DIR", "VMPOWER_RUN_DIR")}
    environment.update(HOME=home, XDG_RUNTIME_DIR=os.path.join(home, "xdg"))
    environment.pop("XDG_STATE_HOME", None)
    os.mkdir(os.path.join(home, "xdg"), 0o700)
    os.chown(os.path.join(home, "xdg"), NOBODY, NOBODY)
    named = {"user": NOBODY, "group": NOBODY, "extra_groups": [], "env": environment}
    run = world.run(*probe("s5"), verdict=os.path.join(home, "verdict"), **named)
    assert run.wait() == 0, run.stderr.text()
    done = world.vmpower("why", "vm", "--json", **named)
    assert done.returncode == 0, done.stderr
    says(json.loads(done.stdout), "poweroff", "guest", "acpi-s5", True)
    assert os.path.exists(os.path.join(home, ".local/state/vmpower"))


@test("no place for its state at all")
def no_state(world):
    environment = {k: v for k, v in world.environment.items() if k not in ("VMPOWER_STATE_DIR", "HOME", "XDG_STATE_HOME")}
    named = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.getuid() == 0 else {}
    says_one_line(world.vmpower("why", "vm", env=environment, **named), FAILED_TO_START, "VMPOWER_STATE_DIR")


@test("a database of a newer vmpower is left as it is")
def newer_schema(world):
    assert world.run(*probe("s5")).wait() == 0
    tamper(world, "PRAGMA user_version = 999")
    for words in (["why", "vm"], ["history"], ["rejudge"]):
        says_one_line(world.vmpower(*words), FAILED_TO_START, "newer vmpower", "999")
    refuses(world, world.run(*probe("s5")), FAILED_TO_START, "newer vmpower")
    assert query(world, "SELECT count(*) FROM verdict") == [(1,)]


def garbage_is_left(content):
    def is_left_as_it_is(world):
        os.mkdir(world.state, 0o700)
        with open(database(world), "wb") as file:
            file.write(content)
        for words in (["why", "vm"], ["history"], ["rejudge"]):
            says_one_line(world.vmpower(*words), FAILED_TO_START, database(world))
        refuses(world, world.run(*probe("s5")), FAILED_TO_START, database(world))
        with open(database(world), "rb") as file:
            assert file.read() == content, "the file was changed"

    return is_left_as_it_is


test("a database that is garbage is said to be, and not replaced")(garbage_is_left(b"what is this?\n" * 1000))
test("a database that is garbage behind a good beginning")(garbage_is_left(b"SQLite format 3\0" + os.urandom(8000)))


@test("a database of another program is left as it is")
def foreign_database(world):
    os.mkdir(world.state, 0o700)
    tamper(world, "CREATE TABLE song (title TEXT)", "PRAGMA user_version = 1")
    refuses(world, world.run(*probe("s5")), FAILED_TO_START, "another program")
    says_one_line(world.vmpower("history"), FAILED_TO_START, "another program")
    assert query(world, "SELECT name FROM sqlite_master") == [("song",)]


@test("a database that somebody locks: the verdict waits for it, or says that it was not stored")
def locked(world):
    run, monitor = started(world)
    holder = sqlite3.connect(database(world), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    monitor.quit()
    # The VM ends and QEMU is not held; vmpower waits for the lock, but not for ever.
    wait_for_end(monitor.pid)
    holder.execute("ROLLBACK")
    holder.close()
    assert run.wait() == DESTROYED
    says(world.why(), "destroy", "operator", "qmp-quit", False, left="gone")


def reads_what_nobody_can_write(world, reason):
    """Of a history that is there, while nobody has it open."""
    says(world.why("old"), "poweroff", "guest", "acpi-s5", True)
    assert len(world.history()) == 1
    for words in (["rejudge", "--dry-run"], ["prune", "--dry-run"]):
        done = world.vmpower(*words)
        assert done.returncode == 0, done.stderr
    for words in (["rejudge"], ["prune"]):
        says_one_line(world.vmpower(*words), FAILED_TO_START, database(world), reason)


@test("a disk that is full, or read-only, and a history on it: it is read, and what would write it says what is wrong")
def disk_only_read(world):
    small_disk(world, 2048)
    assert world.run(*probe("s5"), name="old").wait() == 0
    if popen(["mount", "-o", "remount,ro", world.state]).wait():
        raise Skip("a filesystem cannot be mounted read-only")
    reads_what_nobody_can_write(world, "read-only")
    assert popen(["mount", "-o", "remount,rw", world.state]).wait() == 0
    fill(world)
    reads_what_nobody_can_write(world, "the disk is full")


def runs_without_history(world, *reasons):
    """It starts, is judged and told, and says at both ends what that costs."""
    run, monitor = started(world)
    files = [os.readlink(f"/proc/{run.process.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{run.process.pid}/fd")]
    scratch = [os.path.dirname(path) for path in files if path.startswith("/dev/shm/vmpower-run-")]
    assert scratch and os.path.isdir(scratch[0]), files
    first = run.own_lines()[0]
    assert all(reason in first for reason in (world.state, *reasons, "kept in memory")), run.own_lines()
    monitor.quit()
    assert run.wait() == DESTROYED
    says(run.verdict(), "destroy", "operator", "qmp-quit", False, left="gone")
    assert len(run.own_lines()) == 3 and "nothing of this is in the history" in run.own_lines()[-1], run.own_lines()
    assert not os.path.exists(scratch[0]), scratch


@test("a disk that is full at the start: the VM runs all the same, its history is kept in memory")
def disk_full_at_start(world):
    small_disk(world, 64)
    fill(world)
    runs_without_history(world, "the disk is full")


@test("a disk that is full behind a history that is there already")
def disk_full_later_at_start(world):
    small_disk(world, 2048)
    assert world.run(*probe("s5"), name="old").wait() == 0
    fill(world)
    runs_without_history(world, "the disk is full")


@test("a disk that is full while another vmpower has its history open")
def disk_full_and_open(world):
    small_disk(world, 2048)
    other, monitor = started(world, name="other")
    fill(world)
    runs_without_history(world, "the disk is full")
    os.unlink(os.path.join(world.state, "ballast"))
    monitor.quit()
    assert other.wait() == DESTROYED


@test("a disk that is read-only, with a history and without")
def disk_read_only(world):
    for words in ([], [*probe("s5")]):
        if words:
            popen(["mount", "-o", "remount,rw", world.state]).wait()
            assert world.run(*words, name="old").wait() == 0
        else:
            small_disk(world, 2048)
        if popen(["mount", "-o", "remount,ro", world.state]).wait():
            raise Skip("a filesystem cannot be mounted read-only")
        runs_without_history(world, "ead-only")


@test("a disk that gets full while the VM runs: the verdict is told, and that it was not stored")
def disk_full_later(world):
    small_disk(world, 2048)
    run, monitor = started(world)
    fill(world)
    monitor.quit()
    assert run.wait(2 * PATIENCE) == DESTROYED
    says(run.verdict(), "destroy", "operator", "qmp-quit", False, left="gone")
    assert any("could not be stored" in line for line in run.own_lines()), run.own_lines()
    assert run.own_lines()[-1].endswith("told its monitor to quit."), run.own_lines()


@test("a disk that is full for a while: nothing is lost")
def disk_full_for_a_while(world):
    small_disk(world, 2048)
    run, monitor = started(world)
    fill(world)
    monitor.quit()
    run.stderr.wait_for("could not be stored")
    os.unlink(os.path.join(world.state, "ballast"))
    assert run.wait() == DESTROYED
    says(world.why(), "destroy", "operator", "qmp-quit", False, left="gone")


if __name__ == "__main__":
    sys.exit(main())
