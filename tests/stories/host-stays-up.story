# A shutdown that was called off: what ends a VM after that is not the host.
 5.000  host     web1 going-down reboot pid=1200 comm=systemctl user=anna
 9.000  host     web1 stays-up
20.000  trace    web1 signal SIGTERM pid=1 comm=systemd user=root
20.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
20.010  process  web1 exited 0
21.000  expect   web1 destroy by operator, signal, not graceful, actor systemd
