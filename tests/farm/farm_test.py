#!/usr/bin/env python3
"""The farm's scripted VMs behave as QEMU does towards a client: held against the measured facts (docs/how-a-vm-stops.md)."""

import json
import os
import select
import shutil
import socket
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..")]
from farm import Farm, OrderFailed, PATIENCE
from tap import run

TESTS = []


def test(sentence):
    def register(function):
        def does():
            directory = tempfile.mkdtemp(prefix="vmpower-farm-")
            farm = Farm(directory, 5, threads=1)
            try:
                function(farm)
            finally:
                farm.close()
                shutil.rmtree(directory)
            assert farm.process.returncode == 0, farm.process.returncode

        TESTS.append((sentence, does))
        return function

    return register


class Client:
    def __init__(self, farm, i):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(PATIENCE)
        self.socket.connect(farm.path(i))
        self.file = self.socket.makefile("rb")

    def message(self):
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments, "id": command}).encode())
        return self.message()

    def negotiate(self):
        assert "QMP" in self.message()
        assert self.ask("qmp_capabilities") == {"return": {}, "id": "qmp_capabilities"}
        return self

    def is_silent(self):
        return not select.select([self.socket], [], [], 0.05)[0]

    def close(self):
        self.file.close()
        self.socket.close()


@test("every VM greets, negotiates and answers")
def answers(farm):
    for i in range(farm.n):
        client = Client(farm, i).negotiate()
        assert client.ask("query-status")["return"]["status"] == "running"
        assert client.ask("query-cpus-fast")["return"][0]["thread-id"] > 0
        assert "CommandNotFound" in json.dumps(client.ask("no-such-command"))
        client.close()


@test("no event comes before qmp_capabilities, and none is kept")
def not_negotiated(farm):
    client = Client(farm, 0)
    assert "QMP" in client.message()
    try:
        farm.say(0, "STOP")
        raise AssertionError("it was heard")
    except OrderFailed:
        pass
    assert client.is_silent()
    assert client.ask("qmp_capabilities") == {"return": {}, "id": "qmp_capabilities"}
    farm.say(0, "RESET", '{"guest": true, "reason": "guest-reset"}')
    event = client.message()
    assert (event["event"], event["data"]["reason"]) == ("RESET", "guest-reset"), event
    client.close()


@test("a second client is not greeted until the first has gone")
def second_client(farm):
    first = Client(farm, 0).negotiate()
    second = Client(farm, 0)
    assert second.is_silent()
    first.close()
    second.negotiate()
    third = Client(farm, 0)
    assert third.is_silent()
    second.close()
    third.negotiate()
    third.close()


@test("each way to end says what QEMU says, and closes")
def ends(farm):
    words = {
        "poweroff": [("SHUTDOWN", "guest-shutdown")],
        "quit": [("SHUTDOWN", "host-qmp-quit")],
        "signal": [("SHUTDOWN", "host-signal")],
        "panic": [("GUEST_PANICKED", None), ("SHUTDOWN", "guest-panic")],
        "kill": [],
    }
    for i, (way, expected) in enumerate(words.items()):
        client = Client(farm, i).negotiate()
        before = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        assert before < farm.end(i, way) < time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        said = []
        while event := client.message():
            said.append((event["event"], event["data"].get("reason")))
        assert said == expected, (way, said)
        client.close()
        try:
            Client(farm, i)
            raise AssertionError("it listens on")
        except ConnectionRefusedError:
            pass


@test("one that has ended can be started again")
def again(farm):
    farm.end(3, "kill")
    farm.order("start", 3)
    Client(farm, 3).negotiate().close()


@test("in a storm all end once, in these ways by turns, within the time")
def storm(farm):
    farm.end(2, "kill")
    ended = farm.storm(200, "poweroff", "kill")
    assert [(i, way) for i, way, _ in ended] == [(0, "poweroff"), (1, "kill"), (3, "poweroff"), (4, "kill")], ended
    assert 0.1e9 < ended[-1][2] - ended[0][2], ended
    assert farm.stats()["there"] == 0


@test("a pulse goes from VM to VM, and round again")
def pulse(farm):
    clients = [Client(farm, i).negotiate() for i in range(farm.n)]
    said = farm.pulse(10, 1000)
    assert [(i, event) for i, event, _ in said] == [(k % 5, "SUSPEND" if k < 5 else "WAKEUP") for k in range(10)], said
    for client in clients:
        assert [client.message()["event"] for _ in range(2)] == ["SUSPEND", "WAKEUP"]
        client.close()


@test("a reset loop goes on by itself")
def resets(farm):
    client = Client(farm, 0).negotiate()
    farm.order("resets", 0, 5, 1)
    assert [client.message()["event"] for _ in range(5)] == ["RESET"] * 5
    assert client.is_silent()
    client.close()


@test("its registers show a VM that waits for an interrupt, and halted for good once told so")
def halted(farm):
    client = Client(farm, 0).negotiate()
    look = {"command-line": "info registers -a"}
    assert "EFL=00000202" in client.ask("human-monitor-command", **look)["return"]
    farm.order("halt", 0)
    assert "EFL=00000002" in client.ask("human-monitor-command", **look)["return"]
    assert farm.stats()["looks"] == 2
    client.close()


@test("nonsense is no order")
def nonsense(farm):
    for words in (["dance"], ["say", 99, "STOP"], ["end", "x", "kill"]):
        try:
            farm.order(*words)
            raise AssertionError(words)
        except OrderFailed:
            pass
    assert farm.stats()["there"] == farm.n


run(TESTS)
