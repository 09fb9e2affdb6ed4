"""A Xen of our own: Debian's, booted by QEMU on an emulated processor, whose dom0 is Debian's stock kernel on this machine's root (lab.py).

Xen's tools and their libraries are at the places where their packages would put them, of whatever version the machine has some.
"""

import ctypes
import os
import shutil
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../kvm"))
from lab import ROOT_MODULES, SHARED, Lab, Skip, initrd, kernel, modules_of
from world import CACHE

XEN = os.path.join(CACHE, "xen")
TOOLS = "/usr/lib/xen-4.17/bin"
MODULES = (*ROOT_MODULES, "unix_diag", "xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs")
MIB = 2048
DOM0_MIB = 896

# A virtio device that knows nothing of an IOMMU, or of virtio 1.0, answers the requests of a dom0 for a while, and then no more.
ROOT_DEVICE = "virtio-9p-pci,fsdev=root,mount_tag=root,disable-legacy=on,iommu_platform=on"

# -smap: a PV kernel is in ring 3, and where QEMU 7.2 emulates IRET it reads that frame as a supervisor would: dom0 dies at once.
# -rdtscp: QEMU 7.2 gives it RDTSC's exit code, with which Xen cannot tell how long the instruction was: every PVH guest crashes.
CPU = "max,-smap,-rdtscp"

# eager-fpu: without it, with more than one guest, processes of dom0 get each other's FPU registers in this emulation: they crash at random, or
#     xl is gone and nobody sees to its domain, which looks like a result. Hence also print-fatal-signals, and TROUBLE below.
# spec-ctrl=no: what a processor does against speculation is only slow here.
# dom0_max_vcpus=1: two of them wait for each other actively, and where fewer than two processors of ours are free, that is all they do: it took four times as long.
# bootscrub=0: it would write to all of the memory, and so take it from us.
# no-real-mode: there is no video mode to ask a BIOS for.
XEN_OPTIONS = f"dom0_mem={DOM0_MIB}M,max:{DOM0_MIB}M dom0_max_vcpus=1 com1=115200,8n1 console=com1 no-real-mode bootscrub=0 spec-ctrl=no,eager-fpu"
DOM0_OPTIONS = "console=hvc0 earlyprintk=xen quiet panic=-1 print-fatal-signals=1 mitigations=off cryptomgr.notests "

# The directory of the lab: what domains are made of is there. The device model looks for its keymap beside itself: a link to it would not do. Any user
# has Xen's libraries, as where their packages are installed.
BEGIN = f"""
export VMPOWER_XEN_LAB="${{0%/*}}"
rm -rf /usr/lib/xen-4.17 /etc/xen
ln -s {XEN}/root/usr/lib/xen-4.17 /usr/lib/
ln -s {XEN}/root/etc/xen /etc/
ln -sf {XEN}/root/usr/lib/*-linux-gnu/lib*.so.* /usr/lib/*-linux-gnu/
directory={XEN}
while [ "$directory" ]; do
        chmod a+x "$directory"
        directory="${{directory%/*}}"
done
mkdir -p /usr/libexec
touch /usr/libexec/xen-qemu-system-i386
mount --bind {XEN}/root/usr/libexec/xen-qemu-system-i386 /usr/libexec/xen-qemu-system-i386
export PATH={TOOLS}:{XEN}/root/usr/bin:$PATH
mkdir -p /var/lib/xen /var/log/xen/console /run/xen /run/xenstored
mount -t xenfs xenfs /proc/xen
xenstored
xen-init-dom0 >/dev/null
xenconsoled --log=guest
"""

# What dom0's kernel tells of processes that were ended by a signal that dumps core: the emulation may be the reason, and then no result counts.
# A program that means to end one so says it before and after, in the kernel's log.
MEANT, NOT_MEANT = "vmpower-lab: fatal signals are meant", "vmpower-lab: fatal signals are not meant"
TROUBLE = f"""
dmesg --read-clear | sed -n '/{MEANT}/,/{NOT_MEANT}/d; /fatal signal/{{N; s/\\n.*Comm: \\([^ ]*\\).*/ \\1/; s/.*fatal signal/lab: no: fatal signal/p}}'
"""


def unpack_kernel(image, path):
    """An ELF file of a bzImage whose kernel is packed with LZ4 (Documentation/arch/x86/boot.rst): in dom0 it would take a second for each domain."""
    with open(image, "rb") as file:
        data = file.read()
    at, length = (data[0x1F1] + 1) * 512 + int.from_bytes(data[0x248:0x24C], "little"), int.from_bytes(data[0x24C:0x250], "little")
    packed = data[at + 4 : at + length - 4]  # between a magic number and the length of it all
    assert data[at : at + 4] == b"\x02\x21\x4c\x18", f"{image} is not packed with LZ4"
    lz4, room = ctypes.CDLL("liblz4.so.1"), ctypes.create_string_buffer(8 << 20)
    with open(path, "wb") as file:
        while packed:
            n = int.from_bytes(packed[:4], "little")
            n_unpacked = lz4.LZ4_decompress_safe(packed[4 : 4 + n], room, n, len(room))
            assert n_unpacked >= 0, f"{image} cannot be unpacked"
            file.write(memoryview(room)[:n_unpacked])
            packed = packed[4 + n :]


class XenLab(Lab):
    def __init__(self, script):
        if not os.path.exists(XEN):
            raise Skip(f"{XEN} is not there: scripts/fetch-kernels --xen gets it")
        super().__init__(BEGIN + script)

    def machine(self, action):
        unpack_kernel(kernel("cloud-amd64"), self.directory + "/guest-kernel")
        watchdog, xen_wdt = modules_of("cloud-amd64", ["watchdog", "xen_wdt"])
        shutil.copy(initrd("init", watchdog, xen_wdt + " timeout=2"), self.directory + "/guest-initrd")
        modules = initrd("init", *modules_of("amd64", MODULES))
        return [
            "-cpu", CPU, "-m", str(MIB), "-fsdev", "local,id=root," + SHARED, "-device", ROOT_DEVICE,
            "-kernel", XEN + "/hypervisor", "-append", XEN_OPTIONS, "-initrd", f"{kernel('amd64')} {DOM0_OPTIONS}{action},{modules}",
        ]  # fmt: skip
