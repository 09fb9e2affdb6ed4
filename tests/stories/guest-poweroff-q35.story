# On a q35 a guest's poweroff is a soft-off, too.
machine web1 pc-q35-7.2
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.005  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, acpi-s5, graceful, rule guest-poweroff
