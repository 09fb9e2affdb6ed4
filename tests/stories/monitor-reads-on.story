# While the monitor's stream is not read to its end, the end of the process is not the last word.
 0.000  qmp      web1 running
 5.005  process  web1 exited 0
 5.005  expect   web1 nothing
 5.100  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown at=5.000
 5.100  qmp      web1 monitor-closed
 5.100  expect   web1 poweroff by guest, acpi-s5, graceful, left gone
 5.100  expect   web1 0 revisions
