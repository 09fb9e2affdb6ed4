# A guest's poweroff within 10 ms of somebody's signal is likely the guest's own, not certainly.
 5.000  trace    web1 signal SIGTERM pid=812 comm=kill user=anna
 5.003  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.010  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, acpi-s5, graceful, likely
