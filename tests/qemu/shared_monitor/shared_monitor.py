#!/usr/bin/env python3
"""The shared monitor beside a QEMU's own: what a client says and hears must be the same on both.

    VMPOWER_SHARED_MONITOR_DRIVER   the program that shares a QEMU's monitor (driver.c)
    VMPOWER_QEMU                    the QEMU (qemu-system-x86_64)

A conversation is a list of things to say.  It is had twice, with one QEMU directly and with another like it through the
shared monitor, and compared message by message; only timestamps may differ.  No test waits for time to pass: behind each
thing that is said goes a question whose answer says that all before it was answered.
"""

import array
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", ".."))
from tap import Skip, expect, run

DRIVER = os.environ.get("VMPOWER_SHARED_MONITOR_DRIVER", "build/tests/qemu/shared_monitor/shared_monitor_driver")
QEMU = os.environ.get("VMPOWER_QEMU", "qemu-system-x86_64")
PATIENCE = 30

NEGOTIATE = b'{"execute": "qmp_capabilities"}'
NEGOTIATE_OOB = b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}}'


class Client:
    def __init__(self, path, negotiate=NEGOTIATE, greeted=True):
        deadline = time.monotonic() + PATIENCE
        while True:  # a QEMU whose last client has just gone greets the next one at once, or loses it (a race of its own)
            self.socket = socket.socket(socket.AF_UNIX)
            self.socket.settimeout(PATIENCE)
            self.socket.connect(path)
            self.lines = b""
            self.markers = 0
            if not greeted:
                return
            try:
                self.greeting = self.hear()
                break
            except (EOFError, ConnectionError):
                if time.monotonic() > deadline:
                    raise
        if negotiate:
            self.send(negotiate)
            assert self.hear() == {"return": {}}

    def send(self, text, fds=()):
        ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
        n = self.socket.sendmsg([text], ancillary)
        # To send nothing is an error, too, where the peer has done what it was told and gone.
        if text[n:]:
            self.socket.sendall(text[n:])

    def hear(self):
        """The next message, or EOFError."""
        while b"\n" not in self.lines:
            more = self.socket.recv(65536)
            if not more:
                raise EOFError
            self.lines += more
        line, self.lines = self.lines.split(b"\n", 1)
        return without_time(json.loads(line, parse_float=number))

    def say(self, text, fds=()):
        """Say it; what is heard until all of it was answered."""
        self.markers += 1
        marker = f"marker {self.markers}"
        self.send(text, fds)
        self.send(b'\n{"execute": "query-name", "id": "%s"}' % marker.encode())
        heard = []
        while not heard or heard[-1].get("id") != marker:
            heard.append(self.hear())
        return heard

    def ask(self, command, **arguments):
        text = {"execute": command, "id": "ask"}
        if arguments:
            text["arguments"] = {key.replace("_", "-"): value for key, value in arguments.items()}
        self.send(json.dumps(text).encode())
        while True:
            message = self.hear()
            if message.get("id") == "ask":
                return message

    def wait_event(self, name):
        while True:
            message = self.hear()
            if message.get("event") == name:
                return message

    def rest(self):
        """All up to the end."""
        heard = []
        try:
            while True:
                heard.append(self.hear())
        except (EOFError, ConnectionResetError):
            return heard

    def close(self):
        self.socket.close()


def number(text):
    """150.0, 1.5e2 and 150 are one number; QEMU writes it its own way."""
    value = float(text)
    return int(value) if value.is_integer() else value


def without_time(message):
    if "timestamp" in message:
        assert message["timestamp"]["seconds"] > 1000000000 and 0 <= message["timestamp"]["microseconds"] < 1000000, message
        message = {key: value for key, value in message.items() if key != "timestamp"}
    return message


class Vm:
    """A QEMU, and a driver on its monitor, if it is to be shared.  `path` is where a client connects."""

    def __init__(self, shared, release=0, machine=("-M", "pc", "-m", "4", "-accel", "tcg", "-S")):
        self.directory = tempfile.mkdtemp(prefix="vmpower-shared-")
        monitor = os.path.join(self.directory, "qemu.sock")
        self.path = os.path.join(self.directory, "shared.sock") if shared else monitor
        self.driver = None
        self.lines = []
        self.changed = threading.Condition()
        if shared:
            self.driver = subprocess.Popen([DRIVER, monitor, self.path, str(release)], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, text=True)
            self.reader = threading.Thread(target=self._read, daemon=True)
            self.reader.start()
            self.wait_line("listening")
        self.qemu = subprocess.Popen([QEMU, *machine, "-display", "none", "-nodefaults", "-qmp", f"unix:{monitor},server=on,wait=off"],
                                     stdin=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while not self._listens():
            assert self.qemu.poll() is None and time.monotonic() < deadline, "QEMU did not start"
            time.sleep(0.01)

    def _listens(self):
        if self.driver:
            return True
        with open("/proc/net/unix", encoding="utf-8") as table:
            return any(line.split()[3] == "00010000" and line.rstrip().endswith(self.path) for line in table if self.path in line)

    def _read(self):
        for line in self.driver.stdout:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("EOF")
            self.changed.notify_all()

    def wait_line(self, beginning, count=1):
        """What the owner was told."""
        with self.changed:
            def found():
                return [line for line in self.lines if line.startswith(beginning)]
            assert self.changed.wait_for(lambda: len(found()) >= count, PATIENCE), (beginning, self.lines)
            return found()[count - 1]

    def close(self):
        """Ends QEMU and the driver; the driver's sanitizers have the last word."""
        self.qemu.kill()
        self.qemu.wait()
        status = 0
        if self.driver:
            self.driver.stdin.close()
            status = self.driver.wait(PATIENCE)
            self.reader.join(PATIENCE)
            self.driver.stdout.close()
        shutil.rmtree(self.directory, ignore_errors=True)
        assert status == 0, f"the driver ended with {status}"


class Sharing:
    """with Sharing(…) as vm: a shared QEMU that is ended afterwards."""

    def __init__(self, shared=True, **how):
        self.vm = Vm(shared, **how)

    def __enter__(self):
        return self.vm

    def __exit__(self, *error):
        self.vm.close()


def compare(conversation, **how):
    """Have it with both; complain of each difference."""
    with Sharing(shared=False, **how) as direct, Sharing(**how) as shared:
        def have(vm):
            heard = []
            conversation(vm, lambda what, messages: heard.append((what, messages)))
            return heard
        expected, found = have(direct), have(shared)
    expect(f"{what!r}\n  from QEMU: {json.dumps(a)[:1000]}\n  shared:    {json.dumps(b)[:1000]}"
           for (what, a), (_, b) in zip(expected, found) if json.dumps(a, sort_keys=True) != json.dumps(b, sort_keys=True))
    assert len(expected) == len(found) and expected


def compare_sayings(sayings, negotiate=NEGOTIATE):
    """Each on a connection of its own."""
    def conversation(vm, note):
        for saying in sayings:
            client = Client(vm.path, negotiate)
            note(saying if len(saying) < 200 else saying[:200], client.say(saying))
            client.close()
    compare(conversation)


# --- alone ----------------------------------------------------------------------------------------------------------


def the_greeting_is_qemus():
    def conversation(vm, note):
        client = Client(vm.path, None)
        note("greeting", client.greeting)
        client.close()
    compare(conversation)


def without_negotiation_nothing_but_negotiation_is_taken():
    enables = [b'{}', b'{"enable": []}', b'{"enable": ["oob"]}', b'{"enable": ["oob", "oob"]}', b'{"enable": ["nope"]}',
               b'{"enable": ["oob", "nope"]}', b'{"enable": [5]}', b'{"enable": 5}', b'{"enable": null}', b'{"enable": [null]}',
               b'{"x": 1}', b'{"enable": ["nope"], "x": 1}', b'{"enable": 5, "x": 1}', b'{"enable": ["oob", {}]}',
               b'{"enable": [""]}', b'[]', b'7']
    compare_sayings([
        b"junk", b"5", b"{}", b'{"execute": "query-status", "id": 1}', b'{"execute": "nope", "id": 1}', b'{"execute": 5, "id": 1}',
        b'{"exec-oob": "query-status", "id": 1}', b'{"id": 1}', b'{"execute": "query-status", "x": 1, "id": 1}',
        b'{"execute": "query-status", "arguments": 1, "id": 1}', b'{"execute": "quit", "id": 1}',
        *(b'{"execute": "qmp_capabilities", "id": 1, "arguments": %s}' % enable for enable in enables),
        b'{"execute": "qmp_capabilities", "id": {"a": [1, null]}}' * 3,
        b'{"execute": "query-status", "id": 1} {"execute": "qmp_capabilities", "id": 2} {"execute": "query-status", "id": 3}',
    ], negotiate=None)


def an_id_may_be_any_value():
    ids = [b"0", b"-1", b"1000", b"1.5", b"1.50e2", b"true", b"null", b'""', b'"\\u00e4\\ud83d\\ude00\\/\\""', "\"ä€😀\"".encode(), b"[]",
           b'[1, {"id": 2}]', b'{"id": {"id": 1000}}', b"18446744073709551615", b"-9223372036854775808", b"9007199254740993"]
    compare_sayings([
        *(b'{"execute": "query-status", "id": %s}' % one for one in ids),
        *(b'{"id": %s, "execute": "nope"}' % one for one in ids),
        *(b'{"id": %s , "x": 1}' % one for one in ids),
        b'{"execute": "query-status", "\\u0069d": 7}', b'{"execute": "query-status", "i\\u0064": 7, "arguments": {"id": 8}}',
        b'{"execute": "query-status"}',
    ])


def what_is_no_command_gets_qemus_answer():
    compare_sayings([
        b"{}", b'{"id": 3}', b'{"execute": 5, "id": 1}', b'{"execute": "query-status", "arguments": [], "id": 1}',
        b'{"execute": "query-status", "foo": 1, "id": 2}', b'{"exec-oob": "query-status", "id": 4}', b'{"execute": "", "id": 1}',
        b'{"execute": "query-status", "exec-oob": "x", "id": 4}', b'{"execute": "query-status", "arguments": {"x": 1}, "id": 4}',
        b'{"execute": "nope"}', b'{"execute": "quit ", "id": 1}', b'{"execute": null}', b'{"exec-oob": 5, "id": 1}',
        b'{"execute": "qmp_capabilities", "id": 5}', b'{"execute": "qmp_capabilities", "arguments": {"enable": ["oob"]}, "id": 5}',
        b'{"execute": "qmp_capabilities", "arguments": {"enable": 5}, "id": 5}', b'{"execute": "qmp_capabilities", "x": 5}',
        b'{"execute": "qmp_capabilities", "arguments": {"foo": 5}, "id": 5}', b'{"exec-oob": "qmp_capabilities", "id": 5}',
    ])


def what_is_no_json_gets_qemus_complaints():
    compare_sayings([
        b"foo", b"foo bar", b"foo bar}", b"}", b"]", b'{"a":}', b'{"a" 1}', b"{a:1}", b'"x"', b"12", b"[1,2]", b"null", b"true",
        b'{"execute":"query-status","execute":"query-version"}', b"{'execute':'query-status'}", b'{"execute":"query-status\n"}',
        b'{"execute":"query-\xff"}', b'{"execute":"q\\q"}', b"\x00", b"\xff", b'\xffQMP\n{"execute":"query-status"}',
        b'{"execute":"query-status"}}', b'{"execute":"query-status"]', b"[}", b'{"a":1,}', b'{"a":01}', b'{"a":+1}', b'{"a":.5}',
        b'{"a":1.}', b"%d", b'{"execute":%s}', b'{"a":nul}', b'{"a" "b"}', b'foo{"execute":"query-status","id":9}',
        b'foo "bar" {"execute":"query-status","id":9}', b'["', b'{"execute":"query-status","id":"a\tb"}', b"@", b"a@b", b'"abc',
        b"\xff\xff", b"@:1", b"@,", b'@"x"', b"@ x", b"@\x01", b"@\xfe", b"@\t5", b"@'x", b"@{}", b"@]", b"A", b"_", b"a_b", b"a1",
        b'a"x"', b"1a", b"1.5e", b"1e+", b"-", b"-a", b"--1", b"00", b'1"x"', b"-1.5e+10x", b":", b",", b"{1:2}", b'{"a":1 "b":2}',
        b"[1 2]", b"[1,]", b"[,1]", b"{,}", b'{"a"}', b'{"a",1}', b"{[]:1}", b"{{}}", b'["\\x"]', b'["\\ud800"]',
        b'["\\ud800\\u0041"]', b'["\\udc00"]', b'["\\ufffe"]', b'["\\ufdd0"]', b'["\\u12"]', b'["\\u12g4"]', b'["\xed\xa0\x80"]',
        b'["\xc3"]', b'["\xf4\x90\x80\x80"]', b'["a\x7fb"]', b'{"execute":"query-\xc3\xa4"}', b'{"execute":"\xef\xbf\xbf"}',
        b"['a\"b','\\'']", b'{"execute":"a\\\'b"}', b"{'execute':'a\"b'}", b"[" * 1025, b"\n\r\n\t ", b"[1]{}[2]5 ",
        b'{"execute"\n:\r\n"query-status"\t,"id"\n:[1,\n2]\n}',
    ])


def out_of_band_commands_go_out_of_band():
    compare_sayings([
        b'{"exec-oob": "query-status", "id": 1}', b'{"exec-oob": "nope", "id": 1}', b'{"exec-oob": "query-yank", "id": 1}',
        b'{"exec-oob": "query-yank"}', b'{"exec-oob": "query-yank", "execute": "query-status", "id": 1}', b'{"exec-oob": 5, "id": 1}',
        b'{"exec-oob": "qmp_capabilities", "id": 1}', b'{"exec-oob": "query-yank", "x": 1, "id": 1}', b'{"exec-oob": "quit", "id": 1}',
        b'{"exec-oob": "migrate-pause", "id": 1}', b'{"exec-oob": "query-yank", "arguments": {"x": 1}, "id": 1}',
    ], negotiate=NEGOTIATE_OOB)


def events_come_with_what_caused_them():
    def conversation(vm, note):
        client = Client(vm.path)
        for command in ("cont", "stop", "system_reset", "system_powerdown", "cont", "stop", "system_wakeup"):
            # Nothing runs in between that could make events of its own: the firmware is held after its first steps.
            note(command, sorted(map(json.dumps, client.say(json.dumps({"execute": command}).encode()))) if command in ("system_reset", "cont")
                 else client.say(json.dumps({"execute": command}).encode()))
        client.close()
    compare(conversation)


def the_human_monitor_speaks_too():
    def conversation(vm, note):
        client = Client(vm.path)
        for line in ("info status", "info version", "stop", "s", "quit/x", "nope", "", "  info   name", "help stop"):
            note(line, client.say(json.dumps({"execute": "human-monitor-command", "arguments": {"command-line": line}}).encode()))
        client.close()
    compare(conversation)


def a_long_answer_is_whole():
    def conversation(vm, note):
        client = Client(vm.path)
        for saying in (b'{"execute": "query-qmp-schema", "id": 1}', b'{"execute": "query-commands"}' * 8, b'{"execute": "qom-list-types"}'):
            note(saying, client.say(saying))
        client.close()
    compare(conversation)


def commands_that_are_piped_are_answered_in_order():
    def conversation(vm, note):
        client = Client(vm.path)
        note("pipe", client.say(b"".join(
            (b'{"execute": "query-status", "id": %d}', b'{"execute": "nope", "id": %d}', b'{"id": %d}', b"junk %d ",
             b'{"execute": "qmp_capabilities", "id": %d}')[i % 5] % i for i in range(500))))
        client.close()
    compare(conversation)


def descriptors_go_with_their_command():
    def conversation(vm, note):
        client = Client(vm.path)
        read_end, write_end = os.pipe()
        for saying, fds in (
            (b'{"execute": "getfd", "arguments": {"fdname": "a"}}', []), (b'{"execute": "getfd", "arguments": {"fdname": "a"}}', [read_end]),
            (b'{"execute": "getfd", "arguments": {"fdname": "a"}}', []), (b'{"execute": "closefd", "arguments": {"fdname": "a"}}', []),
            (b'{"execute": "closefd", "arguments": {"fdname": "a"}}', []), (b'{"execute": "add-fd", "arguments": {"fdset-id": 7}}', [write_end]),
            (b'{"execute": "query-fdsets"}', []), (b'{"execute": "getfd", "arguments": {"fdname": "7bad"}}', [read_end]),
            (b'{"execute": "query-status"}{"execute": "getfd", "arguments": {"fdname": "b"}}', [read_end, write_end]),
            (b'{"execute": "getfd"}', []), (b'{"execute": "add-fd", "arguments": {"fdset-id": "x"}}', []),
        ):
            heard = client.say(saying, fds)
            for message in heard:  # QEMU's numbers of its descriptors are its own
                value = message.get("return")
                if isinstance(value, dict):
                    value.pop("fd", None)
                for fdset in value if isinstance(value, list) else []:
                    for one in fdset.get("fds", []):
                        one.pop("fd", None)
            note(saying, heard)
        os.close(read_end)
        os.close(write_end)
        client.close()
    compare(conversation)


def the_end_is_the_end():
    for last in (b'{"execute": "quit", "id": 1}', b'{"execute": "human-monitor-command", "arguments": {"command-line": "q"}, "id": 1}'):
        def conversation(vm, note):
            client = Client(vm.path)
            client.send(last)
            note(last, client.rest())
        compare(conversation)


def a_client_that_comes_back_begins_anew():
    def conversation(vm, note):
        client = Client(vm.path, NEGOTIATE_OOB)
        client.send(b'{"execute": "query-st')
        client.close()
        client = Client(vm.path, None)
        note("new", [client.greeting, client.say(b'{"execute": "query-status", "id": 1}')])
        client.close()
    compare(conversation)


# --- together -------------------------------------------------------------------------------------------------------


def two_clients_with_the_same_ids_each_hear_their_own():
    with Sharing() as vm:
        clients = [Client(vm.path) for _ in range(2)]
        commands = (b'{"execute": "query-status", "id": %d}', b'{"execute": "query-version", "id": %d}')
        for i in range(300):
            for client, command in zip(clients, commands):
                client.send(command % i)
        for i in range(300):
            for client, member in zip(clients, ("running", "qemu")):
                message = client.hear()
                assert message["id"] == i and member in message["return"], message
        clients[0].send(b'{"execute": "cont"}')
        for client in clients:
            client.wait_event("RESUME")
            client.close()


def one_that_negotiates_changes_nothing_for_the_other():
    with Sharing() as vm:
        one, other = Client(vm.path, NEGOTIATE_OOB), Client(vm.path, None)
        other.send(b'{"execute": "query-status"}')
        assert other.hear()["error"]["class"] == "CommandNotFound"
        one.send(b'{"execute": "cont"}')
        one.wait_event("RESUME")
        other.send(NEGOTIATE)
        assert other.hear() == {"return": {}}  # and no event of the time before
        other.send(b'{"exec-oob": "query-yank", "id": 1}')
        assert "unexpected" in other.hear()["error"]["desc"]


def one_that_never_reads_blocks_nobody_and_is_dropped():
    with Sharing() as vm:
        sleeper, other = Client(vm.path), Client(vm.path)
        # It asks, and reads nothing: what it asks for waits, and then its commands do.
        sleeper.socket.setblocking(False)
        try:
            for _ in range(10000):
                sleeper.socket.send(b'{"execute": "query-qmp-schema"}' * 100)
        except BlockingIOError:
            pass
        for _ in range(20):
            assert "return" in other.ask("query-status")
        # Events cannot wait.
        n = 0
        while not any(line.startswith("dropped") for line in vm.lines):
            for command in ("cont", "stop") * 50:
                other.ask(command)
            n += 100
            assert n < 50000, "never dropped"
        assert "does not read" in vm.wait_line("dropped")
        assert "return" in other.ask("query-status")


def who_asked_is_told_before_it_is_done():
    with Sharing() as vm:
        asker = subprocess.Popen(
            [sys.executable, "-c", "import socket, sys\ns = socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
             "s.sendall(b'{\"execute\": \"qmp_capabilities\"}{\"execute\": \"query-status\"}{\"execute\": \"system_powerdown\"}')\n"
             "while b'POWERDOWN' not in s.recv(65536): pass\n", vm.path])
        line = vm.wait_line("request")
        assert asker.wait(PATIENCE) == 0
        assert line.startswith(f"request system_powerdown pid {asker.pid} uid {os.getuid()} comm python3") and \
            line.endswith(f"via qmp parent {os.getpid()}"), line
        vm.wait_line("evidence powerdown")
        told = [line for line in vm.lines if "powerdown" in line]
        assert told[0].startswith("request") and told[1].startswith("evidence"), told


def a_request_that_is_never_recorded_goes_on_late():
    with Sharing(release=-1) as vm:
        held, other = Client(vm.path), Client(vm.path)
        held.send(b'{"execute": "cont", "id": 1}{"execute": "query-status", "id": 2}')
        vm.wait_line("request cont")
        assert other.ask("query-status")["return"]["running"] is False  # and nobody else waits
        heard = [held.hear() for _ in range(3)]
        assert vm.lines.count("late") == 1
        assert [one.get("id") for one in heard if "id" in one] == [1, 2] and heard[-1]["return"]["running"] is True, heard


def whoever_asked_and_left_is_obeyed():
    with Sharing(release=50) as vm:
        client = Client(vm.path)
        client.send(b'{"execute": "quit"}')
        client.close()
        vm.wait_line("request quit")
        assert vm.qemu.wait(PATIENCE) == 0
        vm.wait_line("ended")


def a_killed_qemu_is_the_end_for_all():
    with Sharing() as vm:
        clients = [Client(vm.path), Client(vm.path, None), Client(vm.path, NEGOTIATE_OOB)]
        vm.qemu.kill()
        for client in clients:
            assert client.rest() == []
        assert not os.path.exists(vm.path)


def every_client_gets_what_qemu_said_last():
    with Sharing() as vm:
        clients = [Client(vm.path) for _ in range(5)]
        clients[0].send(b'{"execute": "quit"}')
        for client in clients:
            rest = client.rest()
            assert {"event": "SHUTDOWN", "data": {"guest": False, "reason": "host-qmp-quit"}} in rest, rest


if not shutil.which(QEMU):
    def needs_qemu():
        raise Skip(f"there is no {QEMU}")
    run([("the shared monitor on a real QEMU", needs_qemu)])

run([(function.__name__.replace("_", " "), function) for function in (
    the_greeting_is_qemus,
    without_negotiation_nothing_but_negotiation_is_taken,
    an_id_may_be_any_value,
    what_is_no_command_gets_qemus_answer,
    what_is_no_json_gets_qemus_complaints,
    out_of_band_commands_go_out_of_band,
    events_come_with_what_caused_them,
    the_human_monitor_speaks_too,
    a_long_answer_is_whole,
    commands_that_are_piped_are_answered_in_order,
    descriptors_go_with_their_command,
    the_end_is_the_end,
    a_client_that_comes_back_begins_anew,
    two_clients_with_the_same_ids_each_hear_their_own,
    one_that_negotiates_changes_nothing_for_the_other,
    one_that_never_reads_blocks_nobody_and_is_dropped,
    who_asked_is_told_before_it_is_done,
    a_request_that_is_never_recorded_goes_on_late,
    whoever_asked_and_left_is_obeyed,
    a_killed_qemu_is_the_end_for_all,
    every_client_gets_what_qemu_said_last,
)])
