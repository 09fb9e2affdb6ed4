# With ACPI enabled the PM1 control register of the VM that is held says so, and the poweroff is a soft-off.
policy web1 on_poweroff=preserve
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web1 STOP
 5.001  qmp      web1 pm1-control value=0x2001
 5.002  qmp      web1 status shutdown
 5.002  expect   web1 poweroff by guest, acpi-s5, graceful, left off, rule guest-poweroff
