# A watchdog's reset is the watchdog's, though QEMU says that the guest asked for it.
 5.000  qmp      web1 WATCHDOG action=reset
 5.001  qmp      web1 RESET guest=true reason=guest-reset
 5.020  qmp      web1 RESET guest=true reason=guest-reset
 5.050  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by guest, watchdog, not graceful, left running, certain, restart by-vmm
 6.000  expect   web1 1 verdict
