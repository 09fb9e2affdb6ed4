# What happens to one VM is nothing to the other.
 5.000  qmp      web1 POWERDOWN
 6.000  qmp      web2 SHUTDOWN guest=true reason=guest-shutdown
 6.005  process  web2 exited 0
 7.000  expect   web2 poweroff by guest, acpi-s5, certain
 7.000  expect   web1 nothing
 8.000  process  web1 killed SIGKILL
 8.100  expect   web1 destroy by operator, signal
 8.100  expect   web2 1 verdict
