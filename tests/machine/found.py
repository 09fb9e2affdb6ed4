#!/usr/bin/env python3
"""`vmpowerd` on vmpower-vmms that it did not start: found, attached and told of like a QEMU, with the mechanism that QEMU could not have told.

    VMPOWERD       the daemon
    VMM            vmpower-vmm
    VMPOWER_HAS_TRACE  0: vmpower was built without libbpf
"""

import os
import signal
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "qemu"))
from daemon_world import *

VMM = os.environ["VMM"]


class Own(Vm):
    """A vmpower-vmm of the test's own, whose guest has begun; `path` is the one monitor that it has."""

    def __init__(self, world, action="idle", *words, delay_ms=None, says="probe: "):  # says: what its guest prints before the test goes on; None: it may not have begun
        needs_kvm()
        self.world = world
        self.name = f"o{os.getpid()}-{next(vm_numbers)}"
        self.path = world.path(f"{self.name}.qmp")
        command = [VMM, "--bios", os.path.join(GUESTS, "probe.rom"), "--memory=2", "--name", self.name, "--qmp", self.path, *words]
        command += ["--fw-cfg", f"opt/vmpower/action={action}"]
        if delay_ms is not None:
            command += ["--fw-cfg", f"opt/vmpower/delay-ms={delay_ms}"]
        self.process = popen(command, env=world.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.output = Stream(self.process.stdout.fileno())
        self.pid = self.process.pid
        self.instance = f"{boot_id()}:{self.pid}:{start_time_of(self.pid)}"
        world.later(self._forget)
        if says:
            self.output.wait_for(says)

    def history(self):
        history = super().history()
        for verdict in history:
            check_form(verdict)
            assert verdict["vm"]["backend"] == "vmpower-vmm", verdict["vm"]
        return history


@test("one that was there before the daemon is found, with all that its command line says")
def found(world):
    vm = Own(world)
    unnamed = popen([VMM, "--bios", os.path.join(GUESTS, "probe.rom"), "--serial", "none"], env=world.environment, stdin=subprocess.DEVNULL)
    daemon = Daemon(world)
    told = listed(world, vm.name)
    assert list(told) == VM_KEYS, list(told)
    expected = {"uuid": None, "backend": "vmpower-vmm", "instance": vm.instance, "pid": vm.pid, "state": "running", "monitor": None,
                "could_attach": vm.path, "sources": ["process"], "last_verdict": None}  # fmt: skip
    assert {key: told[key] for key in expected} == expected, told
    # It may have been seen by the survey, or by KVM's word a moment later.
    until("the one without a name is listed", lambda: listed(world, f"vmpower-vmm-{unnamed.pid}"))
    other = listed(world, f"vmpower-vmm-{unnamed.pid}")
    assert (other["backend"], other["could_attach"]) == ("vmpower-vmm", None), other
    unnamed.kill()
    unnamed.wait()
    vm.signal(signal.SIGKILL)
    daemon.wait_told(vm.name)
    daemon.stop()


@test("one that is born while the daemon runs is announced by the kernel, its monitor is taken, and its power-off told with its mechanism")
def born_and_taken(world):
    daemon = Daemon(world, "--take-monitors", world.path("*.qmp"))
    other = world.path("other")
    vm = Own(world, "s5", "--paused", "--qmp", other, says=None)
    until("its monitor is listed", lambda: (listed(world, vm.name) or {}).get("monitor") == vm.path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(other)
        client.sendall(b'{"execute": "qmp_capabilities"}{"execute": "cont"}')
        while client.recv(4096):
            pass
    *_, off = at_end(vm, daemon)
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone", rule="guest-poweroff", actor=None)
    (write,) = evidence_of(off, "port-write", "qmp")
    assert write["data"]["port"] == "0x604", write


@test("attached: pause, resume, reset and destroy are each told once, and by whom")
def attached_and_asked(world):
    vm = Own(world)
    daemon = Daemon(world)
    assert attached(world, vm)["sources"] == ["qmp", "process"]
    for number, verb in enumerate(("pause", "resume", "reset"), 1):
        assert world.vmpower(verb, vm.name).returncode == 0
        daemon.wait_told(vm.name, number)
    assert world.vmpower("destroy", vm.name).returncode == 0
    pause, resume, reset, destroy = at_end(vm, daemon, 4)
    for verdict, verb, row in zip((pause, resume, reset, destroy), ("pause", "resume", "reset", "destroy"), (
        ("pause", "operator", "qmp-stop", None), ("resume", "operator", "qmp-stop", None), ("reboot", "operator", "qmp-reset", False),
        ("destroy", "operator", "qmp-quit", False))):  # fmt: skip
        says(verdict, *row)
        assert (verdict["actor"]["comm"], verdict["actor"]["via"]) == ("vmpower", f"vmpower {verb}"), verdict["actor"]


@test("attached: a guest that is halted for good is told by the monitor itself, and nobody asks for registers that it has not")
def attached_and_halted(world):
    vm = Own(world, "halt", "--on-halt", "none", delay_ms=1500, says=None)
    daemon = Daemon(world)
    attached(world, vm)
    daemon.wait_told(vm.name)
    time.sleep(2.5)
    assert listed(world, vm.name)["state"] == "halted", listed(world, vm.name)
    # To end it is cleaning up.
    vm.signal(signal.SIGKILL)
    (halted,) = at_end(vm, daemon)
    says(halted, "halt", "guest", "halted", None, left="halted")


@test("attached: its power button and who pressed it, `quit` through the shared monitor and who said it, SIGTERM and who sent it")
def attached_and_ended(world):
    vms = [Own(world, "button-obey", says="probe: ready"), Own(world), Own(world)]
    daemon = Daemon(world)
    for vm in vms:
        attached(world, vm)
    assert world.vmpower("shutdown", vms[0].name).returncode == 0
    client = world.dial(shared_path(world, vms[1].name))
    client.quit()
    os.kill(vms[2].pid, signal.SIGTERM)
    for vm in vms:
        vm.is_over()
        daemon.wait_told(vm.name)
    daemon.stop()
    ((pressed,), (quit,), (terminated,)) = [vm.history() for vm in vms]
    says(pressed, "poweroff", "operator", "power-button", True, left="gone")
    assert pressed["actor"]["via"] == "vmpower shutdown", pressed["actor"]
    says(quit, "destroy", "operator", "qmp-quit", False, left="gone")
    assert (quit["actor"]["pid"], quit["actor"]["via"]) == (os.getpid(), "qmp"), quit["actor"]
    says(terminated, "destroy", "operator", "signal", False, left="gone")


@test("watched by its process alone: kill -9 is told, and after SIGTERM nobody pretends to know why")
def watched(world):
    killed, terminated = Own(world), Own(world)
    daemon = Daemon(world)
    assert listed(world, killed.name)["sources"] == ["process"]
    killed.signal(signal.SIGKILL)
    terminated.signal(signal.SIGTERM)
    for vm in (killed, terminated):
        daemon.wait_told(vm.name)
    daemon.stop()
    ((verdict,), (unknown,)) = killed.history(), terminated.history()
    says(verdict, *KILLED, confidence="likely", left="gone")
    assert unknown["transition"] == "unknown", unknown


def goes(action, row, rule, words=(), left="running"):
    @test(f"watched by process and kernel: {action} is told by what the guest wrote to its ports")
    def told(world):
        needs_kvm()
        if os.environ["VMPOWER_HAS_TRACE"] == "0":
            raise Skip("vmpower was built without libbpf")
        if os.geteuid() != 0:
            raise Skip("only root may use the kernel's tracepoints")
        world.environment["VMPOWER_TRACE"] = "yes"
        # A leak checker stops its own process at the end, and that is seen.
        world.environment["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
        daemon = Daemon(world)
        if "trace" in daemon.stderr.text():
            raise Skip("the kernel's tracepoints cannot be used here")
        vm = Own(world, action, *words, delay_ms=1500, says=None)
        until("it is listed", lambda: listed(world, vm.name))
        daemon.wait_told(vm.name)
        if left == "running":
            vm.signal(signal.SIGKILL)
            daemon.wait_told(vm.name, 2)
        vm.is_over()
        daemon.stop()
        says(vm.history()[0], *row, rule=rule, left=left, actor=None)


goes("s5", ("poweroff", "guest", "acpi-s5", True), "guest-poweroff", left="gone")
goes("s5", ("poweroff", "guest", "acpi-s5", True), "guest-poweroff", words=("--machine", "ich9"), left="gone")
goes("reset-8042", ("reboot", "guest", "reset-8042", None), "reset-8042")
goes("triple-fault", ("reboot", "guest", "triple-fault", None), "triple-fault")


if __name__ == "__main__":
    sys.exit(main())
