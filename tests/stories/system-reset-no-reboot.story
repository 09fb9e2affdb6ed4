# With -no-reboot a system_reset ends the VM.
policy web1 on_reboot=destroy
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-system-reset
 5.005  process  web1 exited 0
 6.000  expect   web1 reboot by operator, qmp-reset, not graceful, left gone, destroy done
