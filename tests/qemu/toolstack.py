#!/usr/bin/env python3
"""A toolstack that acts for somebody: a real libvirtd with its QEMUs, a virsh at its socket, and vmpowerd beside them.

The daemon that did it is named, and for whom it did it, most likely.  A libvirtd that cannot be started is a failure, not a reason to skip.
"""

import os
import shutil
import sys

import private_libvirtd
from daemon_world import *


class Libvirt:
    """A libvirtd of the test's own."""

    def __init__(self, world):
        needs_root()
        for program in ("libvirtd", "virsh"):
            assert shutil.which(program), f"{program} is not installed"
        self.world = world
        self.directory = world.path("libvirt")
        self.socket = os.path.join(self.directory, "libvirt-sock")
        os.mkdir(self.directory)
        words = private_libvirtd.command(self.directory)
        # It outlives no test, but is ended when all else is.
        self.environment = {name: value for name, value in world.environment.items() if name != "VMPOWER_TEST_WORLD"}
        named = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": self.environment}
        self.process = popen(words, **named)
        self.said = Stream(self.process.stdout.fileno())
        self.virshs = []
        world.later(self.close)
        self._wait_ready()

    def _wait_ready(self):
        deadline = time.monotonic() + PATIENCE
        while self.run("uri").returncode:
            assert self.process.poll() is None, f"libvirtd has ended: {self.said.text()}"
            assert time.monotonic() < deadline, f"libvirtd does not answer: {self.said.text()}"
            time.sleep(0.05)
        with open(os.path.join(self.directory, "pid"), encoding="ascii") as file:
            self.pid = int(file.read())

    command = property(lambda self: ["virsh", "-q", "-c", f"qemu+unix:///system?socket={self.socket}"])

    def run(self, *words):
        """One virsh, to its end."""
        return subprocess.run([*self.command, *words], env=self.environment, capture_output=True, timeout=PATIENCE, check=False)

    def done(self, *words):
        result = self.run(*words)
        assert result.returncode == 0, result
        return result.stdout.decode()

    def start(self, name, path):
        """A VM with one more monitor than libvirt's own; its pid."""
        xml = f"""<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
          <name>{name}</name><memory unit='MiB'>2</memory><vcpu>1</vcpu>
          <os><type arch='x86_64' machine='pc'>hvm</type><loader type='rom'>{GUESTS}/probe.rom</loader></os>
          <features><acpi/></features><on_reboot>restart</on_reboot>
          <devices><emulator>{shutil.which(QEMU)}</emulator><controller type='usb' model='none'/><memballoon model='none'/></devices>
          <seclabel type='none'/>
          <qemu:commandline>
            <qemu:arg value='-qmp'/><qemu:arg value='unix:{path},server=on,wait=off'/>
            <qemu:arg value='-fw_cfg'/><qemu:arg value='name=opt/vmpower/action,string=idle'/>
          </qemu:commandline></domain>"""
        self.done("create", self.world.write(f"{name}.xml", xml))
        with open(os.path.join(self.directory, f"run/qemu/{name}.pid"), encoding="ascii") as file:
            return int(file.read())

    def close(self):
        for virsh in self.virshs:
            virsh.leave()
        if self.process.poll() is None:
            for name in self.run("list", "--name").stdout.decode().split():
                self.run("destroy", name)
            os.kill(self.pid, signal.SIGTERM)
        self.process.wait()
        self.said.thread.join(5)
        self.process.stdout.close()


class Virsh:
    """A virsh that stays."""

    def __init__(self, libvirt):
        named = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "env": libvirt.environment}
        self.process = popen(libvirt.command, **named)
        self.pid = self.process.pid
        self.said = Stream(self.process.stdout.fileno())
        libvirt.virshs.append(self)
        self.say("version --daemon")
        self.said.wait_for("Running against daemon")

    def say(self, line):
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def leave(self):
        if self.process.stdin.closed:
            return
        self.process.stdin.close()
        self.process.wait()
        self.said.thread.join(5)
        self.process.stdout.close()


def is_libvirts(verdict, libvirt, client, via, confidence):
    """libvirtd did it, for that virsh."""
    actor = verdict["actor"]
    assert actor, (verdict["summary"], verdict["evidence"], libvirt.said.text())
    assert (actor["pid"], actor["comm"], actor["via"], actor["confidence"]) == (libvirt.pid, "libvirtd", via, confidence), actor
    if not client:
        assert "client" not in actor, actor
        return
    told = actor["client"]
    assert (told["pid"], told["uid"], told["user"], told["comm"]) == (client.pid, 0, "root", "virsh"), told
    assert told["cmdline"].startswith("virsh -q -c "), told
    assert f", probably for root (virsh, pid {client.pid})" in verdict["summary"], verdict["summary"]


def traces(world):
    """Who sends a signal is seen here."""
    return os.environ.get("VMPOWER_HAS_TRACE") != "0" and os.path.exists("/sys/kernel/btf/vmlinux")


def kept_beside_libvirt(world):
    libvirt = Libvirt(world)
    name, path = f"t{os.getpid()}-{next(vm_numbers)}", world.path("own.qmp")
    pid = libvirt.start(name, path)
    if traces(world):
        world.environment["VMPOWER_TRACE"] = "yes"
    daemon = Daemon(world)
    done = world.vmpower("attach", name, "--qmp", path)
    assert done.returncode == 0, done.stderr
    return libvirt, daemon, name, pid


@test("virsh suspend, resume, reset and destroy: by libvirtd, most likely for that virsh")
def virsh_does_it(world):
    libvirt, daemon, name, pid = kept_beside_libvirt(world)
    virsh = Virsh(libvirt)
    for i, command in enumerate(("suspend", "resume", "reset")):
        virsh.say(f"{command} {name}")
        daemon.wait_told(name, i + 1)
    virsh.say(f"destroy {name}")
    wait_for_end(pid)
    daemon.wait_told(name, 4)
    text = world.vmpower("why", name).stdout.decode()
    daemon.stop()
    pause, resume, reset, destroyed = world.history(name)
    says(pause, "pause", "operator", "qmp-stop", None)
    says(resume, "resume", "operator", "qmp-stop", None)
    says(reset, "reboot", "operator", "qmp-reset", False)
    says(destroyed, "destroy", "operator", "signal", False)
    for verdict in (pause, resume, reset):
        is_libvirts(verdict, libvirt, virsh, "qmp", "likely")
    if traces(world):
        is_libvirts(destroyed, libvirt, virsh, "SIGTERM", "certain")
        assert destroyed["actor"]["tid"] != libvirt.pid, destroyed["actor"]
        assert f"probably for root, pid {virsh.pid}: virsh -q -c " in text, text


@test("of two virshs it was one, and which is not known: by libvirtd")
def one_of_two(world):
    libvirt, daemon, name, pid = kept_beside_libvirt(world)
    virsh, _ = Virsh(libvirt), Virsh(libvirt)
    virsh.say(f"suspend {name}")
    daemon.wait_told(name)
    virsh.say(f"destroy {name}")
    wait_for_end(pid)
    daemon.wait_told(name, 2)
    daemon.stop()
    pause, destroyed = world.history(name)
    is_libvirts(pause, libvirt, None, "qmp", "likely")
    if traces(world):
        is_libvirts(destroyed, libvirt, None, "SIGTERM", "certain")


if __name__ == "__main__":
    sys.exit(main())
