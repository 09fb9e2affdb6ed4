# A system_reset is followed by the firmware's own reset of the guest: one reboot, by the operator.
 5.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
 5.055  qmp      web1 RESET guest=true reason=guest-reset
 6.000  expect   web1 reboot by operator, qmp-reset, not graceful, left running, count 1
 1h     expect   web1 1 verdict
 1h     expect   web1 0 revisions
