"""What the other tests in there rely on."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../qemu"))
from daemon_world import *

WORKS = (
    "qmp", "stderr", "process", "process-of-others", "cgroup-oom", "kvm", "kvm-uevents", "trace-signals", "trace-oom", "trace-exits", "trace-ports",
    "trace-kvm-exits", "trace-births", "trace-senders", "store", "run-directory", "sock-diag", "rights",
)  # fmt: skip


@test("it is Debian's stock kernel, with KVM, cgroups of version 2, and every right")
def _(world):
    with open(os.path.join(CACHE, "amd64", "version"), encoding="ascii") as file:
        assert os.uname().release == file.read().strip(), os.uname()
    assert kvm_is_usable(), "/dev/kvm cannot be used"
    with open("/sys/fs/cgroup/cgroup.controllers", encoding="ascii") as file:
        assert "memory" in file.read().split()
    capabilities = int(re.search(rb"CapEff:\s*(\w+)", read_proc("self", "status"))[1], 16)
    assert os.geteuid() == 0 and capabilities & 1 << 21, f"{capabilities:x}"


def examine(world, *within):
    """What the doctor says that is there and does not work, or was not tried."""
    del world.environment["VMPOWER_TRACE"]
    doctor = popen([*within, VMPOWER, "doctor", "--quick", "--json"], env=world.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    found = {check["name"]: check for check in json.loads(doctor.communicate()[0])["checks"]}
    return [found[name] for name in WORKS if not found[name]["works"] or "not tried" in found[name]["found"]]


@test("vmpower's doctor: all that it can see on such a host works")
def _(world):
    assert not (lacks := examine(world)), lacks


@test("all of that works, too, with no more of root's rights than vmpowerd's unit leaves it")
def _(world):
    with open(os.path.join(HERE, "../../packaging/systemd/vmpowerd.service.in"), encoding="utf-8") as file:
        names = " ".join(re.findall(r"^CapabilityBoundingSet=(.*)", file.read(), re.MULTILINE)).split()
    kept = ",".join("+" + name.removeprefix("CAP_").lower() for name in names)
    lacks = examine(world, "setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all,{kept}")
    assert not lacks, lacks


if __name__ == "__main__":
    sys.exit(main())
