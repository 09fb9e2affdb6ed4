# QEMU says that the guest was reset, the kernel how; a guest that tries several ways used the first.
 0.000  qmp      web1 running
 4.999  trace    web1 port-write port=0xcf9 value=14 pc=true
 4.9995 trace    web1 port-write port=0x64 value=254 pc=true
 5.000  qmp      web1 RESET guest=true reason=guest-reset
 5.020  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by guest, reset-cf9, graceful unknown, left running, count 1, certain
