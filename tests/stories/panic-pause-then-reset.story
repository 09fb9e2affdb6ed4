# A panicked guest that somebody resets and continues runs again.
policy web1 on_crash=preserve
 5.000  qmp      web1 GUEST_PANICKED action=pause
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status guest-panicked
60.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
60.000  expect   web1 reboot by operator, qmp-reset
60.100  qmp      web1 RESUME
60.100  expect   web1 resume by operator, qmp-stop
90.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
90.005  process  web1 exited 0
91.000  expect   web1 poweroff by guest, acpi-s5
91.000  expect   web1 4 verdicts
