# A guest that powers itself off a quarter of an hour after its power button was pressed did so on its own, most likely.
 5.000  qmp      web1 POWERDOWN
905.00  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
905.01  process  web1 exited 0
906.00  expect   web1 poweroff by guest, acpi-s5, graceful, likely, rule power-button-long-ago
