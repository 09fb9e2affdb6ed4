#!/usr/bin/env python3
"""A cgroup of version 2, whatever this host has: Debian's stock kernel is booted with QEMU, and in it the real program runs a real QEMU that wants
more memory than its cgroup may have.
"""

import importlib.machinery
import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, ".."))
from tap import Failed, Skip, expect, run

VMPOWER, GUESTS = os.environ["VMPOWER"], os.environ["VMPOWER_GUESTS"]
KERNEL = os.path.join(os.environ.get("VMPOWER_CACHE_DIR", os.path.expanduser("~/.cache/vmpower")), "cloud-amd64", "vmlinuz")
PATIENCE = 120  # seconds: software emulation on a busy machine

INIT = r"""#!/bin/sh
export PATH=/bin VMPOWER_STATE_DIR=/state VMPOWER_RUN_DIR=/run/vmpower ASAN_OPTIONS=detect_leaks=0
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs run /run
mount -t cgroup2 none /sys/fs/cgroup
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir /sys/fs/cgroup/vm
echo 100000000 >/sys/fs/cgroup/vm/memory.max
vmpower run --quiet --name vm --verdict /verdict -- sh -c 'echo $$ >/sys/fs/cgroup/vm/cgroup.procs; exec "$@"' sh \
        qemu-system-x86_64 -M pc -accel tcg -m 256 -mem-prealloc -display none -nodefaults -bios /probe.rom \
        -fw_cfg name=opt/vmpower/action,string=idle
echo "run: $?"
cat /sys/fs/cgroup/vm/memory.events
echo "<verdict>"
cat /verdict
echo "</verdict>"
echo o >/proc/sysrq-trigger
sleep 100
"""


def archive_of_make_initrd():
    loader = importlib.machinery.SourceFileLoader("make_initrd", os.path.join(HERE, "..", "..", "guests", "make-initrd"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_initrd", loader))
    loader.exec_module(module)
    return module.Archive()


class Root:
    """Programs with their libraries, as an initrd."""

    def __init__(self):
        self.archive, self.there = archive_of_make_initrd(), set()

    def directory(self, path):
        if path not in self.there and path not in ("", "/"):
            self.directory(os.path.dirname(path))
            self.there.add(path)
            self.archive.add(path.strip("/"), stat.S_IFDIR | 0o755)

    def file(self, path, content):
        if path not in self.there:
            self.directory(os.path.dirname(path))
            self.there.add(path)
            self.archive.add(path.strip("/"), stat.S_IFREG | 0o755, content)

    def copy(self, source, path):
        with open(os.path.realpath(source), "rb") as file:
            self.file(path, file.read())

    def program(self, source, path):
        self.copy(source, path)
        libraries = subprocess.run(["ldd", source], stdout=subprocess.PIPE, text=True, check=True).stdout
        for library in re.findall(r"(/\S+) \(0x", libraries):
            self.copy(library, library)

    def bytes(self):
        self.archive.add("TRAILER!!!", 0)
        return self.archive.data


def make_root():
    root = Root()
    for path in ("/dev", "/proc", "/sys", "/run", "/state", "/tmp"):
        root.directory(path)
    root.archive.add("dev/console", stat.S_IFCHR | 0o600, device=(5, 1))
    for name in ("sh", "mount", "mkdir", "cat", "sleep", "qemu-system-x86_64"):
        root.program(shutil.which(name), "/bin/" + name)
    root.program(VMPOWER, "/bin/vmpower")
    root.copy(os.path.join(GUESTS, "probe.rom"), "/probe.rom")
    root.copy("/etc/passwd", "/etc/passwd")
    root.file("/init", INIT.encode())
    return root.bytes()


def the_oom_killer_of_a_cgroup_of_version_2_is_seen():
    if not os.path.exists(KERNEL):
        raise Skip(f"{KERNEL} is not there: scripts/fetch-kernels gets it")
    with tempfile.NamedTemporaryFile(prefix="vmpower-initrd-") as initrd:
        initrd.write(make_root())
        initrd.flush()
        done = subprocess.run(
            ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-m", "1400", "-kernel", KERNEL, "-initrd", initrd.name,
             "-append", "console=ttyS0 quiet panic=-1", "-display", "none", "-nodefaults", "-serial", "stdio", "-no-reboot"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=PATIENCE, check=False)
    said = done.stdout.decode(errors="replace").replace("\r", "")
    found = re.search(r"<verdict>\n(.*)</verdict>", said, re.DOTALL)
    if not found or not re.search(r"^oom_kill 1$", said, re.MULTILINE):
        raise Failed(f"there is no verdict, or no OOM kill:\n{said[-3000:]}")
    verdict = json.loads(found[1])
    got = tuple(verdict[key] for key in ("transition", "initiator", "mechanism", "graceful", "left"))
    counts = [fact["data"]["count"] for fact in verdict["evidence"] if fact["kind"] == "oom-kill" and fact["source"] == "process"]
    expect([f"it was {got}"] * (got != ("destroy", "host", "oom-kill", False, "gone")) + [f"the cgroup counted {counts}"] * (counts != [1]) +
           ["run did not end with 12"] * ("run: 12\n" not in said))


run([(the_oom_killer_of_a_cgroup_of_version_2_is_seen.__name__, the_oom_killer_of_a_cgroup_of_version_2_is_seen)])
