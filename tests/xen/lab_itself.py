"""What the other tests in there rely on."""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../qemu"))
from world import *


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


if __name__ == "__main__":
    sys.exit(main())
