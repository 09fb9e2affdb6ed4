"""Xen's domains for the tests in dom0, made by xl and looked at through the store that all of Xen's tools share.

A domain is Debian's stock kernel with our init (guests/init.c), which does its action and, if that is idle, what Xen's tools ask for.
"""

import contextlib
import ctypes
import os
import re
import socket
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../qemu"))
from world import *

LAB = os.environ["VMPOWER_XEN_LAB"]
# PV: 64 MiB have no room for the unpacked kernel and its page tables.
MEMORY_MIB = 96
# A guest's boot under emulation is what a test costs: these take a third of it away. What is left out is what a kernel does to its own code and pages.
# clearcpuid=4, no TSC: it would measure for half a second what Xen tells it. (PVH needs one, and measures for four.)
QUIET = "console=hvc0 quiet cryptomgr.notests audit=0 mitigations=off noreplace-smp rodata=off initcall_blacklist=init_kprobe_trace"
QUIET_PV = QUIET + " clearcpuid=4"


class Store:
    """A connection to xenstored, of one thread: xen/include/public/io/xs_wire.h."""

    DIRECTORY, READ, WATCH, WRITE, REMOVE, EVENT, ERROR = 1, 2, 4, 11, 13, 15, 16
    HEADER = struct.Struct("=4I")  # type, request, transaction, length

    def __init__(self):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect("/run/xenstored/socket")
        self.n_events = 0

    def _receive(self, n):
        data = b""
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            assert more, "xenstored has gone"
            data += more
        return data

    def _message(self):
        kind, _, _, length = self.HEADER.unpack(self._receive(self.HEADER.size))
        return kind, self._receive(length)

    def _ask(self, kind, *words):
        data = b"\0".join(word.encode() for word in words)
        self.socket.sendall(self.HEADER.pack(kind, 0, 0, len(data)) + data)
        while (answer := self._message())[0] == self.EVENT:
            self.n_events += 1
        return None if answer[0] == self.ERROR else answer[1].decode(errors="replace")

    def read(self, path):
        """None: there is no such node."""
        return self._ask(self.READ, path + "\0")

    def write(self, path, value):
        assert self._ask(self.WRITE, path, value) is not None, path

    def remove(self, path):
        assert self._ask(self.REMOVE, path + "\0") is not None, path

    def names_in(self, path):
        return (self._ask(self.DIRECTORY, path + "\0") or "").split("\0")[:-1]

    def wait_until(self, holds, path, what, timeout=PATIENCE):
        """What it returns that is true, looked at whenever something at the path changes; "@releaseDomain": whenever a domain ends, or is gone."""
        deadline = time.monotonic() + timeout
        self._ask(self.WATCH, path, "it\0")
        while not (found := holds()):
            if not self.n_events:
                if not wait_readable(self.socket, deadline - time.monotonic()):
                    raise Timeout(f"not within {timeout:.0f} s: {what}")
                self._message()
            self.n_events = 0
        return found

    def close(self):
        self.socket.close()


def xl(*words, status=0, timeout=PATIENCE):
    """What it says."""
    process = popen(["xl", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    told, _ = process.communicate(timeout=timeout)
    assert status is None or process.returncode == status, f"xl {' '.join(words)} ended with {process.returncode}: {told}"
    return told


REBOOT, CRASH_CODE, WATCHDOG, SOFT_RESET = 1, 3, 4, 5  # xen/include/public/sched.h


@contextlib.contextmanager
def interface_of_xen():
    """Xen's own library, and its first argument."""
    xenctrl = ctypes.CDLL("libxenctrl.so.4.17")
    xenctrl.xc_interface_open.restype = ctypes.c_void_p
    interface = ctypes.c_void_p(xenctrl.xc_interface_open(None, None, 0))
    yield xenctrl, interface
    xenctrl.xc_interface_close(interface)


def shut_down(id, reason):
    """As its guest may, with that code, and without waiting for its boot: SCHEDOP_remote_shutdown."""
    with interface_of_xen() as (xenctrl, interface):
        assert xenctrl.xc_domain_shutdown(interface, ctypes.c_uint32(id), reason) == 0, (id, reason)


def is_suspended_to_ram(id):
    """HVM_PARAM_ACPI_S_STATE (xen/include/public/hvm/params.h): nothing else shows it."""
    state = ctypes.c_uint64()
    with interface_of_xen() as (xenctrl, interface):
        assert xenctrl.xc_hvm_param_get(interface, ctypes.c_uint32(id), ctypes.c_uint32(14), ctypes.byref(state)) == 0, id
    return state.value == 3


def pause_nobody(times):
    """Ask Xen for the pause of a domain that there is not."""
    with interface_of_xen() as (xenctrl, interface):
        for _ in range(times):
            assert xenctrl.xc_domain_pause(interface, ctypes.c_uint32(0x7000)) < 0


class Domain:
    """One that is gone when the test is over.

    kind         "pv" or "pvh"; "hvm": hvm.py
    background   an xl stays behind and sees to it; without it nobody does
    extra        more of the kernel's command line, e.g. "acpi=off", "vmpower.delay=5"
    options      more of its configuration, e.g. on_poweroff="preserve"
    """

    def __init__(self, world, name, kind="pv", action="idle", background=True, extra="", memory=MEMORY_MIB, **options):
        self.world, self.name, self.action, self.background = world, name, action, background
        self.console = f"/var/log/xen/console/guest-{name}.log"
        self.log = f"/var/log/xen/xl-{name}.log"
        if os.path.exists(self.console):  # of one of that name, of another test
            os.unlink(self.console)
        options = {
            "name": name, "type": kind, "memory": memory, "vcpus": 1, "kernel": LAB + "/guest-kernel", "ramdisk": LAB + "/guest-initrd",
            "extra": f"{QUIET_PV if kind == 'pv' else QUIET} vmpower.action={action} {extra}" if kind != "hvm" else None, **options,
        }  # fmt: skip
        self.configuration = world.write(name + ".cfg", "".join(f"{key} = {value!r}\n" for key, value in options.items() if value is not None))
        self.store = Store()
        world.later(self.close)
        self.id = None

    def create(self, *words):
        """`words`: -p, for instance."""
        xl("create", *([] if self.background else ["-e"]), *words, self.configuration)
        self.id = self.find()
        return self

    def find(self):
        """Its number now, or None; a restart changes it."""
        ids = [id for id in self.store.names_in("/local/domain") if self.store.read(f"/local/domain/{id}/name") == self.name]
        return int(ids[-1]) if ids else None

    def path(self, node):
        return f"/local/domain/{self.id}/{node}"

    def state(self):
        """The letters of xl list, e.g. "--p---", or None."""
        told = xl("list", self.name, status=None).splitlines()[-1].split()
        return told[-2] if told[0] == self.name else None

    def wait_booted(self, times=1):
        """Until its init has said for so many times that it does its action: from then on it hears Xen's tools, too."""
        wait_for_content(self.console, f"vmpower-init: {self.action}", count=times)

    def has_acted(self):
        """Has its init come to do its action?  Some PVH guests of this emulation crash in their boot."""
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return f"vmpower-init: {self.action}" in file.read()

    def wait_gone(self, timeout=PATIENCE):
        """Until there is nothing of it, and its xl has ended."""
        self.store.wait_until(lambda: self.store.read(self.path("vm")) is None, self.path("vm"), f"{self.name} is gone", timeout)
        if self.background:
            wait_for_end(self.xl_pid(), timeout)

    def wait_restarted(self, timeout=PATIENCE):
        """Until it has another number."""
        self.id = self.store.wait_until(lambda: (now := self.find()) != self.id and now, "@introduceDomain", f"{self.name} is there again", timeout)

    def wait_state(self, letter, timeout=PATIENCE):
        """Until xl list has that letter: "s", it has shut down."""
        self.store.wait_until(lambda: letter in (self.state() or ""), "@releaseDomain", f"{self.name} is in state {letter}", timeout)

    def xl_log(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def xl_pid(self):
        """The process that stays behind."""
        return int(re.search(r"to die \[pid (\d+)\]", self.xl_log())[1])

    def destroy(self):
        for _ in range(3):  # one that is restarted just now may have a number more
            if (id := self.find()) is None:
                break
            xl("destroy", str(id), status=None)

    def close(self):
        self.destroy()
        if self.background and "to die" in self.xl_log():
            wait_for_end(self.xl_pid())
        self.store.close()


def helper_of(daemon):
    (pid,) = [pid for pid in descendants_of(daemon.process.pid) if comm_of(pid) == "vmpower-source-"]
    return pid


def says_asked(verdict, transition, **members):
    """By way of control/shutdown: certain, unless the guest had taken it before it could be read, and may do by itself what it did then."""
    requests = [item["data"]["request"] for item in evidence_of(verdict, "control-request")]
    assert requests, verdict
    says(verdict, transition, "operator", "xen-control", True, confidence="likely" if requests[-1] == "unseen" and transition != "suspend" else "certain", **members)
