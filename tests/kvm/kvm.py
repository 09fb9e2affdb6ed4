"""The tests that want a host of their own, in one: Debian's stock kernel with KVM, all rights, and memory that may run out (lab.py).

    kvm.py [PROGRAM ...]    not these, but others of the tests
"""

import os
import sys

import programs
from lab import Lab

PROGRAMS = (
    "kvm/lab_itself.py", "kvm/later_module.py", "qemu/trace.py", "qemu/trace_perf.py", "qemu/logins.py", "kvm/guests.py", "kvm/devices.py",
    "kvm/clock.py", "kvm/out_of_memory.py",
)  # fmt: skip

# TMPDIR: a file system as a host has it, not one over another.
SCRIPT = """
mkdir -p /lab-tmp
mount -t tmpfs lab-tmp /lab-tmp
export TMPDIR=/lab-tmp VMPOWER_TEST_PATIENCE=120 VMPOWER_HOTPLUG=yes VMPOWER_IN_LAB=yes
echo 2 >/proc/sys/kernel/perf_event_paranoid
PYTHON -c 'import fcntl, socket, struct; fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 0x49))' # SIOCSIFFLAGS: up
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
after_each() { :; }
"""

if os.environ.get("VMPOWER_HAS_TRACE") == "0":
    print("1..0 # SKIP vmpower was built without libbpf")
    sys.exit(0)


sys.exit(programs.run(Lab, sys.argv[1:] or PROGRAMS, SCRIPT))
