"""What the other tests in there rely on; what xl itself says of each ending is beside the verdicts on it (verdicts.py)."""

import sys

from domains import *


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


@test("pv: one that no xl sees to stays when it has shut down")
def _(world):
    domain = Domain(world, "alone", action="poweroff", background=False).create("-p")
    assert domain.state() == "--p---", domain.state()
    xl("unpause", domain.name)
    domain.wait_state("s")
    assert not domain.xl_log()


if __name__ == "__main__":
    sys.exit(main())
