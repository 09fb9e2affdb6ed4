#!/usr/bin/env python3
"""The rows of the truth table that need an operating system: Debian's stock kernels with our init (guests/README.md)."""

import os
import signal
import sys

from linux_guest import *

DESTROYED, CRASHED, HALTED = 11, 10, 14
QUICK_LOOK = ["--policy", "halt_after=0.5"]


def linux(world, kind, action, *words, append="", options=(), accelerator="tcg"):
    image = kernel("cloud-amd64")
    modules = modules_of("cloud-amd64", ("button", "evdev", "pvpanic", "pvpanic-mmio", "pvpanic-pci"))
    monitor = world.monitor()
    run = world.run(
        QEMU, "-M", kind, "-accel", accelerator, "-m", "256", "-nodefaults", "-display", "none", "-serial", "stdio",
        "-kernel", image, "-initrd", initrd("init", *modules), "-append", QUIET + action + " " + append,
        *words, *monitor.option, options=options,
    )  # fmt: skip
    monitor.connect()
    return run, monitor


def linux32(world, action, *words, modules=(), append="", options=()):
    image = kernel("i386")
    modules = [f"{CACHE}/i386/modules/{m}" for m in modules]
    monitor = world.monitor()
    run = world.run(
        QEMU, "-M", "pc", "-accel", "tcg", "-cpu", "pentium3", "-m", "256", "-nodefaults", "-display", "none",
        "-serial", "stdio", "-kernel", image, "-initrd", initrd("init32", *modules), "-append", QUIET + action + " " + append,
        *words, *monitor.option, options=options,
    )  # fmt: skip
    monitor.connect()
    return run, monitor


def ends(world, run, status):
    exit_status = run.wait(BOOT)
    assert exit_status == status, f"exit status {exit_status}, not {status}"
    history = world.history("vm")
    assert run.verdict() == history[-1] == world.why()
    return history


def both(sentence, kinds=("pc", "q35")):
    def register(function):
        for kind in kinds:
            test(f"Linux on {kind}: {sentence}")(lambda world, kind=kind: function(world, kind))
        return function

    return register


@both("poweroff")
def poweroff(world, kind):
    run, _ = linux(world, kind, "poweroff")
    (off,) = ends(world, run, 0)
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone", decision=("on_poweroff", "destroy", "done"))


@both("poweroff without ACPI is a halt", kinds=("pc",))
def poweroff_without_acpi(world, kind):
    run, _ = linux(world, kind, "poweroff", append="acpi=off", options=QUICK_LOOK)
    (halt,) = ends(world, run, HALTED)
    says(halt, "halt", "guest", "halted", None, left="halted", decision=("on_halt", "destroy", "done"))
    run.stdout.wait_for("reboot: System halted")


@both("halt")
def halt(world, kind):
    run, _ = linux(world, kind, "halt", options=QUICK_LOOK)
    (halted,) = ends(world, run, HALTED)
    says(halted, "halt", "guest", "halted", None, left="halted", decision=("on_halt", "destroy", "done"))


@both("an idle guest is not halted", kinds=("pc",))
def idle(world, kind):
    run, monitor = linux(world, kind, "button-ignore", options=["--policy", "halt_after=0.3"])
    run.stdout.wait_for("vmpower-init: waiting for the power button", BOOT)
    monitor.stays_silent(1.5, "SHUTDOWN")
    os.kill(monitor.pid, signal.SIGTERM)
    (destroyed,) = ends(world, run, DESTROYED)
    says(destroyed, "destroy", "operator", "signal", False, left="gone")


@both("reboot")
def reboot(world, kind):
    run, monitor = linux(world, kind, "reboot")
    first = run.wait_verdict(BOOT, transition="reboot")
    monitor.quit()
    history = ends(world, run, DESTROYED)
    assert story(history) == [("reboot", "guest", "guest-reset"), ("destroy", "operator", "qmp-quit")], story(history)
    says(history[0], "reboot", "guest", "guest-reset", None, left="running", decision=("on_reboot", "restart", "by-vmm"), count=1)
    assert history[0]["id"] == first["id"], "the firmware's own resets are no news"


@both("reboot with -no-reboot", kinds=("q35",))
def no_reboot(world, kind):
    run, _ = linux(world, kind, "reboot", "-no-reboot")
    (verdict,) = ends(world, run, 0)
    says(verdict, "reboot", "guest", "guest-reset", None, left="gone", decision=("on_reboot", "destroy", "done"))


@both("panic, with the panic device")
def panic(world, kind):
    run, _ = linux(world, kind, "panic", "-device", "pvpanic-pci" if kind == "q35" else "pvpanic")
    (crash,) = ends(world, run, CRASHED)
    says(crash, "crash", "guest", "panic-device", False, left="gone", decision=("on_crash", "destroy", "done"))


@both("panic=1 without the panic device looks like a reboot", kinds=("pc",))
def panic_reboots(world, kind):
    run, monitor = linux(world, kind, "panic", append="panic=1")
    run.wait_verdict(BOOT, transition="reboot")
    monitor.quit()
    verdict, _ = ends(world, run, DESTROYED)
    says(verdict, "reboot", "guest", "guest-reset", None, left="running")


@both("suspend to RAM, and woken")
def suspend(world, kind):
    run, monitor = linux(world, kind, "mem")
    run.wait_verdict(BOOT, transition="suspend", left="suspended")
    monitor.ask("system_wakeup")
    run.wait_verdict(transition="wake")
    run.stdout.wait_for("vmpower-init: woken", BOOT)
    monitor.quit()
    suspended, woken, destroyed = ends(world, run, DESTROYED)
    says(suspended, "suspend", "guest", "acpi-s3", True, left="suspended")
    says(woken, "wake", "unknown", "acpi-s3", None, left="running")
    says(destroyed, "destroy", "operator", "qmp-quit", False)


@both("the power button is obeyed")
def button_obeyed(world, kind):
    run, monitor = linux(world, kind, "button-obey")
    run.stdout.wait_for("vmpower-init: waiting for the power button", BOOT)
    monitor.ask("system_powerdown")
    (off,) = ends(world, run, 0)
    says(off, "poweroff", "operator", "power-button", True, left="gone", decision=("on_poweroff", "destroy", "done"))


@both("the power button is ignored", kinds=("q35",))
def button_ignored(world, kind):
    run, monitor = linux(world, kind, "button-ignore")
    run.stdout.wait_for("vmpower-init: waiting for the power button", BOOT)
    monitor.ask("system_powerdown")
    monitor.wait_event("POWERDOWN")
    monitor.stays_silent(0.5, "SHUTDOWN")
    monitor.quit()
    (destroyed,) = ends(world, run, DESTROYED)
    says(destroyed, "destroy", "operator", "qmp-quit", False, left="gone")
    assert evidence_of(destroyed, "powerdown")


@test("Linux on microvm: poweroff, in a way that QEMU does not name")
def microvm(world):
    # It has no timer to calibrate the TSC by.
    run, _ = linux(world, "microvm,acpi=on,pit=on,pic=on,rtc=on", "poweroff", append="tsc_early_khz=2000000")
    (off,) = ends(world, run, 0)
    says(off, "poweroff", "guest", "guest-shutdown", True, left="gone")


@test("32-bit Linux, acpi=off and apm.ko: held, it was APM")
def apm(world):
    # Once it is loaded a thread of its own takes the power-off over: arch/x86/kernel/apm_32.c, apm().
    run, monitor = linux32(world, "poweroff", "-no-shutdown", modules=["apm.ko power_off=1"], append="acpi=off vmpower.delay=1")
    run.wait_verdict(BOOT, transition="poweroff", left="off")
    monitor.quit()
    (off,) = ends(world, run, 0)
    says(off, "poweroff", "guest", "apm", True, left="off", decision=("on_poweroff", "preserve", "none"))


@test("32-bit Linux, acpi=off without apm.ko: halted")
def no_power_management(world):
    run, _ = linux32(world, "poweroff", append="acpi=off", options=QUICK_LOOK)
    (halted,) = ends(world, run, HALTED)
    says(halted, "halt", "guest", "halted", None, left="halted")


@test("32-bit Linux with ACPI: apm.ko finds no such device, and poweroff is by ACPI")
def acpi_wins(world):
    run, monitor = linux32(world, "poweroff", "-no-shutdown", modules=["apm.ko power_off=1"])
    run.wait_verdict(BOOT, transition="poweroff", left="off")
    run.stdout.wait_for("vmpower-init: apm.ko: No such device")
    monitor.quit()
    (off,) = ends(world, run, 0)
    says(off, "poweroff", "guest", "acpi-s5", True, left="off")


if __name__ == "__main__":
    sys.exit(main())
