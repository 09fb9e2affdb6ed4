"""Domains with a whole PC, part of which is a process of dom0's: the device model, a QEMU.

Most are without hvmloader and a BIOS, which take ten times as long as the rest (guests/hvm.S). The daemon sees what dom0's kernel does: who ended a device model
is known, and who told the hypervisor that a domain has shut down.
"""

import os
import sys

from xen_host import *

ACTIONS = ("idle", "s5", "s3", "reset-cf9", "reset-8042", "triple-fault", "halt", "button")  # guests/boot.S
ACTION_AT = 509


def read(path):
    with open(path, "rb") as file:
        return file.read()


SECTOR = r"0000:00007[cd]\w\w"  # where boot.S is
TRIES = 3


def registers(domain):
    """What Xen says of its processor, if it is there."""
    return subprocess.run(["xenctx", str(domain.id)], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=PATIENCE, check=False).stdout


def went_astray(domains):
    """
    In this emulation on a busy machine not every HVM guest lives for long: it goes on from a VMRUN with Xen's own registers in its VMCB, and resets itself, or is off. Xen tells: "d7v0 Real @ e008:…", its
    own code segment, and behind it where its VMRUN returns to. Or it is nowhere in its sector any more.
    """
    told = xl("dmesg")

    def is_in_it(domain):
        numbers = {str(domain.id), str(domain.find()), *re.findall(r"\(domid (\d+)\)", domain.xl_log())}
        return any(f"d{number}v0 Real @ e008:" in told for number in numbers)

    def is_lost(domain):
        place = re.search(r"cs:eip: (\w+:\w+)", registers(domain))
        return place and not re.fullmatch(SECTOR, place[1])

    return [domain.name for domain in domains if is_in_it(domain) or is_lost(domain)]


def hvm_test(sentence):
    """One whose domain went astray is tried again, with names of its own, and says so. When it fails, xl, the device models and Xen are asked."""

    def register(function):
        def tried(world):
            for attempt in range(1, TRIES + 1):
                world.domains, world.suffix = [], f"-{attempt}" if attempt > 1 else ""
                try:
                    return function(world)
                except Exception:
                    logs = [f"/var/log/xen/{log}-{domain.name}.log" for domain in world.domains for log in ("xl", "qemu-dm")]
                    for source, words in [(log, read(log).decode(errors="replace")) for log in logs if os.path.exists(log)] + [
                        *((f"xenctx {domain.name}", registers(domain)) for domain in world.domains), ("xl list", xl("list", "-v")), ("xl dmesg", xl("dmesg")),
                    ]:  # fmt: skip
                        print("\n".join(f"# {source}: {line}" for line in words.splitlines()[-25:]))
                    if attempt == TRIES or not (astray := went_astray(world.domains)):
                        raise
                    print(f"# once more, since the emulation led its guest astray: {', '.join(astray)}")
                    for domain in world.domains:
                        domain.destroy()

        return test("hvm: " + sentence)(tried)

    return register


def in_a_soak(sentence):
    """A test that takes long."""
    return hvm_test(sentence) if os.environ.get("VMPOWER_SOAK") else lambda function: function


class Hvm(Domain):
    """`has_bios`: it boots from a disk, by the firmware that Xen has for it."""

    def __init__(self, world, name, action, background=True, has_bios=False, **options):
        name += world.suffix
        sector, firmware = read(GUESTS + "/boot.img"), read(GUESTS + "/hvm")
        own = sector[:ACTION_AT] + bytes([ACTIONS.index(action)]) + sector[ACTION_AT + 1 :]
        image = world.path(name + ".image")
        with open(image, "wb") as file:
            file.write(own if has_bios else firmware.replace(sector, own))
        boots = {"device_model_args": ["-drive", f"file={image},format=raw,if=ide,snapshot=on"]} if has_bios else {"firmware_override": image}
        self.serial = world.path(name + ".serial")
        self.device_model_log = f"/var/log/xen/qemu-dm-{name}.log"
        options = {"kernel": None, "ramdisk": None, "vga": "none", "vnc": 0, "usb": 0, "serial": "file:" + self.serial, **boots, **options}
        super().__init__(world, name, "hvm", action, background, memory=16, **options)
        world.domains.append(self)

    def device_model(self):
        """Its process, as the daemon has it on record: by then it is watched."""
        deadline = time.monotonic() + PATIENCE
        node = self.path("image/device-model-pid")
        pid = int(self.store.wait_until(lambda: self.store.read(node), node, f"{self.name} has a device model"))
        query = "SELECT evidence.data FROM evidence JOIN vm ON evidence.vm = vm.id WHERE vm.name = ? AND evidence.kind = 'device-model'"
        while not any(json.loads(data)["pid"] == pid for data, in rows(HOST.world, query, self.name)):
            assert time.monotonic() < deadline, f"the daemon does not know of pid {pid}"
            time.sleep(0.1)
        return pid

    def wait_booted(self, times=1):
        wait_for_content(self.serial, "boot: ready\r\n", count=times)

    def wait_goes_round(self):
        """Until its guest waits for its button, and for no answer of its device model's any more, as to the end of the line that it prints: it would for ever once that is gone."""
        self.wait_booted()
        wait_until(lambda: uses_its_cpu(self), f"{self.name} goes round")


def wait_until(holds, what):
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.1)


def uses_its_cpu(domain):
    """Of a guest that waits for nothing but its button, in a loop: does that go round?"""

    def used():
        return float(xl("list", domain.name).splitlines()[-1].split()[-1])

    before = used()
    time.sleep(1)
    return used() != before


def by_shell(words):
    subprocess.run(["sh", "-c", words + "; true"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT, timeout=PATIENCE, check=True)


def hypercalls(verdict):
    return [item["data"]["command"] for item in evidence_of(verdict, "hypercall")]


# --- the guest's own ------------------------------------------------------------------------------------------------


def row(sentence, action, expected, reason, rule, **named):
    @hvm_test(sentence)
    def _(world):
        domain = Hvm(world, "hvm-" + re.sub(r"\W+", "-", sentence), action, on_reboot="destroy", **named).create()
        (verdict,) = HOST.told(domain.name)
        says(verdict, *expected, rule=rule, left="off", actor=None, revises=None)
        is_of(verdict, domain)
        domain.wait_gone()
        xl_says(domain, reason, "destroy")
        # Its device model tells the hypervisor by a call of its own (IOCTL_PRIVCMD_DM_OP), and is ended by xl: neither is anybody's deed.
        assert "shutdown" not in hypercalls(verdict), verdict["evidence"]
        assert re.search(r"terminating on signal 1 from pid \d+ \(xl\)", read(domain.device_model_log).decode()), read(domain.device_model_log)
        assert len(HOST.world.history(domain.name)) == 1


POWEROFF = ("poweroff", "guest", "xen-shutdown", True)
REBOOT_BY_GUEST = ("reboot", "guest", "xen-shutdown", None)
row("poweroff by ACPI, from a disk, by hvmloader and a BIOS", "s5", POWEROFF, 0, "xen-poweroff", has_bios=True)
row("poweroff by ACPI", "s5", POWEROFF, 0, "xen-poweroff")
row("reboot by 0xCF9", "reset-cf9", REBOOT_BY_GUEST, 1, "xen-reboot")
row("reboot by 8042", "reset-8042", REBOOT_BY_GUEST, 1, "xen-reboot")
row("triple fault", "triple-fault", REBOOT_BY_GUEST, 1, "xen-reboot")
row("halted with interrupts off", "halt", POWEROFF, 0, "xen-poweroff")


@hvm_test("suspended to RAM it is nothing that anybody is told of, and runs for xl; xl destroy is a destroy")
def _(world):
    domain = Hvm(world, "hvm-s3", "s3").create()
    domain.wait_booted()
    device_model = domain.device_model()
    wait_until(lambda: is_suspended_to_ram(domain.id), "that it is suspended to RAM")
    assert domain.state() == "------", domain.state()
    by_shell(f"xl destroy {domain.name}")
    wait_for_end(device_model)
    (verdict,) = HOST.told(domain.name)
    says(verdict, "destroy", "operator", "xen-destroy", False, left="gone")
    assert verdict["actor"]["comm"] == "xl" and verdict["actor"]["cmdline"] == f"xl destroy {domain.name}", verdict["actor"]
    domain.wait_gone()
    assert len(HOST.world.history(domain.name)) == 1


@hvm_test("nobody's: a reboot is restarted, with a device model of its own")
def _(world):
    domain = Hvm(world, "hvm-own", "button", background=False).create()
    first = domain.id, domain.device_model()
    domain.wait_booted()
    shut_down(domain.id, REBOOT)
    domain.wait_restarted()
    second = domain.id, domain.device_model()
    assert second[0] != first[0] and second[1] != first[1], (first, second)
    HOST.vmpower("destroy", domain.name, "--timeout", str(int(PATIENCE)))
    reboot, destroy = HOST.told(domain.name, 2)
    says(reboot, "reboot", "operator", "xen-toolstack", False, decision=("on_reboot", "restart", "done"))
    says(destroy, "destroy", "operator", "xen-destroy", False)
    is_by_us(destroy, "destroy")


@in_a_soak("xl's and nobody's: a soft reset begins it anew in its place, with another device model")
def _(world):
    for name, background, decision in (("hvm-reset", True, ("on_soft_reset", "leave", "none")), ("hvm-own-reset", False, ("on_soft_reset", "soft-reset", "done"))):
        domain = Hvm(world, name, "button", background=background).create()
        first = domain.device_model()
        domain.wait_goes_round()
        shut_down(domain.id, SOFT_RESET)
        node = domain.path("image/device-model-pid")
        domain.store.wait_until(lambda: domain.store.read(node) not in (None, str(first)), node, f"{name} has another device model")
        assert domain.device_model() != first
        # It goes on where it was: its guest's next kernel is its own affair.
        wait_until(lambda: uses_its_cpu(domain), f"{name} runs on")
        (reset,) = HOST.told(domain.name)
        says(reset, "reboot", "guest", "xen-shutdown", None, rule="xen-soft-reset", left="off", decision=decision)
        is_of(reset, domain)
        HOST.vmpower("destroy", domain.name, "--timeout", str(int(PATIENCE)))
        _, destroyed = HOST.told(domain.name, 2)
        says(destroyed, "destroy", "operator", "xen-destroy", False)
        is_of(destroyed, domain)


# --- who asked ------------------------------------------------------------------------------------------------------


@hvm_test("its power button, pressed by vmpower and by xl trigger: the guest obeys, and who pressed it is named")
def _(world):
    def by_vmpower(name):
        HOST.vmpower("shutdown", "--power-button", name)

    def by_xl(name):
        by_shell(f"xl trigger {name} power")

    for name, press in (("hvm-button", by_vmpower), ("hvm-trigger", by_xl)):
        domain = Hvm(world, name, "button").create()
        domain.wait_goes_round()
        domain.device_model()
        press(domain.name)
        (verdict,) = HOST.told(domain.name)
        says(verdict, "poweroff", "operator", "power-button", True, left="off", rule="power-button")
        domain.wait_gone()
        xl_says(domain, 0, "destroy")
        if press is by_vmpower:
            is_by_us(verdict, "power-button")
        else:
            assert (verdict["actor"]["comm"], verdict["actor"]["cmdline"]) == ("xl", f"xl trigger {domain.name} power"), verdict["actor"]


@hvm_test("a program of dom0's that tells the hypervisor that it is off has powered it off")
def _(world):
    domain = Hvm(world, "hvm-remote", "idle").create()
    domain.device_model()
    shut_down(domain.id, 0)
    (verdict,) = HOST.told(domain.name)
    says(verdict, "poweroff", "operator", "xen-toolstack", False, left="off", rule="xen-remote-poweroff")
    assert [item["data"]["reason"] for item in evidence_of(verdict, "hypercall") if item["proof"]] == ["poweroff"], verdict["evidence"]
    assert verdict["actor"]["pid"] == os.getpid() and verdict["actor"]["via"] == "hypercall", verdict["actor"]
    domain.wait_gone()
    xl_says(domain, 0, "destroy")
    assert len(HOST.world.history(domain.name)) == 1


# --- its device model -----------------------------------------------------------------------------------------------


@hvm_test("kill -9 of its device model, by whom is known; the guest runs on, until it wants to power itself off; nobody else tells")
def _(world):
    domain = Hvm(world, "hvm-killed", "button").create()
    domain.wait_goes_round()
    by_shell(f"kill -9 {domain.device_model()}")
    (verdict,) = HOST.told(domain.name)
    says(verdict, "failure", "operator", "signal", False, left="running", rule="xen-device-model-signal")
    is_of(verdict, domain)
    assert verdict["actor"]["via"] == "SIGKILL" and verdict["actor"]["comm"] == "sh", verdict["actor"]
    assert verdict["decision"] is None, verdict["decision"]
    assert HOST.vmpower("why", domain.name).startswith(f"{domain.name}'s device model is gone"), HOST.vmpower("why", domain.name)
    wait_until(lambda: uses_its_cpu(domain), "that it runs on")
    HOST.vmpower("shutdown", "--power-button", domain.name)
    wait_until(lambda: not uses_its_cpu(domain), "that it stands still")
    assert domain.state() in ("-b----", "------") and "reason code" not in domain.xl_log(), (domain.state(), domain.xl_log())
    xl("destroy", domain.name)
    domain.wait_gone()
    _, destroyed = HOST.told(domain.name, 2)
    says(destroyed, "destroy", "operator", "xen-destroy", False, left="gone")


@hvm_test("kill -9 of the device model of one that is paused leaves it paused")
def _(world):
    domain = Hvm(world, "hvm-paused", "button").create()
    device_model = domain.device_model()
    HOST.vmpower("pause", domain.name, "--timeout", str(int(PATIENCE)))
    by_shell(f"kill -9 {device_model}")
    _, failure = HOST.told(domain.name, 2)
    says(failure, "failure", "operator", "signal", False, left="paused", rule="xen-device-model-signal")
    assert domain.state() == "--p---", domain.state()


@hvm_test("the host's OOM killer takes its device model")
def _(world):
    domain = Hvm(world, "hvm-oom", "idle").create()
    with open(f"/proc/{domain.device_model()}/oom_score_adj", "w", encoding="ascii") as file:
        file.write("1000")
    with open("/proc/sysrq-trigger", "w", encoding="ascii") as file:
        file.write("f")
    (verdict,) = HOST.told(domain.name)
    says(verdict, "failure", "host", "oom-kill", False, left="running", actor=None, rule="xen-device-model-oom")


if __name__ == "__main__":
    HOST.begin(is_traced=True)
    status = main()
    HOST.close(status)
    sys.exit(status)
