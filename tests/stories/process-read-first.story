# Within one wakeup the order in which sources are read does not matter.
 5.005  process  web1 exited 0
 5.005  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown at=5.000
 5.005  qmp      web1 monitor-closed
 5.005  expect   web1 poweroff by guest, acpi-s5, graceful, left gone
 5.005  expect   web1 0 revisions
