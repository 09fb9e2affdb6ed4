"""Stock Linux guests under KVM, in QEMUs that have no monitor: what is known of them the kernel has told."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../qemu"))
from linux_guest import *
from trace_world import *


class Linux(Vm):
    """It is announced by KVM; `within`: a shell's line that comes before."""

    def __init__(self, world, action, append="", within=":"):
        self.world = world
        self.name = f"linux-{next(vm_numbers)}"
        command = [
            QEMU, "-name", self.name, "-M", "pc", "-accel", "kvm", "-m", "128", "-nodefaults", "-display", "none", "-serial", "stdio",
            "-kernel", kernel("cloud-amd64"), "-initrd", initrd("init"), "-append", f"{QUIET}{action} {append}",
        ]  # fmt: skip
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        self.process = popen(["sh", "-c", f'{within}; exec "$@"', "sh", *command], env=world.environment, **named)
        self.output = Stream(self.process.stdout.fileno())
        self.pid = self.process.pid
        self.instance = f"{boot_id()}:{self.pid}:{start_time_of(self.pid)}"
        world.later(self._forget)

    def is_up(self, action="idle"):
        """Its kernel has come to the init."""
        self.output.wait_for(f"vmpower-init: {action}", BOOT)
        return self


def watching(world):
    world.environment["VMPOWER_TRACE"] = "yes"
    daemon = Daemon(world)
    assert "trace" not in daemon.stderr.text(), daemon.stderr.text()
    return daemon
