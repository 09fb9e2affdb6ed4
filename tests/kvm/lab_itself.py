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


@test("vmpower's doctor: all that it can see on such a host works")
def _(world):
    del world.environment["VMPOWER_TRACE"]
    done = world.vmpower("doctor", "--quick", "--json")
    found = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert not [found[name] for name in WORKS if not found[name]["works"]]


if __name__ == "__main__":
    sys.exit(main())
