"""libvirtd and vmpowerd side by side, each with real QEMUs of its own: the same machine, the same minutes.

The instant of an event is QEMU's own timestamp, read from a monitor of its own that each QEMU has for us; a kill's is the call's.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

from measured import HERE, PATIENCE, PROBE, Daemon, die_with_us, rss_kib, spread, until

sys.path.insert(0, os.path.join(HERE, "..", "tests/qemu"))
import private_libvirtd

QEMU = "/usr/bin/qemu-system-x86_64"

wall_ns = time.time_ns


class Monitor:
    """Our own monitor of a QEMU: what it says, with QEMU's timestamps."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        until(lambda: os.path.exists(path), path)
        self.socket.connect(path)
        self.file = self.socket.makefile("rb")
        self.file.readline()
        self.send("qmp_capabilities")
        self.events = {}
        self.changed = threading.Condition()
        self.thread = threading.Thread(target=self._read, daemon=True)
        self.thread.start()

    def _read(self):
        try:
            for line in self.file:
                message = json.loads(line)
                if "event" in message:
                    at = message["timestamp"]
                    with self.changed:
                        self.events.setdefault(message["event"], at["seconds"] * 10**9 + at["microseconds"] * 1000)
                        self.changed.notify_all()
        except ConnectionResetError:
            pass

    def send(self, command):
        try:
            self.socket.sendall(json.dumps({"execute": command}).encode() + b"\n")
        except BrokenPipeError:
            pass  # it has ended, and what it said is read

    def has_said(self, name, seconds):
        with self.changed:
            return self.changed.wait_for(lambda: name in self.events, seconds)

    def wait(self, name):
        """When QEMU says that it happened first: wall clock, in ns."""
        if not self.has_said(name, PATIENCE):
            raise TimeoutError(name)
        return self.events[name]

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.file.close()
        self.socket.close()


class Libvirt:
    """A libvirtd, and a client of it that notes when it hears of what."""

    def __init__(self):
        import libvirt

        self.libvirt = libvirt
        self.directory = tempfile.mkdtemp(prefix="vmpower-bench-libvirt-")
        words = private_libvirtd.command(self.directory)
        with open(os.path.join(self.directory, "said"), "wb") as said:
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, preexec_fn=die_with_us)
        libvirt.registerErrorHandler(lambda *_: None, None)
        libvirt.virEventRegisterDefaultImpl()
        self.connection = None
        until(self._connect, "libvirtd", step=0.1)
        with open(os.path.join(self.directory, "pid"), encoding="utf-8") as file:
            self.pid = int(file.read())
        self.heard = []  # (when, domain, what)
        self.changed = threading.Condition()
        self.connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE, self._on_lifecycle, None)
        self.connection.domainEventRegisterAny(None, libvirt.VIR_DOMAIN_EVENT_ID_REBOOT, self._on_reboot, None)
        self.is_over = False
        self.thread = threading.Thread(target=self._loop, daemon=True)
        self.thread.start()

    def _connect(self):
        try:
            self.connection = self.libvirt.open(f"qemu+unix:///system?socket={self.directory}/libvirt-sock")
        except self.libvirt.libvirtError:
            return False
        return True

    def _loop(self):
        while not self.is_over:
            self.libvirt.virEventRunDefaultImpl()

    def _note(self, name, what):
        at = wall_ns()
        with self.changed:
            self.heard.append((at, name, what))
            self.changed.notify_all()

    def _on_lifecycle(self, connection, domain, event, detail, userdata):
        names = {
            self.libvirt.VIR_DOMAIN_EVENT_SUSPENDED: "pause",
            self.libvirt.VIR_DOMAIN_EVENT_RESUMED: "resume",
            self.libvirt.VIR_DOMAIN_EVENT_SHUTDOWN: "shutdown",
            self.libvirt.VIR_DOMAIN_EVENT_STOPPED: "stopped",
        }
        self._note(domain.name(), names.get(event, str(event)))

    def _on_reboot(self, connection, domain, userdata):
        self._note(domain.name(), "reboot")

    def forget(self):
        with self.changed:
            self.heard.clear()

    def wait(self, name, what):
        deadline = time.monotonic() + PATIENCE
        with self.changed:
            while True:
                for at, who, how in self.heard:
                    if (who, how) == (name, what):
                        self.heard.remove((at, who, how))
                        return at
                if not self.changed.wait(deadline - time.monotonic()):
                    raise TimeoutError(f"libvirt said no {what} of {name}: {self.heard}")

    def start(self, name, is_paused=False):
        path = os.path.join(self.directory, f"{name}.own")
        xml = f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
          <name>{name}</name><memory unit='MiB'>2</memory><vcpu>1</vcpu>
          <os><type arch='x86_64' machine='pc'>hvm</type><loader type='rom'>{PROBE}</loader></os>
          <features><acpi/></features><on_reboot>restart</on_reboot>
          <devices><emulator>{QEMU}</emulator><controller type='usb' model='none'/><memballoon model='none'/></devices>
          <seclabel type='none'/>
          <qemu:commandline>
            <qemu:arg value='-qmp'/><qemu:arg value='unix:{path},server=on,wait=off'/>
            <qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/vmpower/action,string=button-obey'/>
            <qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/vmpower/then,string=button-obey'/>
          </qemu:commandline></domain>"""
        flags = self.libvirt.VIR_DOMAIN_START_PAUSED if is_paused else 0
        self.connection.createXML(xml, flags)
        return path

    def pid_of(self, name):
        with open(os.path.join(self.directory, f"run/qemu/{name}.pid"), encoding="utf-8") as file:
            return int(file.read())

    def destroy(self, name):
        self.connection.lookupByName(name).destroy()

    def close(self):
        for domain in self.connection.listAllDomains():
            if domain.name().startswith("bench-"):
                domain.destroy()
        self.is_over = True
        self.connection.close()
        os.kill(self.pid, signal.SIGTERM)
        self.process.wait(PATIENCE)
        shutil.rmtree(self.directory)


class Own:
    """A vmpowerd with QEMUs that it is told to attach, and a listener of its stream."""

    def __init__(self):
        self.daemon = Daemon()
        self.directory = self.daemon.directory
        self.stream = self.daemon.stream()
        self.qemus = {}
        self.pid = self.daemon.pid

    def start(self, name, is_paused=False):
        own, attached = (os.path.join(self.directory, f"{name}.{kind}") for kind in ("own", "qmp"))
        words = [QEMU, "-name", name, "-M", "pc", "-accel", "tcg", "-m", "2", "-nodefaults", "-display", "none"]
        words += ["-bios", PROBE, "-qmp", f"unix:{own},server=on,wait=off", "-qmp", f"unix:{attached},server=on,wait=off"]
        words += ["-fw_cfg", "name=opt/vmpower/action,string=button-obey"]
        words += ["-fw_cfg", "name=opt/vmpower/then,string=button-obey"] + (["-S"] if is_paused else [])
        null = subprocess.DEVNULL
        self.qemus[name] = subprocess.Popen(words, stdin=null, stdout=null, stderr=null, preexec_fn=die_with_us)
        until(lambda: os.path.exists(attached), attached)
        # It is a little late for the first listener; attach says so until QEMU listens.
        until(lambda: self._attach(name, attached), f"attach {name}")
        return own

    def forget(self):
        pass  # a verdict is found by its transition

    def _attach(self, name, path):
        try:
            self.daemon.attach(name, path, self.qemus[name].pid)
        except RuntimeError:
            return False
        return True

    def wait(self, name, what):
        """When the verdict was heard: its transition is `what`."""
        deadline = time.monotonic() + PATIENCE
        seen = 0
        while True:
            with self.stream.changed:
                while len(self.stream.heard) == seen:
                    if not self.stream.changed.wait(deadline - time.monotonic()):
                        raise TimeoutError(f"vmpowerd said no {what} of {name}")
                fresh, seen = self.stream.heard[seen:], len(self.stream.heard)
            for at, line in fresh:
                verdict = json.loads(line)
                if (verdict["vm"]["name"], verdict["transition"]) == (name, what) and not verdict["revises"]:
                    # The stream's clock is CLOCK_BOOTTIME, QEMU's is the wall.
                    return at + wall_ns() - time.clock_gettime_ns(time.CLOCK_BOOTTIME)

    def pid_of(self, name):
        return self.qemus[name].pid

    def destroy(self, name):
        self.qemus[name].kill()
        self.qemus[name].wait()

    def close(self):
        for qemu in self.qemus.values():
            qemu.kill()
            qemu.wait()
        self.daemon.close()


# The words of each for what happens: vmpowerd's transition, libvirt's event.  libvirt speaks of a power-off twice: when QEMU says so, and when
# it has cleared away; vmpowerd once, when it is sure that nothing more can come.
WORDS = {
    "pause": ("pause", "pause"),
    "resume": ("resume", "resume"),
    "reset": ("reboot", "reboot"),
    "shutdown": (None, "shutdown"),
    "poweroff": ("poweroff", "stopped"),
    "kill": ("destroy", "stopped"),
}


def power_off(own):
    """The guest obeys its button once it is up: pressed until it does."""
    own.send("system_powerdown")
    while not own.has_said("SHUTDOWN", 0.1):
        own.send("system_powerdown")


def live(side, column, name, spans):
    """One VM's life, and a second one's that is killed: how long after each event its listener has heard of it."""
    path = side.start(name)
    own = Monitor(path)
    for what, command, event in (("pause", "stop", "STOP"), ("resume", "cont", "RESUME"), ("reset", "system_reset", "RESET")):
        side.forget()
        own.send(command)
        at = own.wait(event)
        spans[what].append((side.wait(name, WORDS[what][column]) - at) / 1e6)
    power_off(own)
    at = own.wait("SHUTDOWN")
    for what in ("shutdown", "poweroff"):
        if WORDS[what][column]:
            spans[what].append((side.wait(name, WORDS[what][column]) - at) / 1e6)
    own.close()

    path = side.start(name + "-k")
    own = Monitor(path)
    at = wall_ns()
    os.kill(side.pid_of(name + "-k"), signal.SIGKILL)
    spans["kill"].append((side.wait(name + "-k", WORDS["kill"][column]) - at) / 1e6)
    own.close()


def memory_of(side, few, many):
    """KiB for each VM between so few and so many, and of the program with none."""
    none = rss_kib(side.pid)
    for i in range(many):
        if i == few:
            time.sleep(1)
            at_few = rss_kib(side.pid)
        side.start(f"bench-m{i}", is_paused=True)
    time.sleep(1)
    at_many = rss_kib(side.pid)
    for i in range(many):
        side.destroy(f"bench-m{i}")
    return {"none": none, "few": at_few, "many": at_many, "each": (at_many - at_few) / (many - few)}


def measure(quick):
    rounds, few, many = (5, 2, 12) if quick else (30, 10, 60)
    figures = {}
    for side_name, column, make in (("vmpowerd", 0, Own), ("libvirtd", 1, Libvirt)):
        side = make()
        spans = {what: [] for what in WORDS}
        try:
            for i in range(rounds):
                live(side, column, f"bench-{i}", spans)
            figures[side_name] = {"ms": {what: spread(values) for what, values in spans.items() if values}}
        finally:
            side.close()
        # A fresh one: memory of the VMs that it has now, not of those that it had.
        side = make()
        try:
            figures[side_name]["kib"] = memory_of(side, few, many)
        finally:
            side.close()
    return figures
