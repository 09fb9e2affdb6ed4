# A guest without ACPI powers itself off through its pvpanic device.
 5.000  qmp      web1 GUEST_PVSHUTDOWN
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.005  process  web1 exited 0
 6.000  expect   web1 poweroff by guest, guest-shutdown, graceful, rule guest-poweroff-pvpanic
