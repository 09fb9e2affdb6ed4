# An owner whose guest takes long to shut down may say so.
policy db1 button_certain=600
policy db1 button_likely=1800
 5.000  qmp      db1 POWERDOWN
305.00  qmp      db1 SHUTDOWN guest=true reason=guest-shutdown
305.01  process  db1 exited 0
306.00  expect   db1 poweroff by operator, power-button, graceful, certain
