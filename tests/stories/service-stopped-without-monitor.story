# The unit is named where a service manager ended it.
 6.000  trace    web1 signal SIGTERM unit=web1.service pid=1 comm=systemd user=root
 6.010  process  web1 exited 0
 7.000  expect   web1 destroy by operator, signal, not graceful, actor systemd
