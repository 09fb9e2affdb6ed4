# Of two presses the last counts.
 5.000  qmp      web1 POWERDOWN
905.00  qmp      web1 POWERDOWN
907.00  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
907.01  process  web1 exited 0
908.00  expect   web1 poweroff by operator, power-button, certain
