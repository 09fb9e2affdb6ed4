# A guest that powers itself off five minutes after its power button was pressed obeyed, most likely.
 5.000  qmp      web1 POWERDOWN
305.00  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
305.01  process  web1 exited 0
306.00  expect   web1 poweroff by operator, power-button, graceful, likely, rule power-button-slow
