# A signal from systemd, while nothing goes down, is an operator's.
 6.000  trace    web1 signal SIGTERM pid=1 comm=systemd user=root
 6.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
 6.010  process  web1 exited 0
 7.000  expect   web1 destroy by operator, signal, not graceful, actor systemd
