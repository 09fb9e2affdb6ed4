# An owner who wants his VM to run has it started again after its own poweroff.
policy web1 on_poweroff=restart
 0.000  qmp      web1 running
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.005  process  web1 exited 0
 5.005  expect   web1 poweroff by guest, acpi-s5, restart pending
 5.005  expect   web1 started
20.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
20.005  process  web1 exited 0
20.005  expect   web1 2 verdicts
