# Suspend to disk is hibernation, not a poweroff.
 5.000  qmp      web1 SUSPEND_DISK
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.005  process  web1 exited 0
 6.000  expect   web1 hibernate by guest, acpi-s4, graceful, left gone, certain
 6.000  expect   web1 1 verdict
