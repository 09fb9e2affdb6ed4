# A button that was ignored does not explain a poweroff days later.
 5.000  qmp      web1 POWERDOWN
 1m     expect   web1 nothing
 3d     qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 3d     process  web1 exited 0
 4d     expect   web1 poweroff by guest, acpi-s5, graceful, likely, rule power-button-long-ago
