# A guest that powers itself off two seconds after its power button was pressed obeyed.
 5.000  qmp      web1 POWERDOWN
 6.000  expect   web1 nothing
 7.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 7.005  process  web1 exited 0
 8.000  expect   web1 poweroff by operator, power-button, graceful, certain, rule power-button
