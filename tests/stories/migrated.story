# A VM that has been migrated and is then told to quit was migrated: that is no stop.
 5.000  qmp      web1 STOP
 5.100  qmp      web1 status postmigrate
 5.100  expect   web1 migrate by operator, migration, graceful unknown
 6.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 6.005  process  web1 exited 0
 1h     expect   web1 migrate by operator, migration
 1h     expect   web1 1 verdict
 1h     expect   web1 0 revisions
