# A poweroff through the APM BIOS is known by the PM1 control register of the VM that is held: ACPI was never enabled.
policy old on_poweroff=preserve
 5.000  qmp      old SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      old STOP
 5.001  qmp      old pm1-control value=0x2000
 5.002  qmp      old status shutdown
 5.002  expect   old poweroff by guest, apm, graceful, left off, rule guest-poweroff-apm
