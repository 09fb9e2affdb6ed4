#!/usr/bin/env python3
"""What a review of `vmpower` found wrong, each told as it is right."""

import os
import signal
import sqlite3
import stat
import sys

from world import *

FAILED_TO_START, USAGE, NO_SUCH_VM, NOT_STOPPED = 1, 2, 3, 4
CRASHED, DESTROYED, VMM_FAILED, UNKNOWN = 10, 11, 13, 15
LEAVES_AFTER = 2.5  # seconds: by then a vmpower that was told to end has left its VM


def long_test(sentence):
    """One that takes its time: under `./check --soak` (VMPOWER_SOAK=1) alone."""
    return test(sentence) if os.environ.get("VMPOWER_SOAK") else lambda function: function


def started(world, *words, **named):
    """A VM that runs, and the user's monitor on it."""
    monitor = world.monitor()
    run = world.run(*words, *probe("idle"), *monitor.option, **named)
    monitor.connect()
    monitor.wait_status("running", "RESUME")
    return run, monitor


def is_over(pid):
    wait_for_end(pid)
    reap_orphans()


def lose(*started_ones):
    """kill -9 of vmpower, then of its QEMU."""
    for run, _ in started_ones:
        run.process.kill()
        run.wait()
    for _, monitor in started_ones:
        os.kill(monitor.pid, signal.SIGKILL)
        is_over(monitor.pid)


def forget_sockets(world):
    """A vmpower that was killed could not take its socket away."""
    for path in world.sockets():
        os.unlink(path)


def stays(run, seconds=LEAVES_AFTER):
    """vmpower goes on."""
    try:
        run.wait(seconds)
    except Timeout:
        return
    raise AssertionError(f"vmpower has ended: {run.process.returncode}")


def gate(world):
    """(a path, how to open it): a shell that reads the path waits until it is opened."""
    path = world.path(f"gate-{len(os.listdir(world.directory))}")
    os.mkfifo(path)

    def open_it():
        with open(path, "w", encoding="ascii") as file:
            file.write("go\n")

    return path, open_it


def says_one_line(done, status, *words):
    """Exactly one printable line on stderr, nothing on stdout, and the documented status."""
    assert done.returncode == status, f"exit status {done.returncode}, not {status}: {done.stderr!r}"
    assert done.stdout == b"", done.stdout
    text = done.stderr.decode()  # UTF-8, or it fails
    assert text.startswith("vmpower") and text.endswith("\n") and text[:-1].isprintable(), repr(text)
    for word in words:
        assert word in text, f"{word!r} is not in {text!r}"


# --- the longest first, for the others to run beside it ----------------------------------------------------------------


@test("a wrapper that goes first and takes its time: what it leaves is found to be the VM")
def late_orphan(world):
    wrapper = world.script("wrapper", '#!/bin/sh\n(sleep 2.5; exec "$@") &\nexit 0\n')
    run = world.run(wrapper, *probe("s5"))
    assert run.wait() == 0, run.stderr.text()
    (off,) = world.history()
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone")


# --- vmpower's own end ----------------------------------------------------------------------------------------------


def leaves_no_vm_frozen(signals):
    def leaves(world):
        path, open_it = gate(world)
        wrapper = world.script("wrapper", f'#!/bin/sh\necho begun\nread word <{path}\nexec "$@"\n')
        monitor = world.monitor()
        run = world.run(wrapper, *probe("idle"), *monitor.option)
        run.stdout.wait_for("begun")
        for _ in range(signals):
            run.process.terminate()
            stays(run, LEAVES_AFTER / signals)
        open_it()
        monitor.connect()
        assert run.wait() == UNKNOWN
        assert monitor.status() == "running", monitor.status()
        waits, left = run.own_lines()
        assert "has not started yet" in waits, waits
        assert f"pid {monitor.pid}" in left and "runs on" in left and "never answered" not in left, left
        monitor.quit()
        is_over(monitor.pid)
        says(world.why(), "unknown", "unknown", "unseen", None, confidence="guess", left="gone")
        forget_sockets(world)

    return leaves


test("SIGTERM before the wrapper has started QEMU: the VM is left when it runs, not before")(leaves_no_vm_frozen(1))
test("and so it is where SIGTERM comes twice")(leaves_no_vm_frozen(2))


@long_test("SIGTERM to one whose monitor never answers: it is waited for, but not for ever")
def leaves_unseen(world):
    wrapper = world.script("wrapper", "#!/bin/sh\nexec " + " ".join(probe("idle")) + "\n")
    run = world.run(wrapper, QEMU)
    run.stdout.wait_for("probe: idle")
    pid = run.vm_pid()
    run.process.terminate()
    stays(run, 10)
    run.process.terminate()
    stays(run, 10)
    assert run.wait(70) == UNKNOWN
    left = run.own_lines()[-1]
    assert f"pid {pid}" in left and "never answered" in left, left
    assert state_of(pid), "the VM is let alone"
    os.kill(pid, signal.SIGKILL)
    is_over(pid)
    world.history()
    forget_sockets(world)


@test("SIGHUP that is ignored at the start (nohup) stays ignored; SIGTERM does not")
def nohup(world):
    nohup = world.script("nohup", f"#!/bin/sh\ntrap '' HUP\nexec {VMPOWER} \"$@\"\n")
    run, monitor = started(world, executable=nohup)
    os.kill(run.pid, signal.SIGHUP)
    stays(run)
    assert monitor.status() == "running"
    run.process.terminate()
    assert run.wait() == UNKNOWN
    assert monitor.status() == "running"
    monitor.quit()
    is_over(monitor.pid)
    world.history()
    forget_sockets(world)


@test("SIGHUP that is not ignored leaves the VM")
def hangup(world):
    run, monitor = started(world)
    os.kill(run.pid, signal.SIGHUP)
    assert run.wait() == UNKNOWN
    assert monitor.status() == "running"
    monitor.quit()
    is_over(monitor.pid)
    world.history()
    forget_sockets(world)


@test("SIGTERM after the verdict, while the wrapper goes on: the verdict's status and summary")
def wrapper_outlives(world):
    path, open_it = gate(world)
    wrapper = world.script("wrapper", f'#!/bin/sh\n"$@"\nread word <{path}\n')
    run = world.run(wrapper, *probe("s5"))
    verdict = run.wait_verdict(transition="poweroff")
    stays(run, 0.2)
    run.process.terminate()
    assert run.wait() == 0
    assert run.own_lines() == [f"vmpower: {verdict['summary']}"], run.own_lines()
    assert run.verdict()["id"] == world.why()["id"]
    says(world.why(), "poweroff", "guest", "acpi-s5", True, left="gone")
    open_it()
    for pid in world.ours():
        is_over(pid)


# --- standard error that nobody reads -------------------------------------------------------------------------------


def stuck_reader(world):
    """The end to write to of a FIFO that somebody holds open and never reads."""
    path = world.path("stderr")
    os.mkfifo(path)
    reader = popen(["sleep", "1000"], stdin=os.open(path, os.O_RDONLY | os.O_NONBLOCK), env=world.environment)
    writing = os.open(path, os.O_WRONLY)

    def close():
        reader.kill()
        reader.wait()

    return writing, close


@test("a reader of standard error that never reads holds neither the verdict up nor vmpower's end")
def stuck_stderr(world):
    writing, close = stuck_reader(world)
    run = world.run("sh", "-c", "head -c 110000 /dev/zero | tr '\\0' x >&2; exit 3", stderr=writing)
    os.close(writing)
    # What does not fit waits in the wrapper as it would without us; it ends only when it is read or told to.
    try:
        run.wait_verdict(transition="failure", timeout=5)
        (failure,) = world.history()
        says(failure, "failure", "vmm", "process-exit", False, left="gone")
        run.process.terminate()
        run.process.terminate()
        status = run.wait(10)
        assert status in (VMM_FAILED, UNKNOWN), status
    finally:
        close()


@test("a reader of standard error that comes late gets all, and the summary at last")
def late_reader(world):
    reading, writing = os.pipe()
    wrapper = world.script("wrapper", '#!/bin/sh\nhead -c 65536 /dev/zero >&2\nexec "$@"\n')
    run = world.run(wrapper, *probe("s5"), stderr=writing)
    os.close(writing)
    verdict = run.wait_verdict(transition="poweroff")
    stays(run, LEAVES_AFTER)
    data = b""
    while more := os.read(reading, 65536):
        data += more
    os.close(reading)
    assert run.wait() == 0
    assert data == b"\0" * 65536 + f"vmpower: {verdict['summary']}\n".encode(), data[-1000:]


@test("a reader of standard error that never reads: SIGTERM leaves the VM")
def stuck_stderr_and_running(world):
    writing, close = stuck_reader(world)
    wrapper = world.script("wrapper", '#!/bin/sh\nhead -c 65536 /dev/zero >&2\nexec "$@"\n')
    run, monitor = started(world, wrapper, stderr=writing)
    os.close(writing)
    try:
        run.process.terminate()
        assert run.wait(10) == UNKNOWN
        assert monitor.status() == "running"
        monitor.quit()
        is_over(monitor.pid)
        world.history()
        forget_sockets(world)
    finally:
        close()


# --- a VM that was lost ---------------------------------------------------------------------------------------------


def ends_once(names, askers):
    """Several `why` of each VM at once, and each has one ending."""

    def is_told_once(world):
        lose(*[started(world, name=name) for name in names])
        words = [VMPOWER, "why", "--json"]
        asking = [
            (name, popen([*words, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.environment))
            for _ in range(askers)
            for name in names
        ]
        told = {name: set() for name in names}
        for name, process in asking:
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, (process.returncode, err)
            assert err == b"", err
            told[name].add(json.loads(out)["id"])
        for name in names:
            (gone,) = world.history(name)
            says(gone, "unknown", "unknown", "unseen", None, confidence="guess", left="gone")
            assert told[name] == {gone["id"]}, (told[name], gone["id"])
            assert len(evidence_of(gone, "gap")) == 1, evidence_of(gone, "gap")
        assert len(world.history()) == len(names)
        forget_sockets(world)

    return is_told_once


test("a lost VM has one ending, whoever asks six times at once")(ends_once(["vm"], 6))
test("three lost VMs have one ending each, whoever asks six times at once")(ends_once(["one", "two", "three"], 6))


@test("what is left of a lost VM in the run directory goes with the next run; what is listened on stays")
def stale_socket(world):
    lost = started(world, name="lost")
    left = started(world, name="left")
    watched = started(world, name="watched")
    lose(lost)
    left[0].process.kill()
    left[0].wait()
    names = {name: f"{run.pid}.sock" for name, (run, _) in (("lost", lost), ("left", left), ("watched", watched))}
    assert {os.path.basename(path) for path in world.sockets()} == set(names.values()), world.sockets()

    assert world.run(*probe("s5")).wait() == 0
    kept = {os.path.basename(path) for path in world.sockets()}
    assert kept == {names["left"], names["watched"]}, (kept, names)
    # The one that is watched has not suffered.
    watched[1].quit()
    assert watched[0].wait() == DESTROYED
    says(world.why("watched"), "destroy", "operator", "qmp-quit", False, left="gone")
    left[1].quit()
    is_over(left[1].pid)
    assert world.run(*probe("s5")).wait() == 0
    assert world.sockets() == []


@test("why of a VM that runs again tells the old verdict, and that")
def runs_again(world):
    assert world.run(*probe("s5")).wait() == 0
    off = world.why()
    assert "runs again" not in world.vmpower("why", "vm").stdout.decode()
    run, monitor = started(world)
    text = world.vmpower("why", "vm").stdout.decode()
    assert off["summary"] in text and f"It runs again, as pid {monitor.pid}." in text, text
    assert world.why() == off, "JSON is the verdict and nothing else"
    # A verdict on the one that runs is no verdict on an older one.
    monitor.ask("stop")
    run.wait_verdict(transition="pause")
    text = world.vmpower("why", "vm").stdout.decode()
    assert "runs again" not in text, text
    monitor.quit()
    assert run.wait() == DESTROYED
    assert "runs again" not in world.vmpower("why", "vm").stdout.decode()


# --- where the verdict goes -----------------------------------------------------------------------------------------


def documents(text):
    """All JSON documents of a text."""
    found, text = [], text.lstrip()
    while text:
        document, end = json.JSONDecoder().raw_decode(text)
        found.append(document)
        text = text[end:].lstrip()
    return found


@test("--verdict to a FIFO writes to it")
def verdict_fifo(world):
    path = world.path("verdict")
    os.mkfifo(path)
    reading = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        assert world.run(*probe("s5"), verdict=path).wait() == 0
        assert stat.S_ISFIFO(os.lstat(path).st_mode), "it is a FIFO no more"
        assert documents(os.read(reading, 1 << 20).decode())[-1] == world.why()
    finally:
        os.close(reading)


@test("--verdict to a FIFO that nobody reads holds nothing up")
def verdict_fifo_alone(world):
    path = world.path("verdict")
    os.mkfifo(path)
    run = world.run(*probe("s5"), verdict=path)
    assert run.wait() == 0
    assert stat.S_ISFIFO(os.lstat(path).st_mode), "it is a FIFO no more"
    says(world.why(), "poweroff", "guest", "acpi-s5", True, left="gone")


@test("--verdict to a symlink writes to what it names, be it there or not")
def verdict_symlink(world):
    for name, content in (("old", "something old\n" * 1000), ("new", None)):
        target, path = world.path(name), world.path(name + "-link")
        if content:
            world.write(name, content)
        os.symlink(target, path)
        assert world.run(*probe("s5"), verdict=path).wait() == 0
        assert os.readlink(path) == target and not os.path.islink(target)
        with open(target, encoding="utf-8") as file:
            assert json.load(file) == world.why()


@test("--verdict to /dev/stdout writes to standard output")
def verdict_stdout(world):
    # Where a wrong vmpower could replace the real one, a link like it takes its place.
    path = "/dev/stdout"
    if os.access("/dev", os.W_OK):
        path = world.path("stdout")
        os.symlink("/proc/self/fd/1", path)
    run = world.run(*probe("s5", serial=False), verdict=path)
    assert run.wait() == 0
    assert os.readlink(path) == "/proc/self/fd/1", path
    assert documents(run.stdout.wait_for_end().decode())[-1] == world.why()


@test("--verdict to /dev/null is no verdict, and no harm")
def verdict_null(world):
    path = world.path("null")
    os.symlink("/dev/null", path)
    assert world.run(*probe("s5"), verdict=path).wait() == 0
    assert os.readlink(path) == "/dev/null" and stat.S_ISCHR(os.stat("/dev/null").st_mode)


@test("a verdict file of another run is gone when this one starts")
def verdict_stale(world):
    path = world.write("verdict", "something old\n")
    run, monitor = started(world, verdict=path)
    assert not os.path.exists(path)
    monitor.quit()
    assert run.wait() == DESTROYED
    assert run.verdict() == world.why()


@test("--verdict '' is wrong usage")
def verdict_nameless(world):
    says_one_line(world.vmpower("run", "--verdict", "", "--", *probe("s5")), USAGE, "--verdict")
    assert not os.path.exists(world.state) or world.history() == []


@test("run --json prints the verdict on standard output, once")
def run_json(world):
    run = world.run(*probe("s5", serial=False), options=["--json"])
    assert run.wait() == 0
    assert json.loads(run.stdout.wait_for_end()) == run.verdict() == world.why()
    # Of several, the last.
    run, monitor = started(world, options=["--json", "--quiet"])
    run.stdout.wait_for("probe: idle\r\n")
    monitor.ask("stop")
    run.wait_verdict(transition="pause")
    monitor.quit()
    assert run.wait() == DESTROYED
    console, text = run.stdout.wait_for_end().split(b"\n", 1)
    assert console.startswith(b"probe: idle"), console
    assert json.loads(text) == world.why()
    assert run.stderr.wait_for_end() == b""


# --- what is decided ------------------------------------------------------------------------------------------------

# It speaks QMP well, and is told to quit while what it has said is still being judged.
FAKE = """#!{python}
import json, socket, sys, time

chardev = next(word for word in sys.argv if word.startswith("socket,id=vmpower,"))
path = chardev.split("path=")[1].split(",server")[0]
listener = socket.socket(socket.AF_UNIX)
listener.bind(path)
listener.listen()
peer = listener.accept()[0]
lines = peer.makefile("rb")
ANSWERS = {{"qom-get": "pc-i440fx-7.2-machine", "qom-list": [], "query-cpus-fast": []}}


def say(message):
    peer.sendall(json.dumps(message).encode() + b"\\r\\n")


def event(name, **data):
    say({{"timestamp": {{"seconds": 1, "microseconds": 1}}, "event": name, "data": data}})


def answer_until(last, status="running"):
    while True:
        command = json.loads(lines.readline())
        answers = {{**ANSWERS, "query-status": {{"status": status, "running": status == "running"}}}}
        say({{"return": answers.get(command["execute"], {{}}), "id": command["id"]}})
        if command["execute"] == last:
            return


say({{"QMP": {{"version": {{"qemu": {{"major": 7, "minor": 2, "micro": 22}}, "package": ""}}, "capabilities": []}}}})
answer_until("cont")
event("RESUME")
"""


def fake(world, body, **named):
    path = world.script("qemu-system-x86_64", FAKE.format(python=sys.executable) + body)
    return world.run(path, **named)


def rows(world, statement):
    connection = sqlite3.connect(os.path.join(world.state, "vmpower.db"))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


@test("what was decided on a verdict that has been revised since is done")
def revised(world):
    run = fake(world, """
event("GUEST_PANICKED", action="poweroff")
answer_until("quit")
event("STOP")
answer_until("query-status", "guest-panicked")
""")  # fmt: skip
    assert run.wait() == CRASHED, run.stderr.text()
    crash = world.why()
    assert crash["revises"], "it was not revised"
    says(crash, "crash", "guest", "panic-device", False, left="paused", decision=("on_crash", "destroy", "done"))
    assert run.verdict() == crash


@long_test("what was decided on a reboot that goes on and on is done, however often it is counted anew")
def recounted(world):
    run = fake(world, """
event("RESET", guest=True, reason="guest-reset")
answer_until("quit")
for _ in range(24):
    time.sleep(0.6)
    event("RESET", guest=True, reason="guest-reset")
""", options=["--policy", "on_reboot=destroy"])  # fmt: skip
    assert run.wait() == 0, run.stderr.text()
    reboot = world.why()
    assert reboot["revises"] and reboot["count"] > 1, brief(reboot)
    says(reboot, "reboot", "guest", "guest-reset", None, decision=("on_reboot", "destroy", "done"))
    assert run.verdict() == reboot


# --- secrets --------------------------------------------------------------------------------------------------------


def everything_in(directory):
    found = b""
    for root, _, names in os.walk(directory):
        for name in names:
            with open(os.path.join(root, name), "rb") as file:
                found += file.read()
    return found


SECRETS = (
    ("of an object that QEMU refuses", ["-object", "secret,id=s0,data=HUNTER2,bogus=1"]),
    ("with a comma in it", ["-object", "secret,id=s0,bogus=1,data=HUNTER2,,HUNTER2"]),
    ("in JSON", ["-object", '{"qom-type":"secret","id":"s0","data":"HUNTER2","bogus":1}']),
    ("of a drive", ["-drive", "if=none,file.driver=https,file.url=https://user:HUNTER2@localhost:1/x,bogus=1"]),
    ("of an iSCSI target", ["-iscsi", "user=u,password=HUNTER2,bogus=1"]),
)


def is_kept_secret(words):
    def is_kept(world):
        run = world.run(*probe("s5"), *words)
        assert run.wait() == VMM_FAILED, run.stderr.text()
        (failure,) = world.history()
        says(failure, "failure", "vmm", "process-exit", False, left="gone")
        assert evidence_of(failure, "message"), "QEMU's own words are evidence"
        places = {
            "the state directory": everything_in(world.state),
            "the verdict": everything_in(os.path.dirname(run.verdict_path)),
            "why": world.vmpower("why", "vm").stdout,
            "history": world.vmpower("history").stdout + world.vmpower("history", "--json").stdout,
            "vmpower's own words": "\n".join(run.own_lines()).encode(),
        }
        for place, content in places.items():
            assert content and b"HUNTER2" not in content, place

    return is_kept


for where, words in SECRETS:
    test(f"a secret {where} is nowhere to be read")(is_kept_secret(words))


# --- programs that are none -----------------------------------------------------------------------------------------


def is_not_told_to_run(world):
    done = world.vmpower("why", "vm")
    assert done.returncode != NOT_STOPPED and b"has not stopped" not in done.stderr, done
    return done


@test("why of a program that could not be started says that it never ran")
def never_ran(world):
    path = world.script("qemu-system-x86_64", "#!/nonexistent/sh\n")
    assert world.run(path).wait() == FAILED_TO_START
    says_one_line(is_not_told_to_run(world), NO_SUCH_VM, "vm never ran")
    assert world.history() == []
    # Its name is free.
    assert world.run(*probe("s5")).wait() == 0
    says(world.why(), "poweroff", "guest", "acpi-s5", True)


@test("a file that begins like a program and is none")
def broken_elf(world):
    path = world.script("qemu-system-x86_64", "\x7fELF\x02\x01\x01 and so on\n")
    run = world.run(path)
    status = run.wait()
    assert status in (FAILED_TO_START, VMM_FAILED), status
    is_not_told_to_run(world)
    # sh took it for a script, and said what it made of it.
    if status == VMM_FAILED:
        says(world.why(), "failure", "vmm", "process-exit", False, left="gone")


@test("a script without #! is sh's, as it is in a shell")
def no_interpreter_line(world):
    path = world.script("wrapper", 'echo "wrapped"\nexec "$@"\n')
    run = world.run(path, *probe("s5"))
    assert run.wait() == 0, run.stderr.text()
    assert run.stdout.wait_for_end().startswith(b"wrapped\n")
    says(world.why(), "poweroff", "guest", "acpi-s5", True, left="gone")
    assert world.run(world.script("fails", "exit 3\n")).wait() == VMM_FAILED


# --- what is said ---------------------------------------------------------------------------------------------------

ODD = "a\nb\x1b[31m\x7f"


def one_line(sentence, words, status, *expected):
    def is_one_line(world):
        says_one_line(world.vmpower(*words), status, *expected)

    test(sentence)(is_one_line)


QEMU_LINE = ["--", QEMU, "-M", "none"]

one_line("--name with a newline is refused", ["run", "--name", "a\nb", *QEMU_LINE], USAGE, "--name")
one_line("--name that is no UTF-8 is refused", ["run", "--name", "a\udcffb", *QEMU_LINE], USAGE, "--name")
one_line("--name with a terminal's escape is refused", ["run", "--name", "\x1b[31m", *QEMU_LINE], USAGE, "--name")
one_line("a program with odd bytes in its path that is not there: one line", ["run", "--", "./" + ODD], FAILED_TO_START, "a?b")
one_line("a program with odd bytes in its name that is not there: one line", ["run", "--", ODD], FAILED_TO_START, "a?b")
one_line("why of an odd name: one line", ["why", ODD], NO_SUCH_VM, "a?b")
one_line("why of a name that is no UTF-8: one line", ["why", "a\udcff\udcfeb"], NO_SUCH_VM, "a??b")
one_line("history of an odd name: one line", ["history", ODD], NO_SUCH_VM, "a?b")
one_line("rejudge of an odd name: one line", ["rejudge", ODD], NO_SUCH_VM, "a?b")
for verb in ("why", "history", "rejudge", "detach", "shutdown", "destroy"):
    one_line(f"{verb} of a VM without a name: one line", [verb, ""], USAGE, "not an empty word")
one_line("attach of a VM without a name: one line", ["attach", "", "--qmp", "/dev/null"], USAGE, "not an empty word")
one_line("attach of a monitor without a name: one line", ["attach", "vm", "--qmp", ""], USAGE, "--qmp PATH")
for verb in (["why", "vm"], ["history"], ["list"], ["status"], ["watch"], ["pause", "vm"], ["attach", "vm", "--qmp", "/dev/null"]):
    one_line(f"{verb[0]}: both daemons", [*verb, "--user", "--system"], USAGE, "--system and --user")
one_line("an odd verb: one line", [ODD], USAGE, "a?b")
one_line("an odd option: one line", ["why", "--" + ODD], USAGE, "--a?b")
one_line("an odd setting: one line", ["run", "--policy", ODD, *QEMU_LINE], USAGE, "a?b")
one_line("an odd limit: one line", ["history", "--limit", ODD], USAGE, "a?b")
one_line("an odd verdict file: one line", ["run", "--verdict", "/nonexistent/" + ODD, *QEMU_LINE], FAILED_TO_START, "a?b")
one_line("an unknown letter is named", ["why", "-x", "vm"], USAGE, "-x")
one_line("an unknown letter behind the VM is named", ["why", "vm", "-x"], USAGE, "-x")
one_line("an unknown letter before a known one is named", ["why", "-xh", "vm"], USAGE, "-x")
one_line("an option that takes no value is named", ["why", "--json=1", "vm"], USAGE, "--json takes no value")
one_line("an unknown letter behind a value is named", ["run", "--name=a", "-xh", *QEMU_LINE], USAGE, "no option -x")
one_line("an unknown letter of run is named", ["run", "-x", *QEMU_LINE], USAGE, "-x")
one_line("an unknown word behind the VM is named", ["history", "vm", "--dance"], USAGE, "--dance")


@test("an odd name of the guest's own: why and history stay in their lines")
def odd_guest_name(world):
    assert world.run(*probe("s5"), "-name", "guest=a\nb\x1b[31m", name=None).wait() == 0
    for words in (["history"], ["why", world.history()[0]["vm"]["instance"]]):
        text = world.vmpower(*words).stdout.decode()
        assert "a?b" in text and "\x1b" not in text and text.replace("\n", "").isprintable(), text
    assert world.vmpower("history").stdout.count(b"\n") == 1


@test("--help behind a VM's name")
def help_behind(world):
    for verb in ("why", "history", "rejudge"):
        for words in (["vm", "--help"], ["vm", "-h"], ["--json", "vm", "--help"]):
            done = world.vmpower(verb, *words)
            assert done.returncode == 0 and done.stderr == b"", done
            assert done.stdout == world.vmpower(verb, "--help").stdout and f"Usage: vmpower {verb}".encode() in done.stdout


@test("what QEMU tells of a device is QEMU's own, and no VM")
def device_help(world):
    for option, value in (("-device", "virtio-net-pci,help"), ("-device", "nonsense,help"), ("-object", "secret,help")):
        words = [option, value]
        own = popen([QEMU, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = own.communicate(timeout=PATIENCE)
        run = world.run(QEMU, *words, verdict=False)
        assert run.wait() == own.returncode, words
        assert (run.stdout.wait_for_end(), run.stderr.wait_for_end()) == (out, err), words
    assert not os.path.exists(world.state) or world.history() == []


if __name__ == "__main__":
    sys.exit(main())
