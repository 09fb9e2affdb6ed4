# A guest that has not enabled ACPI cannot see a power button, so it did not obey one.
policy old on_poweroff=preserve
 3.000  qmp      old POWERDOWN
 5.000  qmp      old SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      old STOP
 5.001  qmp      old pm1-control value=0x2000
 5.002  qmp      old status shutdown
 5.002  expect   old poweroff by guest, apm, graceful, certain
