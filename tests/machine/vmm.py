#!/usr/bin/env python3
"""vmpower-vmm on this machine's own /dev/kvm: each way in which a guest's life changes, what QMP says of it, and by which mechanism.

    VMM, VMPOWER_GUESTS, as in vmm_world.py
    HAS_SECCOMP    0: vmpower-vmm was built without libseccomp
"""

import resource
import signal

from vmm_world import *

PM1_CONTROL = 0x604


class Vm(Machine):
    """On the probe ROM."""

    def __init__(self, directory, action, *words, then=None, **actions):
        super().__init__(directory, *probe(action, then), *words, **actions)


def is_by(data, name, port=None, value=None):
    """The event's mechanism, and where the CPU was: in the ROM."""
    mechanism = data["mechanism"]
    assert mechanism["name"] == name, data
    assert (mechanism.get("port"), mechanism.get("value")) == (port, value), data
    assert mechanism["vcpu"] == 0 and 0xF0000 <= mechanism["rip"] <= 0xFFFFF, data


# --- what a guest does ----------------------------------------------------------------------------------------------


@on_kvm("power-off: SHUTDOWN says by which write, and where the CPU was; the process ends with 0")
def power_off(directory):
    events, said = Vm(directory, "s5").ends()
    ((name, data),) = events
    assert (name, data["guest"], data["reason"]) == ("SHUTDOWN", True, "guest-shutdown") and not said, (events, said)
    is_by(data, "acpi-s5", PM1_CONTROL, 0x2001)


@on_kvm("the same on the other chip's registers")
def power_off_ich9(directory):
    events, _ = Vm(directory, "s5", "--machine", "ich9").ends()
    is_by(events[0][1], "acpi-s5", PM1_CONTROL, 0x2001)


@on_kvm("hibernation: SUSPEND_DISK comes before SHUTDOWN")
def hibernation(directory):
    events, _ = Vm(directory, "s4").ends()
    assert [name for name, _ in events] == ["SUSPEND_DISK", "SHUTDOWN"], events
    is_by(events[0][1], "acpi-s4", PM1_CONTROL, 0x2801)


@on_kvm("suspend to RAM, and the monitor's wake: memory is as it was, and the chip says that it has slept")
def suspend(directory):
    vm = Vm(directory, "s3", then="s5")
    is_by(vm.wait("SUSPEND"), "acpi-s3", PM1_CONTROL, 0x2401)
    assert vm.status() == "suspended"
    # It sleeps: its CPU does nothing, and it is not taken for one that is halted for good.
    before = vm.cpu_s()
    time.sleep(2.5)
    assert vm.cpu_s() - before < 0.05 and vm.status() == "suspended"
    assert "error" not in vm.ask("system_wakeup")
    events, _ = vm.ends()
    assert [name for name, _ in events] == ["WAKEUP", "SHUTDOWN"], events
    assert "woken" in vm.printed(), vm.printed()


def resets(action, mechanism, port, value):
    @on_kvm(f"{action}: RESET says which way it was, and the guest begins anew")
    def reset(directory):
        vm = Vm(directory, action, then="s5")
        data = vm.wait("RESET")
        assert (data["guest"], data["reason"]) == (True, "guest-reset"), data
        is_by(data, mechanism, port, value)
        events, _ = vm.ends()
        assert [name for name, _ in events] == ["SHUTDOWN"], events
        assert vm.printed().count("probe: ") == 2, vm.printed()


resets("reset-cf9", "reset-cf9", 0xCF9, 0x06)
resets("reset-8042", "reset-8042", 0x64, 0xFE)
resets("reset-port92", "reset-port92", 0x92, 0x01)


@on_kvm("a triple fault is told as one")
def triple_fault(directory):
    vm = Vm(directory, "triple-fault", then="s5")
    data = vm.wait("RESET")
    mechanism = data["mechanism"]
    assert mechanism["name"] == "triple-fault" and "port" not in mechanism and ("deliberate" in mechanism) is not KVM_RESETS_ON_FAULT, data
    events, _ = vm.ends()
    assert [name for name, _ in events] == ["SHUTDOWN"], events


@on_kvm("with reboot=shutdown a reset ends it, with the reset's reason and mechanism")
def no_reboot(directory):
    events, _ = Vm(directory, "reset-8042", reboot="shutdown").ends()
    ((name, data),) = events
    assert (name, data["guest"], data["reason"]) == ("SHUTDOWN", True, "guest-reset"), events
    is_by(data, "reset-8042", 0x64, 0xFE)


@on_kvm("a panic through pvpanic, and with panic=pause it stays to be looked at")
def panic(directory):
    events, _ = Vm(directory, "panic").ends()
    assert [name for name, _ in events] == ["GUEST_PANICKED", "SHUTDOWN"], events
    assert events[0][1] == {"action": "poweroff"} and events[1][1]["reason"] == "guest-panic", events
    vm = Vm(directory, "panic", panic="pause")
    vm.wait("GUEST_PANICKED")
    vm.wait("STOP")
    assert vm.status() == "guest-panicked"
    vm.ask("quit")
    vm.ends()


@on_kvm("a guest that is halted for good is noticed within two seconds, and ended")
def halted(directory):
    vm = Vm(directory, "halt")
    vm.wait_printed("halt")
    began = time.monotonic()
    data = vm.wait("HALTED")
    span = time.monotonic() - began
    assert data == {"vcpus": 1} and span < 2.3, (data, span)
    events, _ = vm.ends()
    assert [(name, data["guest"], data["reason"]) for name, data in events] == [("SHUTDOWN", False, "guest-halted")], events


@on_kvm("with halt=none it is said once, and the guest is left as it is")
def halted_and_left(directory):
    vm = Vm(directory, "halt", halt="none")
    vm.wait("HALTED")
    before = vm.cpu_s()
    time.sleep(2.5)
    assert vm.status() == "running" and not vm.events, vm.events
    assert vm.cpu_s() - before < 0.05
    vm.ask("quit")
    vm.ends()


@on_kvm("a guest that idles with interrupts on, and one that spins, are never called halted")
def idle(directory):
    # The last one waits for its button, without a timer: it stands still, and is looked at.
    for action, words in (("idle", "idle"), ("spin", "spin"), ("button-obey", "ready")):
        vm = Vm(directory, action)
        vm.wait_printed(words)
        time.sleep(3)
        assert vm.status() == "running" and not vm.events, (action, vm.events)
        vm.ask("quit")
        assert vm.ends()[0] == [("SHUTDOWN", {"guest": False, "reason": "host-qmp-quit"})]


# --- what its host does ---------------------------------------------------------------------------------------------


@on_kvm("the power button: the guest's interrupt comes, and it obeys; POWERDOWN says who asked")
def button(directory):
    for machine in ("piix4", "ich9"):
        vm = Vm(directory, "button-obey", "--machine", machine)
        vm.wait_printed("ready")
        vm.ask("system_powerdown")
        events, _ = vm.ends()
        assert [name for name, _ in events] == ["POWERDOWN", "SHUTDOWN"], (machine, events)
        assert events[1][1]["guest"] is True, events


@on_kvm("it is called as it was told to be, and by its monitor, too")
def name(directory):
    for words, expected in (("--name", "web-1"), {"name": "web-1"}), ((), {}):
        vm = Vm(directory, "idle", *words)
        assert vm.ask("query-name") == {"return": expected}
        vm.ask("quit")
        vm.ends()


@on_kvm("a guest that ignores its button runs on, however often it is pressed")
def button_ignored(directory):
    vm = Vm(directory, "button-ignore")
    vm.wait_printed("ready")
    for times in range(1, 4):
        vm.ask("system_powerdown")
        deadline = time.monotonic() + PATIENCE
        while vm.printed().count("ignored") < times:
            assert time.monotonic() < deadline, vm.printed()
            time.sleep(0.005)
    assert vm.status() == "running"
    vm.ask("quit")
    vm.ends()


@on_kvm("stop and cont: it stands still in between, however often")
def stop(directory):
    vm = Vm(directory, "spin")
    vm.wait_printed("spin")
    for _ in range(20):
        vm.ask("stop")
        assert vm.status() == "paused"
        vm.ask("cont")
        assert vm.status() == "running"
    vm.ask("stop")
    before = vm.cpu_s()
    time.sleep(0.5)
    assert vm.cpu_s() - before < 0.05
    vm.ask("quit")
    events, _ = vm.ends()
    assert [name for name, _ in events] == ["STOP", "RESUME"] * 20 + ["STOP", "SHUTDOWN"], events


@on_kvm("system_reset: the guest begins anew, a hundred times")
def reset_from_the_host(directory):
    vm = Vm(directory, "idle")
    for _ in range(100):
        vm.ask("system_reset")
        assert vm.wait("RESET") == {"guest": False, "reason": "host-qmp-system-reset"}
    vm.wait_printed("idle")
    vm.ask("quit")
    vm.ends()


@on_kvm("a signal ends it, and says from whom; SIGKILL says nothing")
def signals(directory):
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        vm = Vm(directory, "idle")
        os.kill(vm.process.pid, number)
        events, said = vm.ends()
        assert events == [("SHUTDOWN", {"guest": False, "reason": "host-signal"})], events
        with open("/proc/self/cmdline", encoding="utf-8") as file:
            name = file.read().split("\0")[0]
        assert said == f"vmpower-vmm: terminating on signal {int(number)} from pid {os.getpid()} ({name})\n", said
    vm = Vm(directory, "idle")
    vm.process.kill()
    assert vm.ends(-signal.SIGKILL)[0] == []


@on_kvm("memory: what is asked for and not used costs nothing")
def memory(directory):
    vm = Vm(directory, "idle", "--memory", "3072")
    vm.wait_printed("idle")
    with open(f"/proc/{vm.process.pid}/smaps_rollup", encoding="ascii") as file:
        kib = next(int(line.split()[1]) for line in file if line.startswith("Rss:"))
    assert kib < 200 * 1024, kib  # a sanitizer's own is most of it
    vm.ask("quit")
    vm.ends()


# --- what it has given up -------------------------------------------------------------------------------------------


def status_of(path):
    with open(path, encoding="ascii") as file:
        return dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)


@on_kvm("when its guest runs, no thread has a capability, or gains one, and a filter is on its system calls")
def sandboxed(directory):
    vm = Vm(directory, "idle")
    vm.wait_printed("idle")
    tasks = f"/proc/{vm.process.pid}/task"
    threads = [status_of(f"{tasks}/{thread}/status") for thread in os.listdir(tasks)]
    assert len(threads) >= 2, threads
    for thread in threads:
        for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
            assert int(thread[name], 16) == 0, thread
        assert thread["NoNewPrivs"] == "1", thread
        if os.environ["HAS_SECCOMP"] == "1":
            assert (thread["Seccomp"], thread["Seccomp_filters"]) == ("2", "1"), thread
    vm.ask("quit")
    vm.ends()
    assert not os.path.exists(vm.qmp), "its socket is still there"


# --- bad input ------------------------------------------------------------------------------------------------------


@test("a wrong option, or a value that is none, is one line and status 2")
def wrong_options():
    for words, complaint in (
        ([], "one of --kernel, --bios, --qtest and --dump-tables is wanted"), (["--bios", "x", "--qtest", "y"], "not \"several\""),
        (["--bios", ROM, "--append", "x"], "are a --kernel's"), (["--bios", ROM, "--initrd", "x"], "are a --kernel's"),
        (["--bios", ROM, *(["--qmp", "x"] * 5)], "at most 4 --qmp"),
        (["--bios", ROM, "--cpus", "0"], "--cpus is 1 to 16"), (["--bios", ROM, "--cpus", "17"], "--cpus is 1 to 16"),
        (["--bios"], "--bios"), (["--no-such"], "--no-such"), (["more"], "more"),
        (["--bios", ROM, "--memory", "0"], "--memory is 1 to 1048576 MiB"), (["--bios", ROM, "--memory", "1048577"], "--memory"),
        (["--bios", ROM, "--memory", "x"], "--memory"), (["--bios", ROM, "--machine", "pc"], "--machine is piix4 or ich9"),
        (["--bios", ROM, "--serial", "tcp"], "--serial"), (["--bios", ROM, "--fw-cfg", "x"], "--fw-cfg is NAME=TEXT"),
        (["--bios", ROM, "--name", ""], "1 to 255 letters"), (["--bios", ROM, "--name", "n" * 256], "1 to 255 letters"),
        (["--bios", ROM, "--fw-cfg", "n" * 60 + "=1"], "55 letters"), (["--bios", ROM, *(["--fw-cfg", "a=b"] * 17)], "16 --fw-cfg"),
    ):  # fmt: skip
        says(words, 2, complaint)


@test("what is no firmware, or no place for a socket or a console, is one line and status 1")
def wrong_files():
    with tempfile.TemporaryDirectory() as directory:
        short = os.path.join(directory, "short")
        with open(short, "wb") as file:
            file.write(bytes(100))
        for words in (["--bios", "/no/such"], ["--bios", directory], ["--bios", "/dev/null"], ["--bios", short], ["--bios", VMM]):
            says(words, 1, words[1])
        for words in (["--bios", ROM, "--qmp", "/no/such/socket"], ["--bios", ROM, "--qmp", short], ["--qtest", "/" + "x" * 200]):
            says(words, 1, "cannot listen")
        says(["--bios", ROM, "--serial", "file:/no/such/console"], 1, "/no/such/console")
        says(["--dump-tables", "/no/such"], 1, "/no/such: No such file")
        with open(short, "rb") as file:
            assert file.read() == bytes(100)


@on_kvm("no right to /dev/kvm, and too few descriptors: one line that says so")
def no_right(directory):
    path = os.path.join(directory, "rom")
    with open(ROM, "rb") as source, open(path, "wb") as target:
        target.write(source.read())
    os.chmod(directory, 0o755)
    if os.geteuid() == 0 and not os.stat("/dev/kvm").st_mode & 0o006:
        says(["--bios", path, "--serial", "none"], 1, "group kvm", user=65534, group=65534, extra_groups=[])
    says(["--bios", ROM], 1, "Too many open files", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (5, 5)))


@on_kvm("garbage at its monitor: an error each, and the VM runs on")
def garbage(directory):
    vm = Vm(directory, "idle")
    for line in (b"{}", b"[]", b"nonsense", b'{"execute": 5}', b'{"execute": "set-action", "arguments": {"panic": 7}}', b"\x00\xff"):
        vm.socket.sendall(line + b"\n")
        assert "error" in vm._read(), line
    vm.socket.sendall(b"x" * (3 << 20) + b"\n")
    assert "error" in vm._read()
    assert vm.status() == "running"
    # Who hangs up in the middle leaves the place to the next one.
    vm.socket.sendall(b'{"execute": "qu')
    vm.file.close()
    vm.socket.close()
    second = socket.socket(socket.AF_UNIX)
    second.settimeout(PATIENCE)
    second.connect(vm.qmp)
    file = second.makefile("r")
    assert "QMP" in json.loads(file.readline())
    second.sendall(b'{"execute": "qmp_capabilities"}{"execute": "quit"}')
    assert [list(json.loads(file.readline()))[0] for _ in range(2)] == ["return"] * 2
    assert vm.process.wait(PATIENCE) == 0
    vm.process.stderr.close()
    second.close()


@on_kvm("each of its monitors has a client of its own: both hear of everything, and either may act")
def two_monitors(directory):
    other = os.path.join(directory, "other")
    vm = Vm(directory, "idle", "--qmp", other)
    with socket.socket(socket.AF_UNIX) as second:
        second.settimeout(PATIENCE)
        second.connect(other)
        file = second.makefile("r")
        second.sendall(b'{"execute": "qmp_capabilities"}{"execute": "stop"}')
        said = [json.loads(file.readline()) for _ in range(4)]
        assert [next(key for key in ("QMP", "return", "event") if key in one) for one in said] == ["QMP", "return", "event", "return"], said
        vm.wait("STOP")
        vm.ask("cont")
        assert json.loads(file.readline())["event"] == "RESUME"
        vm.ask("quit")
        assert json.loads(file.readline())["event"] == "SHUTDOWN" and not file.readline()
    vm.ends()
    assert not os.path.exists(other) and not os.path.exists(vm.qmp)


@on_kvm("a client that reads nothing is dropped, and holds up neither the guest nor the next client")
def silent_client(directory):
    vm = Vm(directory, "reset-loop")
    # It resets for ever, and each is an event; nobody reads.
    deadline = time.monotonic() + PATIENCE
    while True:
        with socket.socket(socket.AF_UNIX) as second:
            second.settimeout(0.5)
            try:
                second.connect(vm.qmp)
                if second.recv(5) == b'{"QMP':
                    break
            except (TimeoutError, BlockingIOError):
                time.sleep(0.01)
        assert time.monotonic() < deadline and vm.process.poll() is None, "the silent client is still served"
    vm.process.terminate()
    assert vm.process.wait(PATIENCE) == 0
    vm.process.stderr.close()


if __name__ == "__main__":
    run_all()
