# A watchdog that fired a minute before a reboot did not make it.
 5.000  qmp      web1 WATCHDOG action=reset
65.000  qmp      web1 RESET guest=true reason=guest-reset
66.000  expect   web1 reboot by guest, guest-reset
