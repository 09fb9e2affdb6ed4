# It outlived those who looked after it in the host's shutdown, and ended with the host.
 0.000  qmp      web1 running
50.000  host     web1 going-down poweroff pid=1200 comm=systemctl user=anna
60.000  vmpower  web1 gap "the host was started anew"
60.000  host     web1 host-restarted watched=false
60.000  process  web1 vanished
61.000  expect   web1 destroy by host, host-shutdown, not graceful, left gone, certain, actor systemctl, rule host-shutdown-unseen
