# A guest's last word that is read after the end of its process revises the verdict.
 0.000  qmp      web1 running
 5.005  process  web1 exited 0
 6.000  expect   web1 unknown by unknown, process-exit, guess, rule exit-unexplained
 7.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown at=5.000
 7.000  expect   web1 poweroff by guest, acpi-s5, graceful, left gone, certain
 7.000  expect   web1 1 verdict
 7.000  expect   web1 1 revision
