# A VM that is off but held is still there: to destroy it is pending.
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web1 STOP
 5.002  qmp      web1 status shutdown
 5.002  expect   web1 poweroff by guest, acpi-s5, left off, destroy pending
 5.004  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.010  process  web1 exited 0
 6.000  expect   web1 1 verdict
