# A VM that was migrated while it was paused and is then told to quit was migrated, too.
 5.000  qmp      web1 STOP
 5.100  qmp      web1 status paused
 5.100  expect   web1 pause by operator, qmp-stop
60.000  qmp      web1 status postmigrate
61.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
61.005  process  web1 exited 0
62.000  expect   web1 migrate by operator, migration, left gone
62.000  expect   web1 2 verdicts
