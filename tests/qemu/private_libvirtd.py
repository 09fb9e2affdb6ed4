"""A libvirtd of one's own, beside the system's, if there is one: all that it writes is in a file system of its own, which goes with it."""

import os
import sys

ALONE = """
mkdir "$1/run" "$1/lib" "$1/cache" "$1/log" &&
mount --bind "$1/qemu.conf" /etc/libvirt/qemu.conf && mkdir -p /run/libvirt && mount --bind "$1/run" /run/libvirt &&
mount --bind "$1/lib" /var/lib/libvirt && mount --bind "$1/cache" /var/cache/libvirt && mount --bind "$1/log" /var/log/libvirt &&
exec libvirtd --config "$1/libvirtd.conf" --pid-file "$1/pid"
"""
# Its QEMUs are orphans, and it waits for them to be reaped: by one who does nothing else, not by whatever is process 1 here.
REAPER = """
import ctypes, os, subprocess, sys
ctypes.CDLL(None).prctl(36, 1)  # PR_SET_CHILD_SUBREAPER
first = subprocess.Popen(sys.argv[1:]).pid
while os.wait()[0] != first:
    pass
"""
# As little around QEMU as can be: no log daemon, no cgroups, no namespaces, no other user.
QEMU_CONF = """user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
stdio_handler = "file"
"""


def command(directory):
    """Its configuration is written into that directory, where its socket will be, libvirt-sock, and its pid; the words that start it."""
    for name, text in (("qemu.conf", QEMU_CONF), ("libvirtd.conf", f'unix_sock_dir = "{directory}"\n')):
        with open(os.path.join(directory, name), "w", encoding="utf-8") as file:
            file.write(text)
    return [sys.executable, "-c", REAPER, "unshare", "--mount", "sh", "-c", ALONE, "sh", directory]
