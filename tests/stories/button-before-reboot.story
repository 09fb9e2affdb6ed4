# A button is forgotten once the guest has started anew.
 5.000  qmp      web1 POWERDOWN
 6.000  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by operator, power-button
60.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
60.005  process  web1 exited 0
61.000  expect   web1 poweroff by guest, acpi-s5, certain
61.000  expect   web1 2 verdicts
