# A guest that reboots on the power button that its watchdog pressed was rebooted by its watchdog.
 5.000  qmp      web1 WATCHDOG action=shutdown
 5.000  qmp      web1 POWERDOWN
 7.000  qmp      web1 RESET guest=true reason=guest-reset
 8.000  expect   web1 reboot by guest, watchdog, not graceful
