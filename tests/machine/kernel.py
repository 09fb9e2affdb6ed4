#!/usr/bin/env python3
"""vmpower-vmm with a kernel that it loads itself, as a bzImage and as PVH's: what that is given, several CPUs, sleep and what ends it, keys, and guests that mean harm.

    VMM, VMPOWER_GUESTS, as in vmm_world.py
"""

import fcntl
import pty
import struct
import termios
import threading

from vmm_world import *

BZIMAGE, PVH = os.path.join(GUESTS, "kernel.bz"), os.path.join(GUESTS, "kernel")


def kernel(append, *words, image=BZIMAGE):
    return ["--kernel", image, "--append", append, "--memory", "64", *words]


def file_of(directory, name, bytes_):
    path = os.path.join(directory, name)
    with open(path, "wb") as file:
        file.write(bytes_)
    return path


def either(sentence):
    def register(function):
        for image, name in ((BZIMAGE, "a bzImage"), (PVH, "PVH")):
            on_kvm(f"{name}: {sentence}")(lambda directory, image=image: function(directory, image))
        return function

    return register


# --- what it is given -----------------------------------------------------------------------------------------------


@either("how it is entered, command line, initrd, memory, tables, and the way it powers off")
def given(directory, image):
    content = bytes(range(256)) * 100 + b"end"
    vm = Machine(directory, *kernel("poweroff and more", "--initrd", file_of(directory, "initrd", content), image=image))
    ((name, data),), said = vm.ends()
    assert (name, data["guest"], data["reason"], said) == ("SHUTDOWN", True, "guest-shutdown", "")
    assert data["mechanism"]["name"] == "acpi-s5" and 0x1000000 < data["mechanism"]["rip"] < 0x1002000, data
    assert vm.printed().splitlines() == [
        "kernel: " + line for line in (
            "PVH" if image == PVH else "bzImage, 64 bits", f"initrd {len(content)} bytes, sum {sum(content)}", "memory 639 KiB from 0 MiB",
            "memory 64512 KiB from 1 MiB", "command line: poweroff and more", "tables FACP APIC", "CPUs 1 of 1")], vm.printed()  # fmt: skip


@either("of more memory than is below the hole, the rest is above 4 GiB")
def much_memory(directory, image):
    vm = Machine(directory, *kernel("poweroff", "--memory", "5120", image=image))
    vm.ends()
    regions = [line for line in vm.printed().splitlines() if line.startswith("kernel: memory")]
    assert regions == ["kernel: memory 639 KiB from 0 MiB", "kernel: memory 3144704 KiB from 1 MiB", "kernel: memory 2097152 KiB from 4096 MiB"], regions


@on_kvm("2, 5 and 16 CPUs: each begins when it is told to, and none is left when it ends")
def cpus(directory):
    for n in (2, 5, 16):
        vm = Machine(directory, *kernel("poweroff", "--cpus", str(n)))
        vm.ends()
        assert f"kernel: CPUs {n} of {n}\n" in vm.printed(), vm.printed()


@on_kvm("a reset, by the guest and from the host, loads it anew, and every CPU begins anew")
def reset(directory):
    vm = Machine(directory, *kernel("reset", "--cpus", "3"))
    for _ in range(3):
        data = vm.wait("RESET")
        assert data["guest"] and data["mechanism"] == {**data["mechanism"], "name": "reset-cf9", "port": 0xCF9, "value": 6, "vcpu": 0}, data
    vm.ask("quit")
    vm.ends()
    assert vm.printed().count("kernel: CPUs 3 of 3\n") >= 3, vm.printed()

    vm = Machine(directory, *kernel("idle", "--cpus", "3"))
    for n in range(1, 4):
        deadline = time.monotonic() + PATIENCE
        while vm.printed().count("kernel: CPUs 3 of 3\n") < n:
            assert time.monotonic() < deadline, vm.printed()
            time.sleep(0.01)
        vm.ask("system_reset")
        assert vm.wait("RESET")["guest"] is False
    vm.ask("quit")
    vm.ends()


# --- halted ---------------------------------------------------------------------------------------------------------


@on_kvm("4 CPUs that are halted for good, or were never begun: HALTED within two seconds, and it is ended")
def halted(directory):
    vm = Machine(directory, *kernel("halt", "--cpus", "4"))
    vm.wait_printed("kernel: CPUs 4 of 4\n")
    began = time.monotonic()
    assert vm.wait("HALTED") == {"vcpus": 4}
    assert time.monotonic() - began < 2.5, "it took longer than two seconds"
    assert vm.wait("SHUTDOWN") == {"guest": False, "reason": "guest-halted"}
    vm.ends()


@on_kvm("one CPU that works, or waits for an interrupt, keeps all of them: nothing is said, and next to no time is spent")
def one_lives(directory):
    for action in ("spin", "idle"):
        vm = Machine(directory, *kernel(action, "--cpus", "4"))
        vm.wait_printed("kernel: CPUs 4 of 4\n")
        before = vm.cpu_s()
        time.sleep(3)
        spent = vm.cpu_s() - before
        assert vm.status() == "running" and not vm.events, vm.events
        assert action == "spin" or spent < 0.3, spent
        vm.ask("quit")
        vm.ends()


# --- sleep ----------------------------------------------------------------------------------------------------------


def woken(directory, action, wake, tells):
    vm = Machine(directory, *kernel(action, "--cpus", "2"))
    data = vm.wait("SUSPEND")
    assert data["mechanism"]["name"] == "acpi-s3" and vm.status() == "suspended", data
    wake(vm)
    vm.wait("WAKEUP")
    ((name, data),), _ = vm.ends()
    assert name == "SHUTDOWN" and data["mechanism"]["name"] == "acpi-s5", data
    assert vm.printed().endswith(f"\n{tells}\n"), vm.printed()


@on_kvm("S3 ends with the alarm of its clock, and it goes on where it has said")
def wakes_by_alarm(directory):
    began = time.monotonic()
    woken(directory, "sleep-rtc", lambda vm: None, "wWR")
    assert 0.5 < time.monotonic() - began < 5, "the alarm was two seconds away"


@on_kvm("S3 ends with the power button, which its guest is told")
def wakes_by_button(directory):
    woken(directory, "sleep", lambda vm: vm.ask("system_powerdown"), "wWB")


@on_kvm("S3 ends by the monitor, and nobody has pressed a button")
def wakes_by_monitor(directory):
    woken(directory, "sleep", lambda vm: vm.ask("system_wakeup"), "wW")


# --- keys -----------------------------------------------------------------------------------------------------------


@on_kvm("what is typed reaches the guest, all of it, however fast it comes")
def keys(_):
    text = b"".join(b"%d " % i for i in range(2000)) + b"\n"
    process = subprocess.Popen([VMM, *kernel("echo")], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.append(process)
    said = b""
    while not said.endswith(b"kernel: echo\n"):
        said += process.stdout.read(1)
    threading.Thread(target=lambda: (process.stdin.write(text), process.stdin.close())).start()
    assert process.stdout.read() == text and process.wait(PATIENCE) == 0
    process.stdout.close()


@on_kvm("on a terminal each key goes to the guest at once, and the terminal is as before when it has ended")
def terminal(_):
    ours, its = pty.openpty()
    before = termios.tcgetattr(its)
    process = subprocess.Popen([VMM, *kernel("echo")], stdin=its, stdout=its, preexec_fn=lambda: (os.setsid(), fcntl.ioctl(its, termios.TIOCSCTTY, 0)))
    started.append(process)
    said = b""
    while b"kernel: echo" not in said:
        said += os.read(ours, 1000)
    assert not termios.tcgetattr(its)[3] & (termios.ICANON | termios.ECHO)
    os.write(ours, b"x")
    while not said.endswith(b"x"):
        said += os.read(ours, 1000)
    os.write(ours, b"\n")
    assert process.wait(PATIENCE) == 0, process.returncode
    assert termios.tcgetattr(its) == before
    os.close(ours)
    os.close(its)


@on_kvm("a console that nobody reads holds up its guest, and not its monitor")
def unread_console(directory):
    qmp = os.path.join(directory, "qmp")
    process = subprocess.Popen([VMM, *kernel("reset"), "--qmp", qmp], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    started.append(process)
    time.sleep(2)  # it prints a pipe full meanwhile
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        client.connect(qmp)
        client.sendall(b'{"execute": "qmp_capabilities"}{"execute": "query-status"}{"execute": "quit"}')
        heard = b"".join(iter(lambda: client.recv(65536), b""))
    assert b'"running":true' in heard, heard
    assert process.wait(PATIENCE) == 0
    process.stdout.close()


# --- guests that mean harm ------------------------------------------------------------------------------------------


@on_kvm("a triple fault with an interrupt table that is empty was meant, one with another was not; each says where")
def faults(directory):
    for action, is_deliberate in (("fault-idt", True), ("fault", False)):
        vm = Machine(directory, *kernel(action), reboot="shutdown")
        ((name, data),), _ = vm.ends()
        assert (name, data["reason"], data["mechanism"]["name"]) == ("SHUTDOWN", "guest-reset", "triple-fault"), data
        if KVM_RESETS_ON_FAULT:
            assert not {"deliberate", "rip"} & set(data["mechanism"]), data
        else:
            assert data["mechanism"]["deliberate"] is is_deliberate and 0x1000000 < data["mechanism"]["rip"] < 0x1002000, data


@on_kvm("random accesses to random ports, half of them to where the power is: its monitor answers all along")
def random_ports(directory):
    heard, slowest = set(), 0
    for _ in range(2):
        seed = int.from_bytes(os.urandom(3), "big")
        vm = Machine(directory, *kernel(f"ports={seed}", "--cpus", "2"), shutdown="pause", panic="none")
        deadline = time.monotonic() + 2
        while time.monotonic() < deadline:
            began = time.monotonic()
            state = vm.status()
            slowest = max(slowest, time.monotonic() - began)
            if state == "suspended":
                vm.ask("system_wakeup")
            elif state == "shutdown":
                vm.ask("system_reset")
                vm.ask("cont")
            heard |= {event["event"] for event in vm.events}
            vm.events.clear()
            assert vm.process.poll() is None, (seed, vm.process.returncode)
            time.sleep(0.01)
        vm.ask("quit")
        vm.ends()
    assert "RESET" in heard, heard
    assert slowest < 1, f"the monitor took {slowest:.2f} s to answer"


# --- what is none ---------------------------------------------------------------------------------------------------


def changed(bytes_, at, new):
    return bytes_[:at] + new + bytes_[at + len(new) :]


@test("what is no kernel, or cannot be loaded, is one line that says why")
def no_kernel():
    with open(BZIMAGE, "rb") as file:
        bzimage = file.read()
    with open(PVH, "rb") as file:
        elf = file.read()
    header = struct.unpack_from("<Q", elf, 32)[0]  # the first program header
    with tempfile.TemporaryDirectory() as directory:
        for name, content, complaint in (
            ("empty", b"", "no kernel"), ("text", b"#!/bin/sh\n" * 100, "no kernel"), ("short", bzimage[:600], "no kernel"),
            ("setup", bzimage[:1024], "too short"), ("old", changed(bzimage, 0x206, b"\x0b\x02"), "older than 2.12"),
            ("32 bits", changed(bzimage, 0x236, b"\0\0"), "no 64-bit kernel"), ("nowhere", changed(bzimage, 0x258, b"\xff" * 8), "impossible address"),
            ("zero", changed(bzimage, 0x258, bytes(8)), "impossible address"), ("header", changed(bzimage, 0x201, b"\x10"), "shorter than its version"),
            ("elf32", changed(elf, 4, b"\x01"), "no 64-bit kernel"), ("no note", elf.replace(b"Xen\0", b"xEN\0"), "without a PVH entry"),
            ("headers", changed(elf, 32, b"\xff" * 8), "program headers"), ("beyond", changed(elf, header + 8, b"\xff\xff\xff\x7f"), "program headers"),
            ("size", changed(elf, header + 40, bytes(8)), "program headers"), ("high", changed(elf, header + 24, b"\xff" * 8), "program headers"),
        ):  # fmt: skip
            says(["--kernel", file_of(directory, name, content)], 1, complaint)
        says(["--kernel", "/no/such"], 1, "/no/such: No such file")
        says(["--kernel", directory], 1, "no file")
        says(["--kernel", BZIMAGE, "--initrd", "/no/such"], 1, "/no/such: No such file")
        says(["--kernel", BZIMAGE, "--initrd", file_of(directory, "nothing", b"")], 1, "an initrd is a file that is not empty")
        says(["--kernel", BZIMAGE, "--append", "x" * 2048], 1, "longer than this kernel takes")


@on_kvm("a kernel or an initrd that is larger than the memory: one line that says how much it wants")
def too_large(directory):
    initrd = file_of(directory, "initrd", b"")
    os.truncate(initrd, 48 << 20)
    for words, complaint in ((["--memory", "8"], "this kernel wants memory"), (["--memory", "64", "--initrd", initrd], "give it 68 MiB at least")):
        done = subprocess.run([VMM, "--kernel", BZIMAGE, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)
        assert done.returncode == 1 and complaint in done.stderr and done.stderr.count("\n") == 1 and not done.stdout, done
    Machine(directory, *kernel("poweroff", "--memory", "68", "--initrd", initrd)).ends()


@on_kvm("a kernel's file that has become shorter when it is to be loaded again ends the VM, and says so")
def lost_file(directory):
    with open(BZIMAGE, "rb") as file:
        image = file_of(directory, "image", file.read())
    vm = Machine(directory, *kernel("idle", image=image))
    vm.wait_printed("kernel: CPUs 1 of 1\n")
    os.truncate(image, 2000)
    vm.ask("system_reset")
    events, said = vm.ends(1)
    assert events[-1] == ("SHUTDOWN", {"guest": False, "reason": "host-error"}) and "cannot be read any more" in said, (events, said)


if __name__ == "__main__":
    run_all()
