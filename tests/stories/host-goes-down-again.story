# Called off once, and asked for again by somebody else: the second one it was.
 5.000  host     web1 going-down reboot pid=1200 comm=systemctl user=anna
 9.000  host     web1 stays-up
20.000  host     web1 going-down poweroff pid=1300 comm=shutdown user=bert
20.500  qmp      web1 SHUTDOWN guest=false reason=host-signal
20.510  process  web1 exited 0
21.000  expect   web1 destroy by host, host-shutdown, not graceful, certain, actor shutdown
