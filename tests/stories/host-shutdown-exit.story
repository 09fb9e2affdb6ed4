# Nobody saw the signal, and nobody held its monitor: most likely the host ended it.
 5.000  host     web1 going-down poweroff pid=1200 comm=systemctl user=anna
 6.010  process  web1 exited 0
 7.000  expect   web1 destroy by host, host-shutdown, not graceful, left gone, likely, actor systemctl
