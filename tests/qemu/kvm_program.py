#!/usr/bin/env python3
"""A program that uses KVM and is no QEMU.

    kvm_program.py asks            makes a VM without a vCPU, as who asks what KVM can do
    kvm_program.py runs [SECONDS]  makes a VM, and so long after that its vCPU, whose guest runs for ever
"""

import ctypes
import fcntl
import mmap
import struct
import sys
import time

# Linux, include/uapi/linux/kvm.h; struct kvm_sregs is 312 bytes on x86, and begins with cs: base, limit, selector.
CREATE_VM, CREATE_VCPU, RUN = 0xAE01, 0xAE41, 0xAE80
SET_MEMORY, GET_SREGS, SET_SREGS, SET_REGS = 0x4020AE46, 0x8138AE83, 0x4138AE84, 0x4090AE82

kvm = open("/dev/kvm", "rb+", buffering=0)
vm = fcntl.ioctl(kvm, CREATE_VM, 0)
if sys.argv[1] == "runs":
    time.sleep(float(sys.argv[2]) if sys.argv[2:] else 0)
    memory = mmap.mmap(-1, 4096)
    memory[:2] = b"\xeb\xfe"  # jmp $
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    fcntl.ioctl(vm, SET_MEMORY, struct.pack("=IIQQQ", 0, 0, 0, 4096, address))
    vcpu = fcntl.ioctl(vm, CREATE_VCPU, 0)
    sregs = bytearray(312)
    fcntl.ioctl(vcpu, GET_SREGS, sregs)
    sregs[:8] = bytes(8)
    sregs[12:14] = bytes(2)
    fcntl.ioctl(vcpu, SET_SREGS, sregs)
    fcntl.ioctl(vcpu, SET_REGS, struct.pack("=18Q", *[0] * 17, 2))
print("ready", flush=True)
if sys.argv[1] == "runs":
    fcntl.ioctl(vcpu, RUN, 0)
sys.stdin.read()
