# A migration's source that is told to quit before its outcome could be asked for was most likely migrated.
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status finish-migrate
 5.050  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.052  process  web1 exited 0
 6.000  expect   web1 migrate by operator, migration, likely, graceful unknown, rule migrated-and-quit
 1h     expect   web1 1 verdict
