# A VM is let go, and its guest resets it sooner than QEMU tells that it runs: in which way the kernel has seen.
 1.000  qmp      web1 paused
 5.000  trace    web1 port-write port=0x64 value=254 pc=true
 5.001  qmp      web1 RESUME
 5.001  expect   web1 resume by operator, qmp-stop
 5.002  qmp      web1 RESET guest=true reason=guest-reset
 5.002  expect   web1 reboot by guest, reset-8042, certain
 9.000  expect   web1 2 verdicts
 9.000  expect   web1 0 revisions
