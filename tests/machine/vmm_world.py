"""vmpower-vmm on this machine's own /dev/kvm: a VM of the test's own, driven by QMP.

    VMM            vmpower-vmm
    VMPOWER_GUESTS where probe.rom, kernel and kernel.bz are
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from tap import Skip, run

VMM = os.environ["VMM"]
GUESTS = os.environ["VMPOWER_GUESTS"]
ROM = os.path.join(GUESTS, "probe.rom")
PATIENCE = 20
# AMD's: where a CPU was that has faulted three times is not known (arch/x86/kvm/svm/svm.c, shutdown_interception()).
KVM_RESETS_ON_FAULT = os.path.exists("/sys/module/kvm_amd")

tests = []
started = []  # processes, of the test that runs


def test(sentence):
    def register(function):
        tests.append((sentence, function))
        return function

    return register


def on_kvm(sentence):
    def register(function):
        def on_it():
            if not os.access("/dev/kvm", os.R_OK | os.W_OK):
                raise Skip("/dev/kvm cannot be used")
            with tempfile.TemporaryDirectory(prefix="vmpower-vmm-") as directory:
                try:
                    function(directory)
                finally:
                    while started:
                        process = started.pop()
                        process.kill()
                        process.wait()

        tests.append((sentence, on_it))
        return function

    return register


def probe(action, then=None):
    """The options with which it runs the probe ROM."""
    words = ["--bios", ROM, "--memory", "2"]
    for name, text in (("action", action), ("then", then)):
        if text:
            words += ["--fw-cfg", f"opt/vmpower/{name}={text}"]
    return words


class Machine:
    """A vmpower-vmm; its CPUs begin once its monitor is connected, and these actions are set."""

    def __init__(self, directory, *words, **actions):
        self.qmp = os.path.join(directory, "qmp")
        self.console = os.path.join(directory, "console")
        command = [VMM, "--paused", "--serial", "file:" + self.console, "--qmp", self.qmp, *words]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        started.append(self.process)
        deadline = time.monotonic() + PATIENCE
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(self.qmp)
                break
            except OSError:
                self.socket.close()
                assert time.monotonic() < deadline and self.process.poll() is None, self.process.stderr.read()
                time.sleep(0.005)
        self.socket.settimeout(PATIENCE)
        self.file = self.socket.makefile("r")
        self.events = []
        assert "QMP" in json.loads(self.file.readline())
        self.ask("qmp_capabilities")
        assert self.status() == "prelaunch" and "error" not in self.ask("set-action", **actions)
        self.ask("cont")
        assert self.events.pop(0)["event"] == "RESUME"

    def _read(self):
        """The next message; None at the end."""
        line = self.file.readline()
        return json.loads(line) if line else None

    def ask(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        while True:
            message = self._read()
            if "event" not in message:
                return message
            self.events.append(message)

    def wait(self, name):
        """The next event of that name, and what is heard until then is taken off."""
        while True:
            message = self.events.pop(0) if self.events else self._read()
            assert message, f"its monitor has ended without {name}"
            if message.get("event") == name:
                return message.get("data")

    def ends(self, status=0):
        """What it said until it ended."""
        while message := self._read():
            self.events.append(message)
        assert self.process.wait(PATIENCE) == status, self.process.returncode
        said = self.process.stderr.read().decode()
        self.process.stderr.close()
        self.socket.close()
        return [(event["event"], event.get("data")) for event in self.events], said

    def status(self):
        return self.ask("query-status")["return"]["status"]

    def printed(self):
        with open(self.console, encoding="ascii") as file:
            return file.read()

    def wait_printed(self, words):
        deadline = time.monotonic() + PATIENCE
        while words not in self.printed():
            assert time.monotonic() < deadline, self.printed()
            time.sleep(0.005)

    def cpu_s(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def says(words, status, complaint, **named):
    """It does not begin, and says why in one line."""
    done = subprocess.run([VMM, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False, **named)
    assert done.returncode == status and complaint in done.stderr and done.stderr.count("\n") == 1, (words, done)


def run_all():
    only = os.environ.get("VMPOWER_TEST", "")
    run([one for one in tests if only in one[0]])
