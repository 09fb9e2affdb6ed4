# The same, but it had been asked to power itself off: it may have obeyed.
 0.000  qmp      web1 running
50.000  host     web1 going-down poweroff pid=1200 comm=systemctl user=anna
51.000  qmp      web1 POWERDOWN
60.000  vmpower  web1 gap "the host was started anew"
60.000  host     web1 host-restarted watched=false
60.000  process  web1 vanished
61.000  expect   web1 destroy by host, host-shutdown, left gone, likely, actor systemctl, rule host-restarted
