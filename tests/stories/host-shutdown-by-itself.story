# A guest that powers itself off while its host goes down, and that nobody on the host had asked, did it itself.
 5.000  host     web1 going-down poweroff
 9.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 9.005  process  web1 exited 0
10.000  expect   web1 poweroff by guest, acpi-s5, graceful
