# A guest that suspends and is woken a thousand times makes few verdicts, all in order.
 5.000  qmp      web1 SUSPEND repeat 1000 every 100ms
 5.050  qmp      web1 WAKEUP repeat 1000 every 100ms
 30m    expect   web1 wake by unknown, acpi-s3
 1h     qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 1h     process  web1 exited 0
 2h     expect   web1 poweroff by guest, acpi-s5
