# QEMU says that the guest was reset, the kernel how; a guest that tries several ways used the first.
 0.000  qmp      web1 running
 4.999  trace    web1 port-write port=0xcf9 value=14 pc=true
 4.9995 trace    web1 port-write port=0x64 value=254 pc=true
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 5.020  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by guest, reset-cf9, graceful unknown, left running, count 1, certain
# What was written for the firmware's second reset is not the way of the next one.
 4.999  trace    web2 port-write port=0x64 value=254 pc=true
 5.000  qmp      web2 RESET guest=true reason=guest-reset
 5.299  trace    web2 port-write port=0x64 value=254 pc=true
 5.300  qmp      web2 RESET guest=true reason=guest-reset
 5.950  trace    web2 port-write port=0xcf9 value=14 pc=true
 5.951  qmp      web2 RESET guest=true reason=guest-reset
 6.000  expect   web2 reboot by guest, reset-cf9, certain, count 1
 4.999  trace    web3 kvm-exit reason=shutdown pc=true
 5.000  qmp      web3 RESET guest=true reason=guest-reset
 5.299  trace    web3 kvm-exit reason=shutdown pc=true
 5.300  qmp      web3 RESET guest=true reason=guest-reset
 5.950  trace    web3 port-write port=0xcf9 value=14 pc=true
 5.951  qmp      web3 RESET guest=true reason=guest-reset
 6.000  expect   web3 reboot by guest, reset-cf9, certain, count 1
