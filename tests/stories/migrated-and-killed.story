# Whoever clears the source of a migration away by a signal, at once, has not ended the VM.
 1.000  vmpower  web1 request migrate pid=501 comm=tool user=anna
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status finish-migrate
 5.021  qmp      web1 status postmigrate
 5.021  trace    web1 signal SIGKILL pid=502 comm=kill user=root
 5.022  process  web1 killed SIGKILL
 6.000  expect   web1 migrate by operator, migration, certain, actor tool, rule migrated
 1h     expect   web1 1 verdict
# Killed before it was through: the VM is lost, and whoever did that is told.
 1.000  vmpower  web2 request migrate pid=501 comm=tool user=anna
 5.000  qmp      web2 STOP
 5.001  qmp      web2 status finish-migrate
 5.021  trace    web2 signal SIGKILL pid=502 comm=kill user=root
 5.022  process  web2 killed SIGKILL
 6.000  expect   web2 destroy by operator, signal, certain, actor kill
 1h     expect   web2 2 verdicts
