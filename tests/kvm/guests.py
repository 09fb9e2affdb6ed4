"""Stock Linux guests under KVM that vmpower has no monitor of: who ended them, and what they did to themselves."""

from linux_vm import *


def killed_by_another(name, rule, confidence):
    @test(f"Linux: SIG{name} by a user's shell that is gone at once: who that was, of which user, and whose child")
    def _(world):
        daemon = watching(world)
        vm = Linux(world, "idle").is_up()
        user = ["setpriv", "--reuid=65534", "--inh-caps=+kill", "--ambient-caps=+kill"]
        words = f"kill -{name} {vm.pid}"
        pid = by_another(world, *user, "sh", "-c", words)
        (destroyed,) = at_end(vm, daemon)
        says(destroyed, *BY_SIGNAL, confidence=confidence, rule=rule, left="gone")
        actor = destroyed["actor"]
        assert (actor["pid"], actor["via"], actor["comm"], actor["confidence"]) == (pid, "SIG" + name, "sh", "certain"), actor
        assert (actor["uid"], actor["user"], actor["cmdline"]) == (65534, "nobody", f"sh -c '{words}'"), actor
        assert actor["parents"][0] == {"pid": os.getpid(), "comm": comm_of(os.getpid())}, actor


for killing in ("KILL", "SEGV", "ABRT"):
    killed_by_another(killing, "signal-by-someone", "certain")
for asking in ("TERM", "INT", "HUP"):
    killed_by_another(asking, "signal-exit", "likely")


@test("Linux: its QEMU dies of a fault of its own, which is nobody's signal")
def died_of_its_own(world):
    dies_of_its_own_fault(world, watching, lambda world: Linux(world, "idle").is_up())


@test("Linux: poweroff, by what it wrote to the ACPI port")
def powered_off(world):
    daemon = watching(world)
    vm = Linux(world, "poweroff")
    assert vm.is_over() == 0
    daemon.wait_told(vm.name)
    daemon.stop()
    (off,) = vm.history()
    says(off, "poweroff", "guest", "acpi-s5", True, rule="guest-poweroff", left="gone", actor=None)


def reboots(way, parameter):
    @test(f"Linux: {parameter or 'reboot as it does by itself'}: {way}, and the firmware's own reset after it is no other reboot")
    def _(world):
        daemon = watching(world)
        vm = Linux(world, "reboot", parameter)
        daemon.wait_told(vm.name)
        vm.signal(signal.SIGKILL)
        daemon.wait_told(vm.name, 2)
        daemon.stop()
        reboot, _ = vm.history()
        says(reboot, "reboot", "guest", way, None, rule=way, left="running", count=1, actor=None)


reboots("reset-8042", "")
reboots("reset-cf9", "reboot=p")
reboots("triple-fault", "reboot=t")


if __name__ == "__main__":
    sys.exit(main())
