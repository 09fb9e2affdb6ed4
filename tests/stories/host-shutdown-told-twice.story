# Whoever tells it again, and does not know who asked, takes nobody's name away.
 5.000  host     web1 going-down poweroff pid=1200 comm=systemctl user=anna
 7.000  host     web1 going-down
 8.000  qmp      web1 SHUTDOWN guest=false reason=host-signal
 8.010  process  web1 exited 0
 9.000  expect   web1 destroy by host, host-shutdown, actor systemctl
