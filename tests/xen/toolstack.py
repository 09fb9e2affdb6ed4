"""Domains of libvirt's, by its libxl driver: it looks after them, and vmpowerd tells why they stop, and leaves them alone.

Beside each verdict is what libvirt itself tells of it (virsh event).
"""

import sys

from domains import *
from daemon_world import *

# libvirt's least CPU has VME, which QEMU's emulation has not: it would not know this host's, and not begin.
LEAST_CPU = "/usr/share/libvirt/cpu_map/x86_486.xml"

DOMAIN = """<domain type="xen">
<name>{name}</name>
<memory unit="MiB">{memory}</memory>
<os>
  <type>linux</type>
  <kernel>{lab}/guest-kernel</kernel>
  <initrd>{lab}/guest-initrd</initrd>
  <cmdline>{quiet} vmpower.action={action}</cmdline>
</os>
<on_poweroff>destroy</on_poweroff>
<on_reboot>{on_reboot}</on_reboot>
<on_crash>destroy</on_crash>
<devices><console type="pty"/></devices>
</domain>
"""


class Libvirt:
    """A libvirtd, and one who listens to its events."""

    def __init__(self, world):
        directory = world.path("libvirt")
        os.mkdir(directory)
        with open(LEAST_CPU, encoding="utf-8") as file:
            text = file.read()
        assert "<feature name='vme'/>" in text, text
        # The machine's own file is not touched: this lies over it, in dom0 alone.
        subprocess.run(["mount", "--bind", world.write("least-cpu.xml", text.replace("<feature name='vme'/>", "")), LEAST_CPU], check=True)
        world.later(lambda: subprocess.run(["umount", LEAST_CPU], check=True))
        configuration = world.write("libvirtd.conf", f'unix_sock_dir = "{directory}"\nlog_outputs = "3:file:{directory}/log"\n')
        self.log, silent = directory + "/log", {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = popen(["libvirtd", "--config", configuration, "--pid-file", directory + "/pid"], **silent)
        self.words = ["virsh", "-q", "-c", f"xen:///system?socket={directory}/libvirt-sock"]
        self.listener = None
        world.later(self.close)
        deadline = time.monotonic() + PATIENCE
        while not os.path.exists(directory + "/libvirt-sock"):
            assert self.process.poll() is None and time.monotonic() < deadline, self.said()
            time.sleep(0.1)
        self.listener = popen([*self.words, "event", "--event", "lifecycle", "--loop"], **{**silent, "stdout": subprocess.PIPE})
        self.events = Stream(self.listener.stdout.fileno())

    def said(self):
        with open(self.log, encoding="utf-8", errors="replace") as file:
            return file.read()

    def virsh(self, *words):
        process = popen([*self.words, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        told, _ = process.communicate(timeout=PATIENCE)
        assert process.returncode == 0, (told, self.said())

    def create(self, world, name, action="idle", on_reboot="restart"):
        self.virsh("create", world.write(name + ".xml", DOMAIN.format(name=name, memory=MEMORY_MIB, lab=LAB, quiet=QUIET_PV, action=action, on_reboot=on_reboot)))

    @staticmethod
    def wait_booted(name):
        wait_for_content(f"/var/log/xen/console/guest-{name}.log", "vmpower-init: idle")

    def close(self):
        for process in filter(None, (self.listener, self.process)):
            process.terminate()
            process.wait()
        if self.listener:
            self.events.thread.join()
            self.listener.stdout.close()


@test("libvirt's: powered off, crashed, begun again, shut down and destroyed by virsh; each is told, and left to libvirt")
def _(world):
    world.environment["VMPOWER_TRACE"] = "yes"
    libvirt = Libvirt(world)
    daemon = Daemon(world)
    world.later(lambda: [xl("destroy", name, status=None) for name in ("off", "panics", "asked", "killed", "again")])
    for name, action in (("off", "poweroff"), ("panics", "panic"), ("asked", "idle"), ("killed", "idle")):
        libvirt.create(world, name, action)
    libvirt.wait_booted("asked")
    libvirt.virsh("shutdown", "asked")
    libvirt.virsh("destroy", "killed")
    libvirt.create(world, "again", "reboot")
    first = wait_listed(world, "again")["instance"]
    daemon.wait_told("again")
    wait_listed(world, "again", lambda vm: vm and vm["instance"] != first)
    libvirt.virsh("destroy", "again")
    verdicts = {}
    for name, stopped in (("off", "Shutdown"), ("panics", "Crashed"), ("asked", "Shutdown"), ("killed", "Destroyed"), ("again", "Shutdown")):
        libvirt.events.wait_for(f"domain '{name}': Stopped {stopped}\n".encode())
        daemon.wait_told(name)
        verdicts[name] = world.history(name)[0]
    # It is paused first, which is told if somebody looks just then.
    if verdicts["killed"]["transition"] == "pause":
        daemon.wait_told("killed", 2)
        verdicts["killed"] = world.history("killed")[1]
    says(verdicts["off"], "poweroff", "guest", "xen-shutdown", True, decision=("on_poweroff", "leave", "none"))
    says(verdicts["panics"], "crash", "guest", "xen-shutdown", False, decision=("on_crash", "leave", "none"))
    says_asked(verdicts["asked"], "poweroff", decision=("on_poweroff", "leave", "none"))
    # A process of libvirtd's, which libxl makes of one of its threads for that.
    says(verdicts["killed"], "destroy", "operator", "xen-destroy", False, left="gone")
    actor = verdicts["killed"]["actor"]
    assert actor["exe"].endswith("/libvirtd") and actor["parents"][0] == {"pid": libvirt.process.pid, "comm": "libvirtd"}, actor
    says(verdicts["again"], "reboot", "guest", "xen-shutdown", None, decision=("on_reboot", "leave", "none"))
    assert verdicts["again"]["vm"]["instance"] == first, verdicts["again"]
    daemon.stop()


if __name__ == "__main__":
    sys.exit(main())
