"""A host of our own to do anything with: Debian's stock kernel, booted by QEMU, whose processor is emulated and has AMD's virtualization, so that
there is a /dev/kvm. It reads this machine's root (9p) and writes to memory: all that is installed and built here is there, at its own place.

One of its two processors runs (the other is for who tests that one comes). A kernel patches itself by a breakpoint, whenever a tracepoint is switched, and what
QEMU 7.2 translates for one processor while another one writes there may stay as it was: then both meet that breakpoint for ever.

What it does is a shell script, its process 1, whose output and input are `lines()` and `write()`. The kernel's own words go to another console.
"""

import os
import queue
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../qemu"))
from linux_guest import QEMU, Skip, initrd, kernel, libc, modules_of

# In the order in which they need each other.
ROOT_MODULES = (
    "virtio_ring", "virtio", "virtio_pci_modern_dev", "virtio_pci_legacy_dev", "virtio_pci", "netfs", "fscache", "9pnet", "9pnet_virtio", "9p", "overlay",
)  # fmt: skip
MODULES = (
    *ROOT_MODULES, "virtio_blk", "crc32c_generic", "crc16", "mbcache", "jbd2", "ext4", "tun", "unix_diag", "irqbypass", "ccp", "kvm", "kvm-amd",
)  # fmt: skip
PR_SET_PDEATHSIG = 1
MIB = 1536
SHARED = "path=/,security_model=none,readonly=on,multidevs=remap"
LOOK_EVERY = 60  # seconds of silence
BEAT = 15  # seconds
ALIVE = "lab: alive"  # what it says so often on its console, if it BEATS
SILENCE = 500  # seconds: longer than the longest test in there may take

BEGIN = """
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t tracefs tracefs /sys/kernel/tracing
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount -t devtmpfs dev /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs run /run
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1
"""
# A program of its root's is read and run for each.
BEATS = f"""
while sleep {BEAT}; do
        echo "{ALIVE}" >/dev/console
done &
"""
# No program more: the disk that it would be read from may have gone already.
END = """
sync
echo o >/proc/sysrq-trigger
read -r forever
"""


class Lost(Exception):
    """It said nothing any more, or ended before it was to."""


class Frozen(Lost):
    """Its emulation did."""


def environment():
    """What a program in there is told, as one here is."""
    told = {name: value for name, value in os.environ.items() if name.startswith(("VMPOWER", "ASAN_", "UBSAN_")) or name in ("HOME", "XDG_CACHE_HOME", "VMM")}
    told["PATH"] = os.environ["PATH"] + ":/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin"
    return "".join(f"export {name}={shlex.quote(value)}\n" for name, value in told.items())


def _until_prompt(monitor):
    told = b""
    while not told.endswith(b"(qemu) ") and (more := monitor.recv(65536)):
        told += more
    return told.decode(errors="replace")


class Lab:
    beats = False  # whether what runs there BEATS

    def __init__(self, script, disk=None):
        kernel("amd64")
        if not shutil.which(QEMU):
            raise Skip(f"{QEMU} is not installed")
        self.directory = tempfile.mkdtemp(prefix="vmpower-lab-")
        self.console = os.path.join(self.directory, "console")
        self.monitor = os.path.join(self.directory, "monitor")
        with open(os.path.join(self.directory, "script"), "w", encoding="utf-8") as file:
            file.write(environment() + BEGIN + script + END)
        command = [
            QEMU, "-M", "q35", "-accel", "tcg,thread=multi", "-smp", "2", "-nodefaults", "-display", "none", "-no-reboot",
            "-serial", "file:" + self.console, "-serial", "stdio", "-monitor", f"unix:{self.monitor},server,nowait",
            *self.machine(f"vmpower.action=shell vmpower.script={self.directory}/script"),
            *(["-drive", f"file={disk},format=raw,if=virtio"] if disk else []),
        ]  # fmt: skip
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # It goes with us, however we end.
        self.process = subprocess.Popen(command, preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL), **streams)
        self.warnings = ""
        self.queue = queue.SimpleQueue()
        for target in (self._read, self._read_warnings):
            threading.Thread(target=target, daemon=True).start()

    def machine(self, action):
        """What it has and boots: QEMU's options."""
        return [
            "-cpu", "EPYC-v1", "-m", str(MIB), "-virtfs", f"local,{SHARED},mount_tag=root",
            "-kernel", kernel("amd64"), "-initrd", initrd("init", *modules_of("amd64", MODULES)),
            "-append", "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check tsc=reliable cryptomgr.notests maxcpus=1 " + action,
        ]  # fmt: skip

    def _read(self):
        for line in self.process.stdout:
            self.queue.put(line.decode(errors="replace").rstrip("\r\n"))
        self.queue.put(None)

    def _read_warnings(self):
        for line in self.process.stderr:
            self.warnings += line.decode(errors="replace")

    def line(self, patience=SILENCE):
        """The next one; None: it has gone down."""
        deadline = time.monotonic() + patience
        while (left := deadline - time.monotonic()) > 0:
            try:
                return self.queue.get(timeout=min(left, LOOK_EVERY))
            except queue.Empty:
                self._look()
        raise Lost(f"nothing was heard for {patience} s\n{self.said()}\n{self.stands()}")

    def write(self, text):
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def said(self):
        """The end of what its kernel has said, and QEMU."""
        with open(self.console, encoding="utf-8", errors="replace") as file:
            lines = [line for line in file.read().splitlines() if ALIVE not in line]
        return "\n".join(lines[-60:] + [line for line in self.warnings.splitlines() if "TCG doesn't support" not in line][-5:])

    def _look(self):
        """
        A processor that neither waits nor goes on: this happens where QEMU 7.2 emulates one that runs guests, and nothing in there can do it. Or all of them wait, and for ever (a Xen of which
        guests with a firmware run): not even a sleep ends any more.
        """
        silence = time.time() - os.stat(self.console).st_mtime
        if self.beats and silence > 6 * BEAT:
            raise Frozen(f"nothing in there has gone on for {silence:.0f} s\n{self.said()}\n{self.stands()}")
        seen = []
        for _ in range(4):
            seen.append(set(re.findall(r"RIP=.*HLT=0", self._ask("info registers -a"))))
            time.sleep(1)
        still = set.intersection(*seen)
        if still:
            raise Frozen(f"an emulated processor stands still: {still}\n{self.said()}")

    def _ask(self, *commands):
        """What its QEMU says, or why not."""
        try:
            with socket.socket(socket.AF_UNIX) as monitor:
                monitor.settimeout(10)
                monitor.connect(self.monitor)
                told = _until_prompt(monitor)
                for command in commands:
                    monitor.sendall(command.encode() + b"\n")
                    told += _until_prompt(monitor)
                return told
        except OSError as error:
            return f"its QEMU does not say where it stands: {error}"

    def stands(self):
        """Where its processors are, twice, and what waits for them: whether one has gone to sleep for ever."""
        told = self._ask(*(2 * ("info cpus", "info registers -a", "info lapic 0", "info lapic 1")))
        words = ("QEMU", "CPU", "RIP", "EFL", "TIMER", "LVTT", "Timer", "IRR", "ISR", "TPR", "ESR")
        return "\n".join(line.rstrip() for line in told.splitlines() if any(word in line for word in words))

    def close(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                stream.close()
            except OSError:
                pass
        shutil.rmtree(self.directory)
