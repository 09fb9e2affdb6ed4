# A watchdog that pauses the VM is told apart from somebody's stop.
 5.000  qmp      web1 WATCHDOG action=pause
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status watchdog
 5.001  expect   web1 pause by guest, watchdog, not graceful, left paused
