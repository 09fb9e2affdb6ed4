# A button pressed while the guest was suspended is forgotten once it wakes.
 5.000  qmp      web1 SUSPEND
 6.000  qmp      web1 POWERDOWN
10.000  qmp      web1 WAKEUP
60.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
60.005  process  web1 exited 0
61.000  expect   web1 poweroff by guest, acpi-s5, certain
61.000  expect   web1 3 verdicts
