# A watchdog that does nothing changes nothing.
 5.000  qmp      web1 WATCHDOG action=none
 1m     expect   web1 nothing
61.000  qmp      web1 RESET guest=true reason=guest-reset
62.000  expect   web1 reboot by guest, guest-reset
