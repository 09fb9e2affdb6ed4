#!/usr/bin/env python3
"""What vmpower makes of a VMM that speaks QMP badly, or not at all: a script that is given as the QEMU."""

import os
import signal
import sqlite3
import sys

from world import *

DESTROYED, VMM_FAILED, UNKNOWN = 11, 13, 15

# What every fake can use.  It is a program of its own, so it has no more than this.
PRELUDE = r"""#!{python}
import json, os, signal, socket, sys

chardev = next(word for word in sys.argv if word.startswith("socket,id=vmpower,"))
path = chardev.split("path=")[1].split(",server")[0]
GREETING = {{"QMP": {{"version": {{"qemu": {{"major": 7, "minor": 2, "micro": 22}}, "package": ""}}, "capabilities": []}}}}
ANSWERS = {{
    "qom-get": "pc-i440fx-7.2-machine",
    "qom-list": [],
    "query-cpus-fast": [],
    "query-status": {{"status": "running", "running": True}},
}}


def listen():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path + ".new")
    listener.listen()
    os.rename(path + ".new", path)
    return listener


def connect():
    global peer, lines
    peer = listen().accept()[0]
    lines = peer.makefile("rb")


def raw(data):
    peer.sendall(data)


def say(message):
    raw(json.dumps(message).encode() + b"\r\n")


def event(name, **data):
    say({{"timestamp": {{"seconds": 1, "microseconds": 1}}, "event": name, "data": data}})


def hear():
    return json.loads(lines.readline() or b'{{"execute": "the end"}}')


def answer(answers=ANSWERS):
    "Answer until the VM is started."
    while True:
        command = hear()
        say({{"return": answers.get(command["execute"], {{}}), "id": command["id"]}})
        if command["execute"] == "cont":
            event("RESUME")
            return


def begin():
    connect()
    say(GREETING)
    answer()


def power_off():
    event("SHUTDOWN", guest=True, reason="guest-shutdown")


"""


def fake(world, body):
    """Run vmpower on a VMM that does this."""
    path = world.script("qemu-system-x86_64", PRELUDE.format(python=sys.executable) + body)
    return world.run(path)


def query(world, statement):
    connection = sqlite3.connect(os.path.join(world.state, "vmpower.db"))
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def malformed(world):
    return [json.loads(data)["text"] for (data,) in query(world, "SELECT data FROM evidence WHERE kind = 'malformed'")]


def powers_off(sentence, body, *defects):
    """Whatever it says besides, its SHUTDOWN is understood; and what was no QMP is kept as evidence."""

    def is_understood(world):
        run = fake(world, body)
        assert run.wait() == 0, run.stderr.text()
        off = world.history()[-1]
        says(off, "poweroff", "guest", "acpi-s5", True, left="gone")
        assert run.verdict() == off
        texts = malformed(world)
        for defect in defects:
            assert any(defect in text for text in texts), (defect, texts)
        assert bool(texts) == bool(defects), texts

    test(sentence)(is_understood)


powers_off("a fake that speaks well is understood", "begin()\npower_off()\n")
powers_off("junk between messages", r"""
begin()
raw(b"this is no JSON\n\xff\xfe\x00\n{]}\n\n  \n[1, 2]\n42\nnull\n")
power_off()
""", "this is no JSON")  # fmt: skip
powers_off("junk before the greeting", "connect()\nraw(b'HTTP/1.1 200 OK\\r\\n\\r\\n')\nsay(GREETING)\nanswer()\npower_off()\n", "HTTP")
powers_off("a line of ten megabytes", "begin()\nraw(b'x' * 10485760 + b'\\n')\npower_off()\n", "longer than")
powers_off("ten megabytes of JSON in one line", "begin()\nsay({'event': 'SHUTDOWN', 'data': 'x' * 10485760})\npower_off()\n", "longer than")
powers_off("JSON a hundred thousand levels deep", "begin()\nraw(b'[' * 100000 + b'\\n')\npower_off()\n", "")
powers_off("byte by byte", "begin()\nfor byte in b'{\"event\": \"SHUTDOWN\", \"data\": {\"guest\": true, \"reason\": \"guest-shutdown\"}}\\n':\n    raw(bytes([byte]))\n")
powers_off("the whole talk in one write", "begin()\nraw(b''.join(json.dumps({'event': e, 'data': d}).encode() + b'\\n' for e, d in "
           "[('STOP', {}), ('RESUME', {}), ('SHUTDOWN', {'guest': True, 'reason': 'guest-shutdown'})]))\n")  # fmt: skip
powers_off("two greetings", "begin()\nsay(GREETING)\npower_off()\n")
powers_off("an event before the greeting", "connect()\nevent('NICE')\nsay(GREETING)\nanswer()\npower_off()\n")
powers_off("ten thousand events that nobody knows", "begin()\nfor i in range(10000):\n    event(f'NEWS_{i}', what='x' * 100)\npower_off()\n")
powers_off("answers to what nobody asked", r"""
begin()
for number in (0, -1, 1, 9, 13, 99, 1 << 62, "1", None, [], {}):
    say({"return": {"status": "shutdown"}, "id": number})
    say({"error": {"class": "GenericError", "desc": "x"}, "id": number})
say({"return": {}})
say({"error": {"class": "GenericError", "desc": "x"}})
power_off()
""")  # fmt: skip
powers_off("a command from the VMM", "begin()\nsay({'execute': 'quit', 'id': 1})\npower_off()\n")
powers_off("SHUTDOWN with members of tomorrow", "begin()\nevent('SHUTDOWN', guest=True, reason='guest-shutdown', colour='red', more=[[[]]])\n")
powers_off("SHUTDOWN a thousand times", "begin()\nfor _ in range(1000):\n    power_off()\n")
powers_off("a monitor that never reads what it is told", r"""
connect()
say(GREETING)
event("RESUME")
for _ in range(3):
    event("STOP")
    event("RESUME")
say({"return": "pc-i440fx-7.2-machine", "id": 3})
power_off()
""")  # fmt: skip
powers_off("devices by the thousand", r"""
connect()
say(GREETING)
answer({**ANSWERS, "qom-list": [{"name": f"d{i}", "type": "child<isa-debug-exit>"} for i in range(5000)]})
power_off()
""")  # fmt: skip


def survives(sentence, body, status, *row, **members):
    def is_survived(world):
        run = fake(world, body)
        got = run.wait()
        assert got == status, f"exit status {got}, not {status}: {run.stderr.text()}"
        says(world.history()[-1], *row, **members)

    test(sentence)(is_survived)


NOT_SAID = ("unknown", "unknown", "process-exit", None)
NOT_UNDERSTOOD = ("unknown", "unknown", "unseen", None)
FAILED = ("failure", "vmm", "process-exit", False)
KILLED = ("destroy", "operator", "signal", False)

survives("half a line, then the end", "begin()\nraw(b'{\"event\": \"SHUTDOWN\", \"da')\n", UNKNOWN, *NOT_SAID, confidence="guess")
survives("half a line, then an error", "begin()\nraw(b'{\"event\"')\nsys.exit(3)\n", VMM_FAILED, *FAILED)
survives("ten megabytes without a line's end", "begin()\nraw(b'x' * 10485760)\n", UNKNOWN, *NOT_SAID, confidence="guess")
survives("no greeting, and a clean exit", "connect()\n", UNKNOWN, *NOT_SAID, confidence="guess")
survives("no greeting, and an error", "connect()\nsys.exit(1)\n", VMM_FAILED, *FAILED)
survives("a socket that nobody accepts on", "listener = listen()\n", UNKNOWN, *NOT_SAID, confidence="guess")
survives("no socket at all", "sys.exit(0)\n", UNKNOWN, *NOT_SAID, confidence="guess")
survives("a regular file where the socket should be", "open(path, 'w').write('x')\n", UNKNOWN, *NOT_SAID, confidence="guess")
survives("a directory where the socket should be", "os.mkdir(path)\nos.rmdir(path)\n", UNKNOWN, *NOT_SAID, confidence="guess")
survives("a greeting and nothing more", "connect()\nsay(GREETING)\n", UNKNOWN, *NOT_SAID, confidence="guess")
survives("it kills itself", "begin()\nos.kill(os.getpid(), signal.SIGKILL)\n", DESTROYED, *KILLED, confidence="likely")
survives("it crashes", "begin()\nos.kill(os.getpid(), signal.SIGSEGV)\n", VMM_FAILED, "failure", "vmm", "signal", False, confidence="likely")
survives("every question is answered by an error", r"""
connect()
say(GREETING)
for _ in range(7):
    say({"error": {"class": "GenericError", "desc": "no\nand \x1b[31mno\u0000"}, "id": hear()["id"]})
power_off()
""", 0, "poweroff", "guest", "guest-shutdown", True)  # fmt: skip

for kind in ('"x"', "42", "[]", "null", "true", '[{"thread-id": -1}]', '[{"thread-id": 1e300}]', '{"status": 7}', '{"status": "x" * 9999}'):
    value = kind.replace("null", "None").replace("true", "True")
    survives(f"every question is answered by {kind}", f"""
connect()
say(GREETING)
answer(dict.fromkeys(["qmp_capabilities", "qom-get", "qom-list", "query-cpus-fast", "query-status"], {value}))
power_off()
""", 0, "poweroff", "guest", "guest-shutdown", True)  # fmt: skip

for code in (1, 2, 33, 127, 255):
    survives(f"exit status {code} without a word", f"begin()\nsys.exit({code})\n", VMM_FAILED, *FAILED)

ODD = (
    ("without data", '{"event": "SHUTDOWN"}'),
    ("with data that is no object", '{"event": "SHUTDOWN", "data": [true, "guest-shutdown"]}'),
    ("with a reason that nobody knows", '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-holiday"}}'),
    ("with a reason that is a number", '{"event": "SHUTDOWN", "data": {"guest": true, "reason": 7}}'),
    ("with a reason of 100 kB", '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "' + "x" * 100000 + '"}}'),
    ("with a NUL in its reason", r'{"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest\\u0000-shutdown"}}'),
    ("with a reason that is not UTF-8", '{"event": "SHUTDOWN", "data": {"guest": true, "reason": "\\xff\\xfe"}}'),
    ("with terminal escapes", r'{"event": "SHUTDOWN", "data": {"guest": true, "reason": "\\u001b[31m"}}'),
    ("cut in two by a newline", '{"event": "SHUTDOWN", "data": \\n {"guest": true, "reason": "guest-shutdown"}}'),
    ("as an event without a name", '{"event": null, "data": {"guest": true, "reason": "guest-shutdown"}}'),
    ("in lower case", '{"event": "shutdown", "data": {"guest": true, "reason": "guest-shutdown"}}'),
)


def odd_shutdown(sentence, line):
    def is_not_believed(world):
        run = fake(world, f"begin()\nraw(b'{line}\\n')\n")
        assert run.wait() == UNKNOWN, run.stderr.text()
        verdict = world.history()[-1]
        assert (verdict["transition"], verdict["initiator"]) == ("unknown", "unknown"), brief(verdict)
        check_form(verdict)
        text = world.vmpower("why", "vm").stdout
        assert b"\x1b" not in text and b"\0" not in text, text

    test(f"SHUTDOWN {sentence} is no power-off")(is_not_believed)


for sentence, line in ODD:
    odd_shutdown(sentence, line)


@test("thousands of resets, stops and continues cost few rows")
def flood(world):
    run = fake(world, """
begin()
for i in range(20000):
    event("RESET", guest=True, reason="guest-reset")
for i in range(20000):
    event("STOP")
    event("RESUME")
for i in range(20000):
    event("BLOCK_IO_ERROR", device="disk", action="report", operation="read", reason="x")
    event("POWERDOWN")
    event("WATCHDOG", action="none")
power_off()
""")  # fmt: skip
    assert run.wait(2 * PATIENCE) == 0
    off = world.history()[-1]
    assert off["transition"] == "poweroff", brief(off)
    ((rows,),) = query(world, "SELECT count(*) FROM evidence")
    ((verdicts,),) = query(world, "SELECT count(*) FROM verdict")
    assert rows < 400 and verdicts < 100, (rows, verdicts)


@test("junk by the megabyte costs few rows")
def junk_flood(world):
    run = fake(world, "begin()\nfor i in range(100):\n    raw(b'junk %d\\n' % i * 1000)\npower_off()\n")
    assert run.wait(2 * PATIENCE) == 0
    ((rows,),) = query(world, "SELECT count(*) FROM evidence")
    assert rows < 100, rows


@test("a monitor that closes while the VM runs on: it is watched by its process")
def closes_early(world):
    run = fake(world, """
begin()
peer.shutdown(socket.SHUT_RDWR)
lines.close()
peer.close()
print("closed", flush=True)
signal.pause()
""")  # fmt: skip
    run.stdout.wait_for("closed")
    (pid,) = descendants_of(run.pid)
    os.kill(pid, signal.SIGKILL)
    assert run.wait() == DESTROYED
    says(world.why(), *KILLED, confidence="likely", left="gone")


@test("a VMM that does not greet is waited for: run ends when it does, and not before")
def silent(world):
    run = fake(world, "connect()\nprint('connected', flush=True)\nsignal.pause()\n")
    run.stdout.wait_for("connected")
    (pid,) = descendants_of(run.pid)
    done = world.vmpower("why", "vm")
    assert done.returncode == 4, done.stderr
    assert run.process.poll() is None
    os.kill(pid, signal.SIGKILL)
    assert run.wait() == DESTROYED
    says(world.why(), *KILLED, confidence="likely", left="gone")


@test("a VMM that writes without end: vmpower still ends when it is told to")
def endless(world):
    run = fake(world, """
begin()
print("begun", flush=True)
while True:
    raw(json.dumps({"event": "RESET", "data": {"guest": True, "reason": "guest-reset"}}).encode() * 1 + b"\\n")
""")  # fmt: skip
    run.stdout.wait_for("begun")
    run.wait_verdict(transition="reboot")
    (pid,) = [pid for pid in descendants_of(run.pid)]
    run.process.terminate()
    assert run.wait() == UNKNOWN
    os.kill(pid, signal.SIGKILL)
    wait_for_end(pid)
    reap_orphans()
    gone = world.history()[-1]
    says(gone, "unknown", "unknown", "unseen", None, confidence="guess", left="gone")
    for path in world.sockets():
        os.unlink(path)


@test("a quit that is refused is said, and the VM is left as it is")
def quit_refused(world):
    run = fake(world, """
begin()
event("GUEST_PANICKED", action="run")
command = hear()
say({"error": {"class": "GenericError", "desc": "not today"}, "id": command["id"]})
print("refused", command["execute"], flush=True)
signal.pause()
""")  # fmt: skip
    run.stdout.wait_for("refused quit")
    run.stderr.wait_for("not today")
    (pid,) = descendants_of(run.pid)
    os.kill(pid, signal.SIGKILL)
    assert run.wait() == 10
    crash = world.why()
    says(crash, "crash", "guest", "panic-device", False, left="running", decision=("on_crash", "destroy", "failed"))


if __name__ == "__main__":
    sys.exit(main())
