# A guest that powers itself off is left alone.
policy web1 on_crash=restart
 0.000  qmp      web1 running
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.005  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, acpi-s5, graceful, left gone, certain, count 1, destroy done, rule guest-poweroff
 1h     expect   web1 1 verdict
 1h     expect   web1 0 revisions
 1h     expect   web1 not started
