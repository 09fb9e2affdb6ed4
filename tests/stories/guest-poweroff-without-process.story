# Without a process to watch, the end of the monitor is the end of the VM.
 0.000  qmp      web1 running
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.000  expect   web1 nothing
 5.001  qmp      web1 monitor-closed
 5.001  expect   web1 poweroff by guest, acpi-s5, graceful, left gone, destroy done
