# With -no-shutdown the guest's poweroff leaves the VM off, and the quit that clears it away is no verdict of its own.
policy web1 on_poweroff=preserve
 0.000  qmp      web1 running
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 5.000  qmp      web1 STOP
 5.002  qmp      web1 status shutdown
 5.002  expect   web1 poweroff by guest, acpi-s5, graceful, left off, preserve none
 10m    qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 10m    process  web1 exited 0
 1h     expect   web1 poweroff by guest, acpi-s5, graceful, left off
 1h     expect   web1 1 verdict
 1h     expect   web1 0 revisions
