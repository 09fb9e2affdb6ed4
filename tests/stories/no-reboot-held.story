# With -no-reboot and -no-shutdown the reboot leaves the VM off, and the quit that clears it away is no verdict of its own.
policy web1 on_reboot=destroy
 5.000  qmp      web1 SHUTDOWN guest=true reason=guest-reset
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status shutdown
 5.001  expect   web1 reboot by guest, guest-reset, left off, destroy pending
60.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
60.005  process  web1 exited 0
61.000  expect   web1 reboot by guest, guest-reset, left off
61.000  expect   web1 1 verdict
61.000  expect   web1 0 revisions
