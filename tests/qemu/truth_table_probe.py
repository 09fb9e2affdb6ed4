#!/usr/bin/env python3
"""Each row of the truth table that a QEMU can show without an operating system, by the probe ROM (guests/README.md)."""

import os
import signal
import sys

from world import *

DESTROYED, CRASHED, HOST, FAILED, HALTED, UNKNOWN = 11, 10, 12, 13, 14, 15  # exit statuses of `run`

POWERED_OFF = ("on_poweroff", "destroy", "done")
REBOOTED = ("on_reboot", "restart", "by-vmm")
LOOK = 0.3  # seconds between two looks at the vCPUs
QUICK_LOOK = ["--policy", f"halt_after={LOOK}"]


class Vm:
    """One VM on one kind of machine, the user's monitor connected to it."""

    def __init__(self, world, kind, accelerator):
        self.world = world
        self.kind, self.accelerator = kind, accelerator

    def probe(self, action, *words, then=None, delay_ms=None, options=(), monitor=True):
        words = [*probe(action, then, delay_ms, self.kind, self.accelerator), *words]
        return self.start(words, options, monitor)

    def start(self, words, options=(), monitor=True):
        self.monitor = self.world.monitor() if monitor else None
        self.run = self.world.run(*words, *(self.monitor.option if monitor else []), options=options)
        if monitor:
            self.monitor.connect()
        return self

    def running(self):
        """vmpower starts the VM once it listens; before that, `stop` would mean nothing."""
        while self.monitor.status() == "prelaunch":
            self.monitor.wait_event("RESUME")
        return self

    def ends(self, *statuses):
        """It ends, run exits with one of these, and the verdict file, `why` and `history` agree.  Returns the history."""
        exit_status = self.run.wait()
        assert exit_status in statuses, f"exit status {exit_status}, not {statuses}"
        history = self.world.history("vm")
        last = self.world.why()
        assert self.run.verdict() == last == history[-1]
        assert self.run.own_lines()[-1] == "vmpower: " + last["summary"]
        for verdict in history:
            assert verdict["vm"]["name"] == "vm" and verdict["vm"]["backend"] == "qemu"
            check_form(verdict)
        return history


def row(sentence, kinds=("pc", "q35"), accelerators=("tcg",), todo=None):
    """A test on each of these machines."""

    def register(function):
        for accelerator in accelerators:
            for kind in kinds:

                def on_machine(world, kind=kind, accelerator=accelerator):
                    if accelerator == "kvm" and not kvm_is_usable():
                        raise Skip("/dev/kvm cannot be used")
                    function(Vm(world, kind, accelerator))

                test(f"{kind}, {accelerator}: {sentence}", todo)(on_machine)
        return function

    return register


BOTH = ("tcg", "kvm")


# --- the guest, on its own ------------------------------------------------------------------------------------------


@row("a soft off (S5) is the guest's power-off", accelerators=BOTH)
def soft_off(vm):
    (off,) = vm.probe("s5", monitor=False).ends(0)
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone", rule="guest-poweroff", decision=POWERED_OFF, actor=None, count=1)
    assert off["vm"]["uuid"] is None and off["revises"] is None
    (shutdown,) = evidence_of(off, "shutdown", "qmp")
    assert shutdown["proof"] and shutdown["data"] == {"guest": True, "reason": "guest-shutdown"}
    assert evidence_of(off, "exited", "process")[0]["data"]["exit_status"] == 0


@row("suspend to disk (S4) is a hibernation", accelerators=BOTH)
def suspend_to_disk(vm):
    (off,) = vm.probe("s4", monitor=False).ends(0)
    says(off, "hibernate", "guest", "acpi-s4", True, left="gone", decision=None)


@row("suspend to RAM (S3), and woken by somebody whom nobody saw", accelerators=BOTH)
def suspend_to_ram(vm):
    vm.probe("s3", then="s5")
    vm.monitor.wait_status("suspended", "SUSPEND")
    vm.run.wait_verdict(transition="suspend", left="suspended")
    vm.monitor.ask("system_wakeup")
    suspend, wake, off = vm.ends(0)
    says(suspend, "suspend", "guest", "acpi-s3", True, left="suspended", decision=None)
    says(wake, "wake", "unknown", "acpi-s3", None, left="running", decision=None)
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone")


@row("a VM that is killed in its sleep was destroyed")
def killed_asleep(vm):
    vm.probe("s3")
    vm.run.wait_verdict(transition="suspend")
    vm.monitor.quit()
    suspend, destroyed = vm.ends(DESTROYED)
    says(destroyed, "destroy", "operator", "qmp-quit", False, left="gone")


def reboots(way):
    def reboots_by(vm):
        reboot, off = vm.probe(way, then="s5", monitor=False).ends(0)
        says(reboot, "reboot", "guest", "guest-reset", None, left="running", decision=REBOOTED, count=1)
        says(off, "poweroff", "guest", "acpi-s5", True, left="gone", decision=POWERED_OFF)

    return reboots_by


row("a reset by port 0xcf9 is the guest's reboot", accelerators=BOTH)(reboots("reset-cf9"))
row("a reset by the 8042 is the guest's reboot")(reboots("reset-8042"))
row("a reset by port 0x92 is the guest's reboot")(reboots("reset-port92"))
row("a triple fault, as QMP tells it, is a reboot", accelerators=BOTH)(reboots("triple-fault"))


@row("with -no-reboot a reboot ends the VM, and that is what its owner wanted")
def no_reboot(vm):
    (reboot,) = vm.probe("reset-cf9", "-no-reboot", monitor=False).ends(0)
    says(reboot, "reboot", "guest", "guest-reset", None, left="gone", decision=("on_reboot", "destroy", "done"))


@row("-action reboot=shutdown is the same")
def reboot_shuts_down(vm):
    (reboot,) = vm.probe("reset-8042", "-action", "reboot=shutdown", monitor=False).ends(0)
    says(reboot, "reboot", "guest", "guest-reset", None, left="gone", decision=("on_reboot", "destroy", "done"))


@row("thousands of resets are one reboot with a count, and few rows of evidence")
def reset_loop(vm):
    vm.probe("reset-loop")
    for _ in range(2000):
        vm.monitor.wait_event("RESET")
    vm.monitor.quit()
    loop, end = vm.ends(DESTROYED, UNKNOWN)
    says(loop, "reboot", "guest", "guest-reset", None, left="running", decision=REBOOTED)
    if not evidence_of(end, "shutdown"):
        # On a busy machine a QEMU ends before all that it says is read, and takes the rest with it: its reason, too.
        says(end, "unknown", "unknown", "process-exit", None, left="gone", count=1)
        return
    assert loop["count"] > 1, loop["count"]
    assert loop["revises"], "the loop was told at once, and later revised"
    assert len(evidence_of(loop, "reset")) <= 18, len(evidence_of(loop, "reset"))
    (omitted,) = evidence_of(loop, "omitted")
    assert omitted["data"]["kind"] == "reset" and omitted["data"]["count"] > 1900, omitted
    says(end, "destroy", "operator", "qmp-quit", False, left="gone", count=1)


@row("a guest that has halted for good is found, and by default its VM is ended", accelerators=BOTH)
def halted(vm):
    (halt,) = vm.probe("halt", options=QUICK_LOOK, monitor=False).ends(HALTED)
    says(halt, "halt", "guest", "halted", None, left="halted", decision=("on_halt", "destroy", "done"))
    assert evidence_of(halt, "registers")[0]["data"] == {"halted": True, "vcpus": 1}


@row("with its two vCPUs too, of which one never started", kinds=("pc",))
def halted_smp(vm):
    (halt,) = vm.probe("halt", "-smp", "2", options=QUICK_LOOK, monitor=False).ends(HALTED)
    says(halt, "halt", "guest", "halted", None, left="halted")


@row("the same with the look that is the default", kinds=("pc",))
def halted_by_default(vm):
    (halt,) = vm.probe("halt", monitor=False).ends(HALTED)
    says(halt, "halt", "guest", "halted", None, left="halted")


def never_halted(action):
    def is_never_called_halted(vm):
        vm.probe(action, options=QUICK_LOOK).running()
        # The looks leave no trace to wait for: let four of them pass.
        vm.monitor.stays_silent(4 * LOOK, "SHUTDOWN")
        vm.monitor.quit()
        (destroyed,) = vm.ends(DESTROYED)
        says(destroyed, "destroy", "operator", "qmp-quit", False, left="gone")

    return is_never_called_halted


row("an idle guest is never called halted", accelerators=BOTH)(never_halted("idle"))
row("a guest that spins is never called halted", kinds=("pc",))(never_halted("spin"))


@row("halt_after=0 never looks", kinds=("pc",))
def never_looks(vm):
    vm.probe("halt", options=["--policy", "halt_after=0"]).running()
    vm.monitor.stays_silent(1, "SHUTDOWN")
    vm.monitor.quit()
    (destroyed,) = vm.ends(DESTROYED)
    says(destroyed, "destroy", "operator", "qmp-quit", False)


@row("a paused VM is not looked at", kinds=("pc",))
def paused_is_not_halted(vm):
    vm.probe("halt", options=["--policy", "halt_after=0.5"]).running()
    vm.monitor.ask("stop")
    vm.monitor.stays_silent(1.2, "SHUTDOWN")
    vm.monitor.quit()
    pause, destroyed = vm.ends(DESTROYED)
    says(pause, "pause", "operator", "qmp-stop", None, left="paused")


@row("isa-debug-exit is the guest's way out")
def debug_exit(vm):
    (off,) = vm.probe("debug-exit", "-device", "isa-debug-exit,iobase=0xf4,iosize=4", monitor=False).ends(0)
    says(off, "poweroff", "guest", "debug-exit", None, left="gone", decision=POWERED_OFF)
    assert evidence_of(off, "exited")[0]["data"]["exit_status"] == 33


# --- the power button -----------------------------------------------------------------------------------------------


@row("the guest obeys the power button: the operator's power-off", accelerators=BOTH)
def button_obeyed(vm):
    vm.probe("button-obey").run.stdout.wait_for("probe: ready")
    vm.monitor.ask("system_powerdown")
    (off,) = vm.ends(0)
    says(off, "poweroff", "operator", "power-button", True, left="gone", decision=POWERED_OFF)
    is_ours_or_unseen(off)


@row("the guest ignores the power button, and is ended")
def button_ignored(vm):
    vm.probe("button-ignore").run.stdout.wait_for("probe: ready")
    vm.monitor.ask("system_powerdown")
    vm.run.stdout.wait_for("probe: button ignored")
    vm.monitor.quit()
    (destroyed,) = vm.ends(DESTROYED)
    says(destroyed, "destroy", "operator", "qmp-quit", False, left="gone")
    assert evidence_of(destroyed, "powerdown"), "the button is shown"


@row("the guest reboots on the power button")
def button_reboots(vm):
    vm.probe("button-reset", then="s5").run.stdout.wait_for("probe: ready")
    vm.monitor.ask("system_powerdown")
    reboot, off = vm.ends(0)
    says(reboot, "reboot", "operator", "power-button", None, left="running", decision=REBOOTED)
    # The button is answered: what the guest does afterwards is its own.
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone")


@row("a button too long ago is not obeyed but remembered", kinds=("pc",))
def button_long_ago(vm):
    patience = ["--policy", "button_certain=0.1", "--policy", "button_likely=0.2"]
    vm.probe("s5", delay_ms=2500, options=patience).running()
    vm.monitor.ask("system_powerdown")
    (off,) = vm.ends(0)
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone", confidence="likely")
    assert evidence_of(off, "powerdown")


# --- panic ----------------------------------------------------------------------------------------------------------

PVPANIC = ("-device", "pvpanic")


@row("a panic that the panic device tells is a crash", accelerators=BOTH)
def panic(vm):
    (crash,) = vm.probe("panic", *PVPANIC, monitor=False).ends(CRASHED)
    says(crash, "crash", "guest", "panic-device", False, left="gone", decision=("on_crash", "destroy", "done"))


@row("-action panic=pause keeps the VM, whoever ends it afterwards")
def panic_paused(vm):
    vm.probe("panic", *PVPANIC, "-action", "panic=pause")
    vm.run.wait_verdict(transition="crash", left="paused")
    assert vm.monitor.status() == "guest-panicked"
    vm.monitor.quit()
    (crash,) = vm.ends(CRASHED)
    says(crash, "crash", "guest", "panic-device", False, left="paused", decision=("on_crash", "preserve", "none"))


@row("-action panic=none lets the guest run, and policy ends it")
def panic_ignored(vm):
    (crash,) = vm.probe("panic", *PVPANIC, "-action", "panic=none", monitor=False).ends(CRASHED)
    says(crash, "crash", "guest", "panic-device", False, left="running", decision=("on_crash", "destroy", "done"))


@row("-no-shutdown keeps a VM that has panicked")
def panic_no_shutdown(vm):
    vm.probe("panic", *PVPANIC, "-no-shutdown", options=["--policy", "on_crash=leave"])
    vm.run.wait_verdict(transition="crash", left="paused")
    vm.monitor.quit()
    (crash,) = vm.ends(CRASHED)
    says(crash, "crash", "guest", "panic-device", False, left="paused", decision=("on_crash", "leave", "none"))


@row("an explicit on_crash=preserve pauses a VM that has panicked")
def panic_preserved(vm):
    vm.probe("panic", *PVPANIC, options=["--policy", "on_crash=preserve"])
    vm.run.wait_verdict(transition="crash", left="paused")
    assert vm.monitor.status() == "guest-panicked"
    vm.monitor.quit()
    (crash,) = vm.ends(CRASHED)
    says(crash, "crash", "guest", "panic-device", False, decision=("on_crash", "preserve", "none"))


@row("a crash kernel takes over, dumps and reboots: one crash, and by default nobody ends it")
def crash_kernel(vm):
    vm.probe("crashload", *PVPANIC, then="s5", monitor=False)
    crash, off = vm.ends(0)
    says(crash, "crash", "guest", "panic-device", False, left="running", decision=("on_crash", "leave", "none"))
    says(off, "poweroff", "guest", "acpi-s5", True)


@row("a crash kernel is ended if its owner says so", kinds=("pc",))
def crash_kernel_ended(vm):
    (crash,) = vm.probe("crashload", *PVPANIC, options=["--policy", "on_crash=destroy"], monitor=False).ends(CRASHED)
    says(crash, "crash", "guest", "panic-device", False, left="running", decision=("on_crash", "destroy", "done"))


# --- the watchdog ---------------------------------------------------------------------------------------------------

WATCHDOG = ("-device", "ib700")


@row("the watchdog resets")
def watchdog_reset(vm):
    vm.probe("watchdog", *WATCHDOG)
    vm.run.wait_verdict(transition="reboot")
    vm.monitor.quit()
    reboot, _ = vm.ends(DESTROYED)
    says(reboot, "reboot", "guest", "watchdog", False, left="running", decision=REBOOTED)


@row("the watchdog resets a VM that shall not reboot: exit status 10")
def watchdog_reset_ends(vm):
    (reboot,) = vm.probe("watchdog", *WATCHDOG, "-no-reboot", monitor=False).ends(CRASHED)
    says(reboot, "reboot", "guest", "watchdog", False, left="gone", decision=("on_reboot", "destroy", "done"))


@row("the watchdog powers off")
def watchdog_poweroff(vm):
    (off,) = vm.probe("watchdog", *WATCHDOG, "-action", "watchdog=poweroff", monitor=False).ends(CRASHED)
    says(off, "poweroff", "guest", "watchdog", False, left="gone")


@row("the watchdog pauses")
def watchdog_pause(vm):
    vm.probe("watchdog", *WATCHDOG, "-action", "watchdog=pause")
    vm.run.wait_verdict(transition="pause", left="paused")
    vm.monitor.quit()
    pause, destroyed = vm.ends(DESTROYED)
    says(pause, "pause", "guest", "watchdog", False, left="paused")
    says(destroyed, "destroy", "operator", "qmp-quit", False, left="gone")


def watchdog_without_end(action):
    def lets_the_vm_run(vm):
        # It says so once: not before the monitor listens.
        vm.probe("watchdog", *WATCHDOG, "-action", f"watchdog={action}", delay_ms=500)
        vm.monitor.wait_event("WATCHDOG")
        vm.monitor.quit()
        (destroyed,) = vm.ends(DESTROYED)
        says(destroyed, "destroy", "operator", "qmp-quit", False, left="gone")
        assert evidence_of(destroyed, "watchdog")[0]["data"]["action"] == action

    return lets_the_vm_run


for action in ("shutdown", "debug", "none", "inject-nmi"):
    row(f"the watchdog's action {action} ends nothing by itself", kinds=("pc",))(watchdog_without_end(action))


# --- from the host, by its monitor ----------------------------------------------------------------------------------


@row("system_reset is the operator's reboot", accelerators=BOTH)
def system_reset(vm):
    vm.probe("idle").run.stdout.wait_for("probe: idle")
    vm.monitor.ask("system_reset")
    vm.run.wait_verdict(transition="reboot")
    vm.monitor.quit()
    reboot, _ = vm.ends(DESTROYED)
    says(reboot, "reboot", "operator", "qmp-reset", False, left="running", decision=REBOOTED, count=1)


@row("system_reset of a VM that shall not reboot ends it", kinds=("pc",))
def system_reset_ends(vm):
    vm.probe("idle", "-no-reboot").run.stdout.wait_for("probe: idle")
    vm.monitor.ask("system_reset")
    (reboot,) = vm.ends(0)
    says(reboot, "reboot", "operator", "qmp-reset", False, left="gone", decision=("on_reboot", "destroy", "done"))


@row("SeaBIOS resets once more after system_reset: still one reboot, the operator's")
def system_reset_by_firmware(vm):
    debug = ["-chardev", "stdio,id=bios", "-device", "isa-debugcon,iobase=0x402,chardev=bios"]
    vm.start([*machine(vm.kind, vm.accelerator), *debug])
    vm.run.stdout.wait_for("No bootable device")
    vm.monitor.ask("system_reset")
    assert [vm.monitor.wait_event("RESET")["data"]["guest"] for _ in range(2)] == [False, True]
    vm.run.stdout.wait_for("No bootable device", count=2)
    vm.monitor.quit()
    reboot, destroyed = vm.ends(DESTROYED)
    says(reboot, "reboot", "operator", "qmp-reset", False, left="running", count=1)


@row("quit destroys", accelerators=BOTH)
def quit(vm):
    vm.probe("idle").running().monitor.quit()
    (destroyed,) = vm.ends(DESTROYED)
    says(destroyed, "destroy", "operator", "qmp-quit", False, left="gone", decision=None)
    is_ours_or_unseen(destroyed)


@row("stop and cont are the operator's pause and resume", accelerators=BOTH)
def stop_and_cont(vm):
    vm.probe("idle").running()
    vm.monitor.ask("stop")
    vm.run.wait_verdict(transition="pause")
    vm.monitor.ask("cont")
    vm.run.wait_verdict(transition="resume")
    vm.monitor.quit()
    pause, resume, _ = vm.ends(DESTROYED)
    says(pause, "pause", "operator", "qmp-stop", None, left="paused", decision=None)
    says(resume, "resume", "operator", "qmp-stop", None, left="running", decision=None)


@row("-no-shutdown holds a VM that powered itself off; a quit then is cleaning up")
def held_then_quit(vm):
    vm.probe("s5", "-no-shutdown")
    vm.run.wait_verdict(transition="poweroff", left="off")
    assert vm.monitor.status() == "shutdown"
    vm.monitor.quit()
    (off,) = vm.ends(0)
    says(off, "poweroff", "guest", "acpi-s5", True, left="off", decision=("on_poweroff", "preserve", "none"))


@row("-no-shutdown, and a signal then is cleaning up, too", kinds=("pc",))
def held_then_killed(vm):
    vm.probe("s5", "-no-shutdown")
    vm.run.wait_verdict(transition="poweroff", left="off")
    os.kill(vm.monitor.pid, signal.SIGTERM)
    (off,) = vm.ends(0)
    # Closer than 10 ms the order of two sources is only likely.
    says(off, "poweroff", "guest", "acpi-s5", True, left="off", confidence=off["confidence"])


@row("a held VM that is reset and continued lives again, and may power itself off again")
def held_then_reset(vm):
    vm.probe("s5", "-no-shutdown")
    first = vm.run.wait_verdict(transition="poweroff", left="off")
    vm.monitor.ask("system_reset")
    vm.run.wait_verdict(transition="reboot")
    vm.monitor.ask("cont")
    vm.run.wait_verdict(transition="poweroff", left="off")
    vm.monitor.quit()
    history = vm.ends(0)
    says(history[0], "poweroff", "guest", "acpi-s5", True, left="off")
    says(history[1], "reboot", "operator", "qmp-reset", False)
    says(history[-1], "poweroff", "guest", "acpi-s5", True, left="off")
    assert history[-1]["id"] != first["id"]
    assert [v["transition"] for v in history[2:-1]] in ([], ["resume"]), story(history)


@row("migrated away")
def migrated(vm):
    vm.probe("idle").running()
    vm.monitor.ask("migrate", uri="exec:cat >/dev/null")
    vm.run.wait_verdict(transition="migrate")
    assert vm.monitor.status() == "postmigrate"
    vm.monitor.quit()
    (migrate,) = vm.ends(0)
    says(migrate, "migrate", "operator", "migration", None, decision=None)


@row("migrated away and told to quit at once")
def migrated_and_quit(vm):
    vm.probe("idle").running()
    vm.monitor.ask("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])
    vm.monitor.ask("migrate", uri="exec:cat >/dev/null")
    while vm.monitor.wait_event("MIGRATION")["data"]["status"] != "completed":
        pass
    vm.monitor.quit()
    (migrate,) = vm.ends(0)
    says(migrate, "migrate", "operator", "migration", None, confidence=migrate["confidence"])


# --- from the host, by signals --------------------------------------------------------------------------------------


def asked_by(name):
    def is_the_operators(vm):
        vm.probe("idle").running()
        os.kill(vm.monitor.pid, getattr(signal, name))
        (destroyed,) = vm.ends(DESTROYED)
        says(destroyed, "destroy", "operator", "signal", False, left="gone", decision=None)
        # The sender, who is still there: this test.
        actor = destroyed["actor"]
        assert actor["pid"] == os.getpid(), actor
        assert actor["uid"] == os.getuid(), actor
        assert actor["comm"] == comm_of(os.getpid()), actor
        assert actor["exe"] == os.readlink("/proc/self/exe"), actor
        assert actor["via"] == name, actor
        assert actor["parents"][0]["pid"] == os.getppid(), actor
        assert f"terminating on signal {int(getattr(signal, name))} from pid {os.getpid()} " in vm.run.stderr.text()

    return is_the_operators


row("SIGTERM, and who sent it", accelerators=BOTH)(asked_by("SIGTERM"))
row("SIGINT, and who sent it")(asked_by("SIGINT"))
row("SIGHUP, and who sent it")(asked_by("SIGHUP"))


@row("the sender of SIGTERM is named by QEMU even when it is gone", kinds=("pc",))
def asked_by_the_dead(vm):
    vm.probe("idle").running()
    killer = popen(["/bin/sh", "-c", f"kill {vm.monitor.pid}"], env=vm.world.environment)
    pid = killer.pid
    assert killer.wait() == 0
    (destroyed,) = vm.ends(DESTROYED)
    says(destroyed, "destroy", "operator", "signal", False)
    assert destroyed["actor"]["pid"] == pid and destroyed["actor"]["via"] == "SIGTERM", destroyed["actor"]


@row("SIGKILL, whose sender nobody saw, is likely an operator's", accelerators=BOTH)
def killed(vm):
    vm.probe("idle").running()
    os.kill(vm.monitor.pid, signal.SIGKILL)
    (destroyed,) = vm.ends(DESTROYED)
    says(destroyed, "destroy", "operator", "signal", False, confidence="likely", left="gone", actor=None)
    assert evidence_of(destroyed, "killed")[0]["data"]["name"] == "SIGKILL"


@row("SIGQUIT ends it", kinds=("pc",))
def quit_by_signal(vm):
    vm.probe("idle").running()
    os.kill(vm.monitor.pid, signal.SIGQUIT)
    (destroyed,) = vm.ends(DESTROYED)
    says(destroyed, "destroy", "operator", "signal", False, left="gone", confidence=destroyed["confidence"])


def faults(name):
    def is_the_vmms(vm):
        vm.probe("idle").running()
        os.kill(vm.monitor.pid, getattr(signal, name))
        (failure,) = vm.ends(FAILED)
        says(failure, "failure", "vmm", "signal", False, left="gone", confidence="likely", actor=None)
        assert evidence_of(failure, "killed")[0]["data"]["name"] == name

    return is_the_vmms


row("SIGSEGV is the VMM's own failure", accelerators=BOTH)(faults("SIGSEGV"))
row("SIGABRT is the VMM's own failure")(faults("SIGABRT"))


@row("SIGSTOP and SIGCONT are the operator's pause and resume", accelerators=BOTH)
def stopped_by_signal(vm):
    vm.probe("idle").running()
    os.kill(vm.monitor.pid, signal.SIGSTOP)
    vm.run.wait_verdict(transition="pause")
    os.kill(vm.monitor.pid, signal.SIGCONT)
    vm.run.wait_verdict(transition="resume")
    vm.monitor.quit()
    pause, resume, destroyed = vm.ends(DESTROYED)
    says(pause, "pause", "operator", "signal", None, left="paused")
    says(resume, "resume", "operator", "signal", None, left="running")
    says(destroyed, "destroy", "operator", "qmp-quit", False)


@row("a stopped VM that is killed was paused, then destroyed", kinds=("pc",))
def killed_while_stopped(vm):
    vm.probe("idle").running()
    os.kill(vm.monitor.pid, signal.SIGSTOP)
    vm.run.wait_verdict(transition="pause")
    os.kill(vm.monitor.pid, signal.SIGKILL)
    pause, destroyed = vm.ends(DESTROYED)
    says(destroyed, "destroy", "operator", "signal", False, confidence="likely", left="gone")


# --- the host and the VMM -------------------------------------------------------------------------------------------


@row("an I/O error that stops the VM is the host's pause")
def io_error(vm):
    rules = vm.world.write("rules", '[inject-error]\nevent = "read_aio"\nerrno = "5"\n')
    disk = vm.world.path("disk")
    with open(disk, "wb") as file:
        file.truncate(1 << 20)
    drive = f"if=none,id=disk,format=raw,file=blkdebug:{rules}:{disk},werror=stop,rerror=stop"
    # SeaBIOS reads the boot sector.
    vm.start([*machine(vm.kind, vm.accelerator), "-drive", drive, "-device", "ide-hd,drive=disk"])
    vm.run.wait_verdict(transition="pause")
    assert vm.monitor.status() == "io-error"
    vm.monitor.quit()
    pause, destroyed = vm.ends(DESTROYED)
    says(pause, "pause", "host", "io-error", None, left="paused", decision=None)
    assert evidence_of(pause, "block-io-error")[0]["data"] == {"action": "stop", "device": "disk"}
    says(destroyed, "destroy", "operator", "qmp-quit", False)


def dies_at_start(*words):
    def is_a_failure(world):
        alone = popen([QEMU, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = alone.communicate(timeout=PATIENCE)
        run = world.run(QEMU, *words)
        assert run.wait() == FAILED
        assert run.stdout.wait_for_end() == out
        stderr = run.stderr.wait_for_end()
        verdict = world.why()
        # Byte for byte what QEMU says alone, and then our line.
        assert stderr == err + f"vmpower: {verdict['summary']}\n".encode(), (stderr, err)
        says(verdict, "failure", "vmm", "process-exit", False, left="gone", actor=None, decision=None)
        messages = [e["data"]["text"] for e in evidence_of(verdict, "message", "stderr")]
        assert messages == err.decode().splitlines(), messages
        assert evidence_of(verdict, "exited")[0]["data"]["exit_status"] == alone.returncode == 1
        assert any(message in verdict["summary"] for message in messages), verdict["summary"]

    return is_a_failure


test("a QEMU that does not know its option failed, and says so itself")(dies_at_start("-display", "none", "-nonsense"))
test("a QEMU that does not know its machine failed, and says so itself")(dies_at_start("-M", "nonsense"))
test("a QEMU whose disk is not there failed, and says so itself")(
    dies_at_start("-display", "none", "-drive", "file=/nonexistent/disk,format=raw")
)


@test("a machine that needs an accelerator that is not there failed")
def no_accelerator(world):
    run = world.run(*machine(accelerator="xen"))
    assert run.wait() == FAILED
    says(world.why(), "failure", "vmm", "process-exit", False, left="gone")


# --- APM ------------------------------------------------------------------------------------------------------------


def apm(kind):
    image = os.path.join(GUESTS, "apm.img")
    return [*machine(kind), "-m", "4", "-drive", f"file={image},format=raw,if=floppy,readonly=on"]


@row("a power-off by APM looks like one by ACPI")
def apm_gone(vm):
    (off,) = vm.start(apm(vm.kind), monitor=False).ends(0)
    says(off, "poweroff", "guest", "acpi-s5", True, left="gone")


@row("held, a power-off by APM is told apart")
def apm_held(vm):
    vm.start([*apm(vm.kind), "-action", "shutdown=pause"])
    vm.run.wait_verdict(transition="poweroff", left="off")
    vm.monitor.quit()
    (off,) = vm.ends(0)
    says(off, "poweroff", "guest", "apm", True, left="off", decision=("on_poweroff", "preserve", "none"))
    assert evidence_of(off, "pm1-control")[0]["data"] == {"value": 0}


@row("an explicit on_poweroff=preserve holds the VM, so that ACPI is told from APM")
def preserved(vm):
    vm.probe("s5", options=["--policy", "on_poweroff=preserve"])
    vm.run.wait_verdict(transition="poweroff", left="off")
    vm.monitor.quit()
    (off,) = vm.ends(0)
    says(off, "poweroff", "guest", "acpi-s5", True, left="off", decision=("on_poweroff", "preserve", "none"))
    assert evidence_of(off, "pm1-control")[0]["data"] == {"value": 1}


# --- the OOM killer -------------------------------------------------------------------------------------------------


def make_cgroup(world, limit):
    """A memory cgroup below our own, with that limit; v1 or v2."""
    if os.getuid() != 0:
        raise Skip("making a memory cgroup needs root")
    with open("/proc/self/cgroup", encoding="ascii") as file:
        lines = [line.strip().split(":", 2) for line in file]
    v1 = [path for _, controllers, path in lines if "memory" in controllers.split(",")]
    name = os.path.basename(world.directory)
    if v1:
        base, knob = "/sys/fs/cgroup/memory" + v1[0], "memory.limit_in_bytes"
    else:
        base, knob = "/sys/fs/cgroup" + lines[0][2], "memory.max"
    if not os.path.isdir(base):
        base = base[: -len((v1 or [lines[0][2]])[0])]  # a container that sees its own root
    path = os.path.join(base, name)
    try:
        os.mkdir(path)
    except OSError as error:
        raise Skip(f"a cgroup cannot be made: {error}") from None
    world.later(os.rmdir, path)
    try:
        with open(os.path.join(path, knob), "w", encoding="ascii") as file:
            file.write(str(limit))
    except OSError as error:
        raise Skip(f"a memory limit cannot be set: {error}") from None
    return path


def oom_wrapper(world):
    group = make_cgroup(world, 96 << 20)
    return world.script("limited", f'#!/bin/sh\necho $$ >"{group}/cgroup.procs"\nexec "$@"\n')


def starve(monitor):
    """Make QEMU itself want more than it may have."""
    try:
        monitor.ask("object-add", qom_type="memory-backend-ram", id="greed", size=256 << 20, prealloc=True)
    except (EOFError, ConnectionError):
        return
    raise Skip("the limit of the cgroup does not hold here")


@row("the OOM killer of the VM's cgroup takes it", kinds=("pc",))
def oom(vm):
    vm.start([oom_wrapper(vm.world), *probe("idle")]).running()
    starve(vm.monitor)
    (destroyed,) = vm.ends(HOST)
    says(destroyed, "destroy", "host", "oom-kill", False, left="gone", confidence="likely", actor=None)
    assert evidence_of(destroyed, "oom-kill", "process")[0]["data"]["count"] == 1


@row("the OOM killer takes it before it has a monitor", kinds=("pc",))
def oom_at_start(vm):
    vm.start([oom_wrapper(vm.world), *probe("idle"), "-m", "256", "-mem-prealloc"], monitor=False)
    (destroyed,) = vm.ends(HOST)
    says(destroyed, "destroy", "host", "oom-kill", False, left="gone", confidence="likely", actor=None)


if __name__ == "__main__":
    sys.exit(main())
