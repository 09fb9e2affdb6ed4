#!/usr/bin/env python3
"""Debian's stock kernel on our machine and on a QEMU's, under KVM: each way in which it ends, sleeps and begins again, and the verdict on it.

    VMM            vmpower-vmm

QEMU's guests that reset are judged with the kernel's tracepoints, vmpower-vmm's by what it says itself.  Where the two differ is written down: QEMU_DIFFERS.
"""

import os
import sys
from datetime import datetime

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "qemu"))
from daemon_world import *
from linux_guest import *

VMM = os.environ["VMM"]
MODULES = ("button", "evdev", "pvpanic", "pvpanic-mmio")
# What a kernel says of an ACPI that is not as it should be.
COMPLAINTS = ("ACPI Error", "ACPI Warning", "ACPI Exception", "ACPI BIOS", "Firmware Bug", "firmware bug")
HALT_NOTICED_WITHIN_S = 2
BUSY_S = 2  # what it may take longer in here, where the monitor itself is slow
IF = 0x200  # in RFLAGS: interrupts are let in
CPU = re.compile(r"[ER]SP=([0-9a-f]+).*?[ER]FL=([0-9a-f]+) [^\n]*HLT=(\d)", re.DOTALL)
A_LOOP_S = 11  # reboots closer than ten seconds are told as one that loops

OFF = ("poweroff", "guest", "acpi-s5", True)
HALTED = ("halt", "guest", "halted", None)
SLEEPS, WOKEN, WAKES = ("suspend", "guest", "acpi-s3", True), ("wake", "operator", "acpi-s3", None), ("wake", "unknown", "acpi-s3", None)


def reset(way):
    return ("reboot", "guest", way, None)


# transition, initiator, mechanism, graceful
ROWS = {
    "woken by the monitor": WOKEN,
    "woken by its real-time clock": WAKES,
    "woken by its power button": WAKES,
    "reboot": reset("reset-cf9"),
    "reboot=a": reset("reset-cf9"),
    "reboot=k": reset("reset-8042"),
    "reboot=p": reset("reset-cf9"),
    "reboot=t": reset("triple-fault"),
    "power button": ("poweroff", "operator", "power-button", True),
    "poweroff": OFF,
    "halt": HALTED,
    "poweroff, acpi=off": HALTED,
    "panic": ("crash", "guest", "panic-device", False),
}

# In QEMU 7.2, with SeaBIOS 1.16.
QEMU_DIFFERS = {
    # The power button of a machine that sleeps is pressed, and that is all: acpi_pm1_evt_power_down() in hw/acpi/core.c.
    "piix4": {"woken by its power button": None, "reboot": reset("reset-8042"), "reboot=a": reset("reset-8042")},  # and its FADT has no reset register
    "ich9": {"woken by its power button": None},
}
# Its firmware wakes without giving the ICH9 its PM base back: from then on its guest's ACPI writes to nowhere.
QEMU_COMPLAINTS = {("ich9", "woken by its real-time clock"): ["ACPI Error: Could not disable RealTimeClock events"]}

# Its firmware's own ways to reset once more: docs/how-a-vm-stops.md.
FIRMWARES = ("reset-cf9", "triple-fault")

# The kernel's own names for what reboot= chooses by a letter: kernel/reboot.c.
WAYS = {"reboot=a": "acpi", "reboot=k": "kbd", "reboot=p": "pci"}


def at_s(verdict):
    return datetime.fromisoformat(verdict["time"][:26] + "+00:00").timestamp()


def without_firmwares(verdicts):
    """Without the reboots that are sooner after the guest's own than it asks for one: its firmware's, and late."""
    found = []
    for verdict in verdicts:
        if verdict["transition"] == "reboot" and found and found[-1]["transition"] == "reboot" and at_s(verdict) - at_s(found[-1]) < A_LOOP_S - 1:
            assert (verdict["initiator"], verdict["vm"]["backend"]) == ("guest", "qemu") and verdict["mechanism"] in FIRMWARES, brief(verdict)
            continue
        found.append(verdict)
    return found


class Ours:
    name, backend, tracepoints, counts = "vmpower-vmm", "vmpower-vmm", "no", (1,)

    @staticmethod
    def command(_, machine, n_cpus):
        return [VMM, "--machine", machine, "--cpus", n_cpus, "--memory", 128, "--serial", "stdio"]

    @staticmethod
    def standstill(_):
        return None

    @staticmethod
    def guest(append):
        return ["--kernel", kernel("cloud-amd64"), "--initrd", initrd("init", *modules_of("cloud-amd64", MODULES)), "--append", append]

    @staticmethod
    def held(name, path):
        return ["--name", name, "--qmp", path, "--paused"]

    @staticmethod
    def row(_, sentence):
        return ROWS[sentence]

    @staticmethod
    def complaints(*_):
        return []


class Qemus:
    name, backend, tracepoints = "QEMU", "qemu", "yes"
    # Its firmware resets once more, or twice: one reboot, but in here that may come so late that it is a firmware start of its own, and
    # in a way of its own: without_firmwares().
    counts = (1, 2, 3)

    @staticmethod
    def command(world, machine, n_cpus):
        kind = {"piix4": "pc", "ich9": "q35"}[machine]
        own = ["-qmp", f"unix:{world.path('own.qmp')},server=on,wait=off"]
        return [QEMU, "-M", kind, "-accel", "kvm", "-smp", n_cpus, "-m", 128, "-nodefaults", "-display", "none", "-serial", "stdio", "-device", "pvpanic", *own]

    @staticmethod
    def standstill(world):
        """
        What the guest's processors say, if none of them gets on and one goes round with its interrupts off. A processor that this host emulates takes an interrupt, now and then, although it must not: seen once in
        some fifty starts, on a host of two, where the interrupt's own work then waited for what it had interrupted (timekeeper_lock). Nothing here can do that to a QEMU's guest.
        """
        try:
            monitor = world.dial(world.path("own.qmp"))
        except OSError:
            return None  # it is not there any more
        looks = []
        for _ in range(3):
            looks.append(monitor.ask("human-monitor-command", command_line="info registers -a"))
            time.sleep(1)
        states = [[(stack, int(flags, 16) & IF, halted) for stack, flags, halted in CPU.findall(look)] for look in looks]
        stand = states[0] == states[1] == states[2]
        return looks[0] if stand and any((flag, halted) == (0, "0") for _, flag, halted in states[0]) else None

    @staticmethod
    def guest(append):
        return ["-kernel", kernel("cloud-amd64"), "-initrd", initrd("init", *modules_of("cloud-amd64", MODULES)), "-append", append]

    @staticmethod
    def held(name, path):
        return ["-name", name, "-qmp", f"unix:{path},server=on,wait=off", "-S"]

    @staticmethod
    def row(machine, sentence):
        return QEMU_DIFFERS[machine].get(sentence, ROWS[sentence])

    @staticmethod
    def complaints(machine, sentence):
        return QEMU_COMPLAINTS.get((machine, sentence), [])


class Guest:
    """One that does what it is told on its console; a daemon has its monitor, and is asked for all that is done to it."""

    def __init__(self, world, vmm, machine, n_cpus):
        world.environment["VMPOWER_TRACE"] = vmm.tracepoints
        self.world, self.vmm, self.machine = world, vmm, machine
        self.name, self.path = f"linux-{next(vm_numbers)}", world.path("vm.qmp")
        command = [*vmm.command(world, machine, n_cpus), *vmm.guest(QUIET + "console"), *vmm.held(self.name, self.path)]
        named = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = popen([str(word) for word in command], env=world.environment, **named)
        self.output = Stream(self.process.stdout.fileno())
        self.pid = self.process.pid
        world.later(self._forget)
        self.n_ready = 0
        self.rows, self.reset_at = [], 0
        self.daemon = Daemon(world)
        attached(world, self)
        self.watch = Watch(world)
        self.asked("resume", ("resume", "operator", "qmp-stop", None))
        self.ready()

    def _forget(self):
        self.process.wait()
        self.output.thread.join(5)
        for file in (self.process.stdin, self.process.stdout):
            file.close()
        self.world.outputs.append((" ".join(map(str, self.process.args)), self.output.text()))

    def ready(self):
        """It takes the next line."""
        self.n_ready += 1
        self.output.wait_for("vmpower-init: ready", BOOT, self.n_ready)

    def tell(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def does(self, line):
        self.tell(line)
        self.ready()

    def says(self, line):
        """What it prints, line by line; without the place in the kernel's source."""
        begin = len(self.output.data)
        self.does(line)
        return re.findall(r"vmpower-init: log: (.*?)(?: \(\d+/[\w-]+\))?\r?\n", self.output.data[begin:].decode(errors="replace"))

    def told(self, row):
        """The next verdict has come, and is to be this one."""
        self.rows.append(row)
        deadline = time.monotonic() + PATIENCE
        with self.watch.stdout.changed:
            # A revision is news, but no other transition; in the history it stands for what it revises.
            while len(without_firmwares([v for v in self.watch.verdicts(self.name) if not v["revises"]])) < len(self.rows):
                if not self.watch.stdout.changed.wait(deadline - time.monotonic()):
                    told = self.watch.verdicts(self.name)
                    ways = [(e["time"], e["kind"], e["data"]) for verdict in told for e in verdict["evidence"] if e["source"] == "trace" or e["kind"] == "reset"]
                    raise Timeout(f"no {row}, but {story(told)}, by {ways}; it said {self.output.text()[-800:]!r}")

    def ask(self, verb):
        done = self.world.vmpower(verb, self.name)
        assert done.returncode == 0, done

    def asked(self, verb, row):
        self.ask(verb)
        self.told(row)

    def complains(self, sentence=""):
        """Its log has no word against our ACPI, but these."""
        found = self.says("log ACPI: Interpreter enabled|" + "|".join(COMPLAINTS))
        assert found == ["ACPI: Interpreter enabled", *self.vmm.complaints(self.machine, sentence)], (sentence, found)

    def sleeps(self):
        self.tell("mem")
        self.told(SLEEPS)

    def wakes(self, sentence):
        self.output.wait_for("vmpower-init: woken", BOOT, 1 + sum(row[0] == "wake" for row in self.rows[:-1]))
        self.ready()
        self.complains(sentence)

    def reboots(self, sentence):
        if sentence in WAYS:
            self.does("write /sys/kernel/reboot/type " + WAYS[sentence])
        time.sleep(max(0, self.reset_at + A_LOOP_S - time.monotonic()))
        self.tell("reboot")
        self.told(self.vmm.row(self.machine, sentence))
        self.reset_at = time.monotonic()
        self.ready()

    def history(self):
        history = self.world.history(self.name)
        for verdict in history:
            check_form(verdict)
            assert verdict["count"] in self.vmm.counts and verdict["confidence"] == "certain", brief(verdict)
            assert verdict["vm"]["backend"] == self.vmm.backend, verdict["vm"]
        return history


def _unless_spoiled(world, function, vmm, *at):
    try:
        function(world, vmm, *at)
    except Timeout as timeout:
        if found := vmm.standstill(world):
            raise Spoiled(found) from timeout
        raise


def everywhere(sentence, *places):
    """On these machines, with so many CPUs, under each monitor: a test of its own."""

    def register(function):
        for machine, n_cpus in places:
            for vmm in (Ours, Qemus):
                words = f"Linux on {machine}, {n_cpus} CPU{'s'[: n_cpus - 1]}, {vmm.name}: {sentence}"
                test(words)(lambda world, at=(vmm, machine, n_cpus): _unless_spoiled(world, function, *at))
        return function

    return register


PLACES = (("piix4", 1), ("ich9", 2))


@everywhere("the button is ignored, it sleeps and wakes in three ways, reboots in four, and obeys the button; ACPI is without a flaw to it", *PLACES)
def life(world, vmm, machine, n_cpus):
    guest = Guest(world, vmm, machine, n_cpus)
    guest.complains()

    guest.tell("button-once")
    guest.output.wait_for("vmpower-init: waiting for the power button", BOOT)
    guest.ask("shutdown")
    guest.output.wait_for("was pressed, and is ignored", BOOT)
    guest.ready()

    guest.sleeps()
    guest.asked("wake", vmm.row(machine, "woken by the monitor"))
    guest.wakes("woken by the monitor")
    guest.reboots("reboot")

    # Later than it takes to fall asleep on a busy machine: an alarm that has passed wakes nobody.
    guest.does("write /sys/class/rtc/rtc0/wakealarm +10")
    guest.sleeps()
    guest.told(vmm.row(machine, "woken by its real-time clock"))
    guest.wakes("woken by its real-time clock")
    guest.reboots("reboot=a")

    guest.sleeps()
    guest.ask("shutdown")
    if row := vmm.row(machine, "woken by its power button"):
        guest.told(row)
    else:
        time.sleep(1)
        assert listed(world, guest.name)["state"] == "suspended"
        guest.asked("wake", WOKEN)
    guest.wakes("woken by its power button")
    guest.reboots("reboot=k")
    guest.reboots("reboot=p")

    guest.tell("button-obey")
    guest.output.wait_for("vmpower-init: waiting for the power button", BOOT, 2)
    guest.asked("shutdown", vmm.row(machine, "power button"))
    wait_for_end(guest.pid)
    assert guest.process.wait() == 0
    guest.daemon.stop()
    guest.watch.wait_for_end()

    history = guest.history()
    told = [(v["transition"], v["initiator"], v["mechanism"], v["graceful"]) for v in without_firmwares(history)]
    assert told == guest.rows, "\n".join(f"{was}, not {row}" for was, row in itertools.zip_longest(told, guest.rows) if was != row)
    for verdict in history:
        asked_by = {"resume": "vmpower resume", "wake": "vmpower wake", "poweroff": "vmpower shutdown"}.get(verdict["transition"])
        if verdict["initiator"] == "operator":
            assert (verdict["actor"]["via"], verdict["actor"]["comm"]) == (asked_by, "vmpower"), verdict["actor"]
        else:
            assert verdict["actor"] is None, verdict["actor"]


def ends(sentence, action, status, append="", options=()):
    @everywhere(sentence, *PLACES)
    def ended(world, vmm, machine, n_cpus):
        # To load them takes as long as half a boot: only where QEMU itself does not know the way.
        world.environment["VMPOWER_TRACE"] = vmm.tracepoints if action == "reboot" else "no"
        run = world.run(*vmm.command(world, machine, n_cpus), *vmm.guest(f"{QUIET}{action} {append}"), options=options)
        halted = None
        if status == 14:
            run.stdout.wait_for("reboot: System halted", BOOT)
            halted = time.time()
        assert run.wait(BOOT) == status, run.stderr.text()
        (verdict,) = world.history("vm")
        assert verdict["count"] in vmm.counts, verdict["count"]
        says(verdict, *vmm.row(machine, sentence), actor=None)
        if halted and vmm is Ours:
            assert at_s(verdict) - halted < HALT_NOTICED_WITHIN_S + BUSY_S, at_s(verdict) - halted

    return ended


ends("poweroff", "poweroff", 0)
ends("halt", "halt", 14)
ends("poweroff, acpi=off", "poweroff", 14, append="acpi=off")
ends("panic", "panic", 10)
ends("reboot=t", "reboot", 0, append="reboot=t", options=["--policy", "on_reboot=destroy"])


@test("each difference that is written down is one")
def differences(_):
    assert all(row != ROWS[sentence] for rows in QEMU_DIFFERS.values() for sentence, row in rows.items())


if __name__ == "__main__":
    sys.exit(main(jobs=3))  # they wait a while, now and then
