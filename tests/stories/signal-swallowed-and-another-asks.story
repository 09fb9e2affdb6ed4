# A signal that a debugger has kept for itself did not end the VMM: what was sent right before its word did.
 5.000  trace    web1 signal SIGINT pid=990 comm=first user=anna
20.000  trace    web1 signal SIGTERM pid=991 comm=second user=bert
20.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
20.010  process  web1 exited 0
21.000  expect   web1 destroy by operator, signal, certain, actor second, rule signal-asked
 5.000  trace    web2 signal SIGINT pid=990 comm=first user=anna
20.000  trace    web2 signal SIGTERM pid=991 comm=second user=bert
20.010  process  web2 exited 0
21.000  expect   web2 destroy by operator, signal, likely, actor second, rule signal-exit
