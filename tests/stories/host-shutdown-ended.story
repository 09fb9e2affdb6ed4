# A VM that is ended while its host goes down was ended by that.
policy web1 on_poweroff=restart
 5.000  host     web1 going-down pid=1200 comm=systemctl user=anna
 6.000  trace    web1 signal SIGTERM pid=1 comm=systemd user=root
 6.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
 6.010  process  web1 exited 0
 7.000  expect   web1 destroy by host, host-shutdown, not graceful, left gone, actor systemctl
 7.000  expect   web1 not started
