# A button pressed on a panicked guest explains nothing of what its next boot does.
policy web1 on_crash=leave
 5.000  qmp      web1 GUEST_PANICKED action=run
 6.000  qmp      web1 POWERDOWN
 7.000  qmp      web1 RESET guest=true reason=guest-reset
30.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
30.005  process  web1 exited 0
31.000  expect   web1 poweroff by guest, acpi-s5, certain
