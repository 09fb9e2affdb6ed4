# The outcome of a migration's last phase and the quit that clears its source away come together: one story.
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status postmigrate
 5.001  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.003  process  web1 exited 0
 6.000  expect   web1 migrate by operator, migration, graceful unknown, rule migrated
 1h     expect   web1 1 verdict
