"""What the other tests in there rely on."""

import sys

from domains import *


def says(domain, reason, action):
    log = domain.xl_log()
    assert re.search(rf"Domain \d+ has shut down, reason code {reason} ", log) and f"Action for shutdown reason code {reason} is {action}\n" in log, log


@test("it is Debian's stock kernel as the dom0 of Debian's Xen")
def _(world):
    with open(os.path.join(CACHE, "amd64", "version"), encoding="ascii") as file:
        assert os.uname().release == file.read().strip(), os.uname()
    with open("/proc/xen/capabilities", encoding="ascii") as file:
        assert "control_d" in file.read()
    with open("/sys/hypervisor/type", encoding="ascii") as file:
        assert file.read().strip() == "xen"


@test("a program that was built here runs in it")
def _(world):
    assert popen([VMPOWER, "--version"], stdout=subprocess.DEVNULL).wait() == 0


def ends(sentence, reason, kind="pv", action="poweroff", extra="", **options):
    @test(f"{kind}: {sentence}: xl says reason {reason}")
    def _(world):
        domain = Domain(world, sentence.replace(" ", "-").replace("=", ""), kind, action, extra=extra, **options).create()
        domain.wait_gone()
        says(domain, reason, "destroy")


ends("pvh poweroff", 0, "pvh")
ends("poweroff", 0)
ends("halt", 0, action="halt")
ends("reboot", 1, action="reboot", on_reboot="destroy")
ends("panic", 3, action="panic")
ends("watchdog", 4, action="watchdog")
ends("poweroff with acpi=off", 0, extra="acpi=off")


@test("pv: xl reboot is obeyed, and xl restarts it, with a new number; xl shutdown is obeyed")
def _(world):
    domain = Domain(world, "obeys").create()
    domain.wait_booted()
    xl("reboot", domain.name)
    domain.wait_restarted()
    domain.wait_booted(times=2)
    xl("shutdown", domain.name)
    domain.wait_gone()
    says(domain, 1, "restart")
    says(domain, 0, "destroy")


@test("pv: xl shutdown is acknowledged, and ignored; xl destroy")
def _(world):
    domain = Domain(world, "ignores", extra="vmpower.request=ignore").create()
    domain.wait_booted()
    xl("shutdown", domain.name)
    wait_for_content(domain.console, "/sbin/poweroff was called, and is ignored")
    assert domain.store.read(domain.path("control/shutdown")) == ""
    assert "s" not in domain.state(), domain.state()
    xl("destroy", domain.name)
    domain.wait_gone()
    assert "has been destroyed" in domain.xl_log() and "reason code" not in domain.xl_log(), domain.xl_log()


@test("pv: xl save ends it with reason 2, and restored it goes on")
def _(world):
    domain = Domain(world, "saved").create()
    domain.wait_booted()
    xl("save", domain.name, world.path("memory"))
    domain.wait_gone()
    assert "has shut down, reason code 2 " in domain.xl_log() and "Domain has suspended." in domain.xl_log(), domain.xl_log()
    xl("restore", world.path("memory"))
    domain.id = domain.find()
    xl("shutdown", domain.name)
    domain.wait_gone()
    says(domain, 0, "destroy")


@test("pv: one that is preserved stays")
def _(world):
    domain = Domain(world, "preserved", action="panic", on_crash="preserve").create()
    domain.wait_state("c")
    wait_for_end(domain.xl_pid())
    says(domain, 3, "preserve")
    assert domain.find() == domain.id


@test("pv: one that no xl sees to stays when it has shut down")
def _(world):
    domain = Domain(world, "alone", action="poweroff", background=False).create("-p")
    assert domain.state() == "--p---", domain.state()
    xl("unpause", domain.name)
    domain.wait_state("s")
    assert not domain.xl_log()


if __name__ == "__main__":
    sys.exit(main())
