# A watchdog that presses the power button is the cause of what the guest does on it.
 5.000  qmp      web1 WATCHDOG action=shutdown
 5.000  qmp      web1 POWERDOWN
 7.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 7.005  process  web1 exited 0
 8.000  expect   web1 poweroff by guest, watchdog, not graceful
