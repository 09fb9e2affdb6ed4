# A watchdog that powers off ends QEMU without another word.
 5.000  qmp      web1 WATCHDOG action=poweroff
 5.002  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, watchdog, not graceful, left gone
