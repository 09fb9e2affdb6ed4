#!/usr/bin/env python3
"""The same accesses to vmpower's power-management hardware and to a real QEMU's, compared read by read and event by event.

    VMM           vmpower-vmm
    VMPOWER_SOAK  more sequences

Both speak qtest and QMP.  Sequences are random, from a seed that is printed.  What they leave out is where the two differ: that is shown
sentence by sentence, and docs/machine.md says why it is so.
"""

import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tap import run

N_SEQUENCES = 30000 if os.environ.get("VMPOWER_SOAK") else 1000
PATIENCE = 30
SCI = " 9"

BASE = 0x600
STATUS, ENABLE, CONTROL, TIMER = BASE, BASE + 2, BASE + 4, BASE + 8
HZ = 3579545

# Where firmware says where the block is: configuration address, value.
BASE_IS_SET = {
    "pc": ((0x80000B40, BASE | 1), (0x80000B80, 1)),
    "q35": ((0x8000F840, BASE | 1), (0x8000F844, 0x80)),
}
CHIP = {"pc": "piix4", "q35": "ich9"}
ACPI_ON, ACPI_OFF = {"pc": 0xF1, "q35": 0x02}, {"pc": 0xF0, "q35": 0x03}


class Line:
    """A connection whose both sides speak in lines."""

    def __init__(self, client):
        self.client, self.file = client, client.makefile("r")

    def write(self, line):
        self.client.sendall(line.encode() + b"\n")

    def read(self):
        return self.file.readline().strip()


class Side:
    """A machine without a CPU: its qtest and its monitor."""

    def __init__(self, words, directory):
        qtest, qmp = (os.path.join(directory, name) for name in ("qtest", "qmp"))
        self.process = subprocess.Popen([word.format(qtest=qtest, qmp=qmp) for word in words], stdin=subprocess.DEVNULL)
        try:
            self.qtest, self.qmp = self._connect(qtest), self._connect(qmp)
            self.events, self.interrupts = [], []
            json.loads(self.qmp.read())
            self.ask("qmp_capabilities")
        except BaseException:
            self.close()
            raise
        self.status = "running"

    def _connect(self, path):
        deadline = time.monotonic() + PATIENCE
        while True:
            client = socket.socket(socket.AF_UNIX)
            try:
                client.connect(path)
                client.settimeout(PATIENCE)
                return Line(client)
            except OSError:
                client.close()
                assert time.monotonic() < deadline and self.process.poll() is None, path
                time.sleep(0.01)

    def test(self, line):
        """What qtest answers."""
        self.qtest.write(line)
        while True:
            reply = self.qtest.read()
            if not reply.startswith("IRQ"):
                assert reply.startswith("OK"), (line, reply)
                return reply
            if reply.endswith(SCI):
                self.interrupts.append(reply)

    def read(self, port, width=2):
        return int(self.test(f"in{' bw l'[width]} {port:#x}").split()[1], 16)

    def write(self, port, value, width=2):
        self.test(f"out{' bw l'[width]} {port:#x} {value:#x}")

    def ask(self, command, **arguments):
        self.qmp.write(json.dumps({"execute": command, "arguments": arguments}))
        while True:
            reply = json.loads(self.qmp.read())
            if "event" not in reply:
                return reply
            data = reply.get("data", {})
            self.events.append((reply["event"], data.get("guest"), data.get("reason"), data.get("action")))

    def settle(self):
        """What was asked for has been done: QEMU does it in its main loop, before it answers the monitor."""
        self.ask("query-status")
        self.status = self.ask("query-status")["return"]["status"]
        self.test("endianness")  # an interrupt's line comes before the answer

    def heard(self):
        """Events, interrupts and the status since the last time."""
        self.settle()
        heard = (self.status, self.events, self.interrupts)
        self.events, self.interrupts = [], []
        return heard

    def set_base(self, machine):
        for address, value in BASE_IS_SET[machine]:
            self.write(0xCF8, address, 4)
            self.write(0xCFC, value, 4)
        self.write(STATUS, 1)

    def close(self):
        self.process.kill()
        self.process.wait()


class Pair:
    """A QEMU and a vmpower-vmm of the same machine, in the same state."""

    def __init__(self, machine):
        self.machine = machine
        self.directories = [tempfile.mkdtemp(prefix="vmpower-machine-") for _ in range(2)]
        rom = os.path.join(self.directories[0], "rom")
        with open(rom, "wb") as file:  # at the reset vector: cli; hlt
            file.write(bytes(65520) + b"\xfa\xf4\xeb\xfd".ljust(16, b"\0"))
        qemu = ["qemu-system-x86_64", "-M", machine, "-accel", "tcg", "-m", "2", "-nodefaults", "-display", "none", "-bios", rom]
        qemu += ["-device", "pvpanic", "-qtest-log", "none", "-qtest", "unix:{qtest},server=on,wait=off"]
        qemu += ["-qmp", "unix:{qmp},server=on,wait=off"]
        own = [os.environ["VMM"], "--machine", CHIP[machine], "--qtest", "{qtest}", "--qmp", "{qmp}"]
        self.sides = []
        try:
            for words, directory in ((qemu, self.directories[0]), (own, self.directories[1])):
                self.sides.append(Side(words, directory))
            for side in self.sides:
                side.ask("set-action", shutdown="pause", panic="none")
                side.test("irq_intercept_in ioapic")
                side.set_base(machine)
                side.heard()
        except BaseException:
            self.close()
            raise
        self.qemu, self.own = self.sides

    def both(self, function):
        return tuple(function(side) for side in self.sides)

    def begin_again(self):
        """Both run, as after a reset, and firmware has said where the block is."""
        for side in self.sides:
            side.ask("system_reset")
        theirs, ours = self.both(Side.heard)
        assert theirs[:2] == ours[:2], f"reset by the monitor: of QEMU was heard {theirs}, of vmpower-vmm {ours}"
        for side in self.sides:
            if side.status != "running":
                side.ask("cont")
        theirs, ours = self.both(Side.heard)
        assert theirs[:2] == ours[:2], f"continued: of QEMU was heard {theirs}, of vmpower-vmm {ours}"
        for side in self.sides:
            side.set_base(self.machine)
            for port, value in ((0x92, 0), (0xB2, 0), (0xB3, 0), (0x60, 0xDF)):  # what QEMU keeps over a reset
                side.write(port, value, 1)
            side.heard()

    def close(self):
        for side in self.sides:
            side.close()
        for directory in self.directories:
            shutil.rmtree(directory)


tests = []


def on_both_machines(sentence):
    def register(function):
        for machine in BASE_IS_SET:

            def on_machine(machine=machine):
                pair = Pair(machine)
                try:
                    function(pair)
                finally:
                    pair.close()

            tests.append((f"{machine}: {sentence}", on_machine))
        return function

    return register


# --- what is the same -----------------------------------------------------------------------------------------------


def accesses(dice, machine):
    """What both are to answer alike: one access (is it a write, port, width, value), or two that belong together."""
    sleeps = [0x2000 | kind << 10 | dice.getrandbits(2) for kind in range(8)]
    writes = [
        (STATUS, 2, dice.getrandbits(16)),
        (STATUS, 2, 0xFFFF),
        (ENABLE, 2, dice.getrandbits(16) & 0x0720),  # not the timer's: QEMU's runs by the wall clock
        (CONTROL, 2, dice.choice(sleeps)),
        (CONTROL, 2, dice.choice(sleeps) & ~0x2000),
        (ENABLE, 4, (dice.choice(sleeps) & ~0x2000) << 16 | (dice.getrandbits(16) & 0x0720)),
        (BASE + 6, 2, dice.getrandbits(16)),
        (TIMER, 4, dice.getrandbits(32)),
        (0xB2, 1, dice.choice((ACPI_ON[machine], ACPI_OFF[machine], dice.getrandbits(8)))),
        (0xB3, 1, dice.getrandbits(8)),
        (0xCF9, 1, dice.getrandbits(8)),
        (0xCF9, 1, dice.choice((0x02, 0x06, 0x0E, 0x00))),
        (0x92, 1, dice.getrandbits(2)),
        (0x64, 1, dice.choice((0xFE, 0xFF, 0xF0, 0xF1))),
        (0x64, 1, 0xD1),
        (0x60, 1, dice.choice((0xDE, 0xDF))),
        (0x505, 1, dice.getrandbits(8)),
    ]
    reads = [(STATUS, 2), (STATUS, 1), (ENABLE, 2), (CONTROL, 2), (CONTROL, 1), (STATUS, 4), (ENABLE, 4)]
    reads += [(BASE + 6, 2), (BASE + 12, 4), (0xB2, 1), (0xB3, 1), (0xCF9, 1), (0x92, 1), (0x505, 1), (0xCF8, 4)]
    if machine == "pc":
        writes += [(0xAFE0 + dice.randrange(4), 1, dice.getrandbits(8))]
        reads += [(0xAFE0 + dice.randrange(4), 1), (0xAFE0, 4), (BASE + 0x20, 4), (BASE + 0x3C, 4)]
    else:
        writes += [(BASE + 0x20 + dice.randrange(16), 1, dice.getrandbits(8)), (BASE + 0x28, 4, dice.getrandbits(32))]
        reads += [(BASE + 0x20 + dice.randrange(16), 1), (BASE + 0x20, 4), (BASE + 0x28, 4), (BASE + 0x30, 4), (BASE + 0x34, 4)]
    if dice.random() < 0.5:
        return [(False, *dice.choice(reads), None)]
    write = dice.choice(writes)
    if write[0] == 0x64 and write[2] == 0xD1:
        return [(True, *write), (True, 0x60, 1, dice.choice((0xDE, 0xDF)))]
    return [(True, *write)]


def one_sequence(pair, dice):
    """Both are asked the same, until something has changed what they are; what was done, for whoever looks for a difference."""
    done = []
    n = dice.randrange(4, 24)
    for is_write, port, width, value in (one for _ in range(n) for one in accesses(dice, pair.machine)):
        done.append(f"out{' bw l'[width]} {port:#x} {value:#x}" if is_write else f"in{' bw l'[width]} {port:#x}")
        if not is_write:
            mask = ~1 if port == STATUS else ~0  # the timer's, in QEMU, goes by the wall clock
            theirs, ours = pair.both(lambda side: side.read(port, width) & mask)
            assert theirs == ours, f"QEMU reads {theirs:#x}, vmpower-vmm {ours:#x}, at the end of: {'; '.join(done)}"
            continue
        pair.both(lambda side: side.write(port, value, width))
        theirs, ours = pair.both(Side.heard)
        assert theirs == ours, f"of QEMU was heard {theirs}, of vmpower-vmm {ours}, at the end of: {'; '.join(done)}"
        if theirs[1] and theirs[1] != [("GUEST_PANICKED", None, None, "run")] and theirs[1] != [("GUEST_CRASHLOADED", None, None, "run")]:
            return True
    return False


@on_both_machines(f"{N_SEQUENCES} random sequences of accesses: every read, every event, every interrupt is the same")
def sequences(pair):
    seed = random.randrange(1 << 32)
    print(f"# seed {seed}")
    dice = random.Random(seed)
    n_changed = 0
    for _ in range(N_SEQUENCES):
        n_changed += one_sequence(pair, dice)
        pair.begin_again()
    # A check of the check: a good part of them came to a reset, a sleep or an end.
    assert n_changed > N_SEQUENCES / 4, n_changed


@on_both_machines("each sleep type, each reset, pvpanic: the events in their order, and what is left")
def each_request(pair):
    rows = [
        ((CONTROL, 0x2000, 2), "shutdown", ["SHUTDOWN", "STOP"]), ((CONTROL, 0x2001, 2), "shutdown", ["SHUTDOWN", "STOP"]),
        ((CONTROL, 0x2400, 2), "suspended", ["SUSPEND"]), ((CONTROL, 0x2800, 2), "shutdown", ["SUSPEND_DISK", "SHUTDOWN", "STOP"]),
        ((CONTROL, 0x2C00, 2), "running", []), ((CONTROL, 0x3C00, 2), "running", []),
        ((0xCF9, 0x06, 1), "running", ["RESET"]), ((0x64, 0xFE, 1), "running", ["RESET"]), ((0x92, 0x01, 1), "running", ["RESET"]),
        ((0x505, 0x01, 1), "running", ["GUEST_PANICKED"]), ((0x505, 0x02, 1), "running", ["GUEST_CRASHLOADED"]),
    ]  # fmt: skip
    for (port, value, width), status, names in rows:
        pair.both(lambda side: side.write(port, value, width))
        theirs, ours = pair.both(Side.heard)
        assert theirs == ours and (ours[0], [event[0] for event in ours[1]]) == (status, names), (hex(port), hex(value), theirs, ours)
        pair.begin_again()


@on_both_machines("an action reboot=shutdown makes a guest's reset a SHUTDOWN with the reset's reason; panic=pause stops a panicked one")
def actions(pair):
    pair.both(lambda side: side.ask("set-action", reboot="shutdown"))
    pair.both(lambda side: side.write(0xCF9, 0x06, 1))
    theirs, ours = pair.both(Side.heard)
    assert theirs == ours and ours[1][0] == ("SHUTDOWN", True, "guest-reset", None), (theirs, ours)
    pair.both(lambda side: side.ask("set-action", reboot="reset", panic="pause"))
    pair.begin_again()
    pair.both(lambda side: side.write(0x505, 1, 1))
    theirs, ours = pair.both(Side.heard)
    assert theirs == ours and ours[0] == "guest-panicked", (theirs, ours)
    assert pair.both(lambda side: "error" in side.ask("cont")) == (False, False)
    theirs, ours = pair.both(Side.heard)
    assert theirs == ours and ours[0] == "running", (theirs, ours)
    pair.both(lambda side: side.write(CONTROL, 0x2000))
    assert pair.both(lambda side: "error" in side.ask("cont")) == (True, True)


@on_both_machines("the monitor: stop, cont, powerdown, reset, wakeup without a sleep")
def monitor(pair):
    for command in ("stop", "stop", "cont", "cont", "system_powerdown", "system_reset", "system_wakeup", "no-such-command"):
        theirs, ours = pair.both(lambda side: list(side.ask(command)))
        assert theirs == ours, (command, theirs, ours)
        theirs, ours = pair.both(Side.heard)
        assert theirs[:2] == ours[:2], (command, theirs, ours)


@on_both_machines("a button that the guest has enabled interrupts it, until it clears the status")
def button(pair):
    pair.both(lambda side: side.write(ENABLE, 0x0100))
    pair.both(lambda side: side.ask("system_powerdown"))
    theirs, ours = pair.both(Side.heard)
    assert theirs == ours and ours[2] == ["IRQ raise 9"], (theirs, ours)
    assert pair.both(lambda side: side.read(STATUS)) == (0x0100, 0x0100)
    pair.both(lambda side: side.write(STATUS, 0x0100))
    theirs, ours = pair.both(Side.heard)
    assert theirs == ours and ours[2] == ["IRQ lower 9"], (theirs, ours)


# --- the timer: QEMU's goes by the wall clock, ours by qtest's ------------------------------------------------------


@on_both_machines("the timer counts at the same rate, in 24 bits, and sets its status when the highest bit changes")
def timer(pair):
    began, first = time.monotonic(), pair.qemu.read(TIMER, 4)
    time.sleep(0.5)
    span, ticks = time.monotonic() - began, (pair.qemu.read(TIMER, 4) - first) & 0xFFFFFF
    assert abs(ticks / span / HZ - 1) < 0.05, (ticks, span)
    half_s = (1 << 23) / HZ
    for _ in range(3):
        pair.qemu.write(STATUS, 1)
        while not pair.qemu.read(STATUS) & 1:
            time.sleep(0.01)
        # It was just now that the bit has changed: the rest of the count is small.
        assert (pair.qemu.read(TIMER, 4) & 0x7FFFFF) / HZ < 0.5

    # Ours, to the tick.
    own = pair.own
    now = int(own.test("clock_step 0").split()[1])
    own.write(STATUS, 1)
    to_go = int(half_s * 1e9) - now % int(half_s * 1e9)
    assert own.read(TIMER, 4) == now * HZ // 10**9 & 0xFFFFFF
    own.test(f"clock_step {to_go - 1000000}")
    assert not own.read(STATUS) & 1
    own.test("clock_step 2000000")
    assert own.read(STATUS) & 1
    own.write(STATUS, 1)
    assert not own.read(STATUS) & 1
    own.write(ENABLE, 1)
    own.test("clock_step")
    assert own.read(STATUS) & 1 and own.interrupts[-1] == "IRQ raise 9"
    assert own.read(TIMER, 4) & 0x7FFFFF == 0


# --- what is not: docs/machine.md ------------------------------------------------------------------------------------


def differs(sentence, do, theirs, ours):
    @on_both_machines(f"differs: {sentence}")
    def shown(pair):
        seen = pair.both(do)
        assert seen == (theirs, ours), f"QEMU: {seen[0]!r}, vmpower-vmm: {seen[1]!r}"


def byte_writes(side):
    side.write(CONTROL, 0x0401)
    side.write(CONTROL + 1, 0x08, 1)
    high = side.read(CONTROL)
    side.write(CONTROL, 0x0401)
    side.write(CONTROL, 0x02, 1)
    return high, side.read(CONTROL)


def byte_reads(side):
    side.write(CONTROL, 0x0401)
    side.write(ENABLE, 0x0720)
    return side.read(CONTROL + 1, 1), side.read(ENABLE + 1, 1)


def byte_slp_en(side):
    side.write(CONTROL + 1, 0x20, 1)
    return side.heard()[0]


def status_by_bytes(side):
    side.write(ENABLE, 0x0100)
    side.ask("system_powerdown")
    side.write(STATUS + 1, 0x01, 1)
    return side.read(STATUS)


def reserved(side):
    side.write(CONTROL, 0xDFFF)
    side.write(ENABLE, 0xFFFE)
    return side.read(CONTROL), side.read(ENABLE)


def not_enabled(side):
    side.ask("system_powerdown")
    return side.read(STATUS)


def pressed_asleep(side):
    side.write(CONTROL, 0x2400)
    side.heard()
    side.ask("system_powerdown")
    side.settle()
    return side.status


def woken(side, machine):
    side.write(CONTROL, 0x2400)
    side.heard()
    side.ask("system_wakeup")
    side.settle()
    side.set_base(machine)
    return side.read(STATUS)


def after_a_reset(side, machine):
    side.write(0xCF9, 0x06, 1)
    side.heard()
    for address, value in BASE_IS_SET[machine]:
        side.write(0xCF8, address, 4)
        side.write(0xCFC, value, 4)
    return side.read(STATUS)


def a20_after_a_reset(side):
    side.write(0x92, 0x02, 1)
    side.write(0xCF9, 0x06, 1)
    side.heard()
    return side.read(0x92, 1)


def smi_after_a_reset(side):
    side.write(0xB2, 0x11, 1)
    side.write(0xB3, 0x22, 1)
    side.write(0xCF9, 0x06, 1)
    side.heard()
    return side.read(0xB2, 1), side.read(0xB3, 1)


def keyboard_after_a_reset(side):
    side.write(0x64, 0xD1, 1)
    side.write(0xCF9, 0x06, 1)
    side.heard()
    side.write(0x60, 0xDE, 1)
    return [event[0] for event in side.heard()[1]]


def other_command(side):
    side.write(0x64, 0xD1, 1)
    side.write(0x64, 0x20, 1)
    side.write(0x60, 0xDE, 1)
    return [event[0] for event in side.heard()[1]]


def half_an_address(side):
    side.write(0xCF8, 0x80000B40, 4)
    side.write(0xCF9, 0x00, 1)
    return side.read(0xCF8)


differs("a byte written to PM1 control is that byte; QEMU takes it for the whole, or for the low one", byte_writes, (0x0008, 0x0002), (0x0801, 0x0402))
differs("the high byte of a PM1 register is read as it is", byte_reads, (0x01, 0x00), (0x04, 0x07))
differs("SLP_EN is written with its byte alone, too", byte_slp_en, "running", "shutdown")
differs("status is cleared by bytes, too", status_by_bytes, 0x0100, 0x0000)
differs("what is reserved, or only written (GBL_RLS), reads as 0", reserved, (0xDFFF, 0xFFFE), (0x1C03, 0x0720))
differs("a power button's status is set whether or not it is enabled", not_enabled, 0x0000, 0x0100)
differs("a port of one byte answers for one byte", lambda side: side.read(0x505), 0x0303, 0xFF03)
differs("the configuration address is read by 32 bits only", half_an_address, 0x0B40, 0x00FF)
differs("a reset puts the SMI command port back", smi_after_a_reset, (0x11, 0x22), (0x00, 0x00))
differs("a reset forgets half a command to the keyboard controller", keyboard_after_a_reset, ["RESET"], [])
differs("another command to the keyboard controller takes the place of half a one", other_command, ["RESET"], [])
differs("the power button wakes a machine that sleeps", pressed_asleep, "suspended", "running")
differs("a reset puts port 0x92 back, A20 and all", a20_after_a_reset, 0x02, 0x00)
for machine in BASE_IS_SET:

    def on_wake(machine=machine):
        pair = Pair(machine)
        try:
            seen = pair.both(lambda side: woken(side, machine))
            assert seen == (0x8100, 0x8000), [hex(value) for value in seen]
        finally:
            pair.close()

    def on_reset(machine=machine):
        pair = Pair(machine)
        try:
            seen = pair.both(lambda side: after_a_reset(side, machine))
            assert seen == (0x0001, 0x0000), [hex(value) for value in seen]
        finally:
            pair.close()

    tests.append((f"{machine}: differs: who wakes a machine by the monitor has pressed no power button", on_wake))
    tests.append((f"{machine}: differs: after a reset the timer has not carried yet", on_reset))

if __name__ == "__main__":
    only = os.environ.get("VMPOWER_TEST", "")
    run([one for one in tests if only in one[0]])
