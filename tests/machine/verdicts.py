#!/usr/bin/env python3
"""`vmpower run -- vmpower-vmm …`: the verdict on each way in which its guest's life changes, with the mechanism that QEMU could not have told.

    VMPOWER        the program
    VMM            vmpower-vmm
    HAS_SECCOMP    0: it was built without libseccomp
    VMPOWER_GUESTS where probe.rom is
"""

import ctypes
import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "qemu"))
from vmm_world import KVM_RESETS_ON_FAULT
from world import *

VMM = os.environ["VMM"]
DESTROYED, FAILED, HALTED, CRASHED = 11, 13, 14, 10


def vmm(action, then=None, *words):
    command = [VMM, "--bios", os.path.join(GUESTS, "probe.rom"), "--memory", "2", *words, "--fw-cfg", f"opt/vmpower/action={action}"]
    return command + (["--fw-cfg", f"opt/vmpower/then={then}"] if then else [])


def judged(sentence):
    """On /dev/kvm: without the kernel's tracepoints, what is known of the way is the monitor's word."""

    def register(function):
        def on_vmm(world):
            if not kvm_is_usable():
                raise Skip("/dev/kvm cannot be used")
            world.environment["VMPOWER_TRACE"] = "no"
            function(world)

        test(sentence)(on_vmm)
        return function

    return register


def ends(world, run, status):
    assert run.wait() == status, run.stderr.text()
    history = world.history("vm")
    for verdict in history:
        check_form(verdict)
        assert verdict["vm"]["backend"] == "vmpower-vmm", verdict["vm"]
    return history


def goes(action, status, *rows, then=None, words=()):
    @judged(f"{action}{' and ' + then if then else ''}{' on ' + words[1] if words else ''}")
    def gone(world):
        history = ends(world, world.run(*vmm(action, then, *words)), status)
        assert len(history) == len(rows), story(history)
        for verdict, (transition, mechanism, graceful, rule) in zip(history, rows):
            says(verdict, transition, "guest", mechanism, graceful, rule=rule, confidence="certain", actor=None)


OFF = ("poweroff", "acpi-s5", True, "guest-poweroff")
goes("s5", 0, OFF)
goes("s5", 0, OFF, words=("--machine", "ich9"))
goes("s4", 0, ("hibernate", "acpi-s4", True, "hibernate"))
goes("reset-cf9", 0, ("reboot", "reset-cf9", None, "reset-cf9"), OFF, then="s5")
goes("reset-8042", 0, ("reboot", "reset-8042", None, "reset-8042"), OFF, then="s5")
goes("reset-port92", 0, ("reboot", "reset-port92", None, "reset-port92"), OFF, then="s5")
goes("triple-fault", 0, ("reboot", "triple-fault", None, "triple-fault"), OFF, then="s5")
goes("panic", CRASHED, ("crash", "panic-device", False, "panic-device"))
goes("halt", HALTED, ("halt", "halted", None, "halted"))
goes("halt", HALTED, ("halt", "halted", None, "halted"), words=("--on-halt", "poweroff"))


@judged("a kernel that faults three times over without having meant to has crashed; one that meant to has rebooted")
def faults(world):
    crash, reboot = ("crash", False, "triple-fault-crash"), ("reboot", None, "triple-fault")
    for action, (transition, graceful, rule) in {"fault": reboot if KVM_RESETS_ON_FAULT else crash, "fault-idt": reboot}.items():
        run = world.run(VMM, "--kernel", os.path.join(GUESTS, "kernel.bz"), "--append", action, "--memory", "64", name=action)
        says(run.wait_verdict(transition=transition), transition, "guest", "triple-fault", graceful, rule=rule, confidence="certain", actor=None)
        # A crash is ended by its policy (on_crash=destroy), who rebooted would do it for ever.
        if transition == "reboot":
            os.kill(vmm_of(run), signal.SIGTERM)
        assert run.wait() == (CRASHED if transition == "crash" else DESTROYED), run.stderr.text()


def vmm_of(run):
    """The pid of the vmpower-vmm under it."""
    (pid,) = [pid for pid in descendants_of(run.pid) if comm_of(pid) == "vmpower-vmm"]
    return pid


@judged("suspend to RAM, and then ended by a signal")
def suspended(world):
    run = world.run(*vmm("s3", "s5"))
    # The signal comes so soon that which was first is only likely, later.
    says(run.wait_verdict(transition="suspend"), "suspend", "guest", "acpi-s3", True, left="suspended", confidence="certain")
    os.kill(vmm_of(run), signal.SIGTERM)
    history = ends(world, run, DESTROYED)
    says(history[0], "suspend", "guest", "acpi-s3", True, left="suspended", confidence=history[0]["confidence"])
    says(history[1], "destroy", "operator", "signal", False)


@judged("a signal to it is somebody's, who is named where it could say so")
def signals(world):
    for number, confidence in ((signal.SIGTERM, "certain"), (signal.SIGKILL, "likely")):
        run = world.run(*vmm("idle"), name=f"vm-{int(number)}")
        run.stdout.wait_for("probe: idle")
        os.kill(vmm_of(run), number)
        assert run.wait() == DESTROYED, run.stderr.text()
        (destroyed,) = world.history(f"vm-{int(number)}")
        says(destroyed, "destroy", "operator", "signal", False, left="gone", confidence=confidence)
        if number == signal.SIGTERM:
            assert destroyed["actor"]["pid"] == os.getpid(), destroyed["actor"]


@judged("one that cannot begin has failed")
def cannot_begin(world):
    run = world.run(VMM, "--bios", "/no/such/rom")
    assert run.wait() == FAILED, run.stderr.text()
    (failed,) = world.history("vm")
    says(failed, "failure", "vmm", "process-exit", False)


PTRACE_POKETEXT, PTRACE_CONT, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_ATTACH = 4, 7, 12, 13, 16
RAX, ORIG_RAX, RIP, N_REGISTERS = 10, 15, 16, 27
SYSCALL, SOCKET = 0x050F, 41


def makes_call(pid, number):
    """That process makes this system call, as if somebody had taken it over."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.restype = ctypes.c_long
    registers = (ctypes.c_ulonglong * N_REGISTERS)()

    def ptrace(request, address=0, data=0):
        assert libc.ptrace(request, pid, ctypes.c_void_p(address), ctypes.c_void_p(data)) == 0, os.strerror(ctypes.get_errno())

    ptrace(PTRACE_ATTACH)
    os.waitpid(pid, 0)
    ptrace(PTRACE_GETREGS, 0, ctypes.addressof(registers))
    ptrace(PTRACE_POKETEXT, registers[RIP], SYSCALL)
    registers[RAX], registers[ORIG_RAX] = number, 2**64 - 1
    ptrace(PTRACE_SETREGS, 0, ctypes.addressof(registers))
    ptrace(PTRACE_CONT)


@judged("one that makes a system call which it never needs is ended by the kernel, and has failed")
def is_taken_over(world):
    if os.uname().machine != "x86_64" or os.environ["HAS_SECCOMP"] == "0":
        raise Skip("needs x86_64 and libseccomp")
    run = world.run(*vmm("idle"))
    run.stdout.wait_for("probe: idle")
    pid = vmm_of(run)
    makes_call(pid, SOCKET)
    assert os.waitpid(pid, 0)[1] == signal.SIGSYS
    assert run.wait() == FAILED, run.stderr.text()
    (failed,) = world.history("vm")
    says(failed, "failure", "vmm", "signal", False, left="gone", confidence=failed["confidence"])
    assert "SIGSYS" in failed["summary"], failed["summary"]


if __name__ == "__main__":
    sys.exit(main())
