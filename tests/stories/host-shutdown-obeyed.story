# A guest that was asked while its host went down, and obeyed, went in order.
policy web1 on_poweroff=restart
 5.000  host     web1 going-down pid=1200 comm=systemctl user=anna
 5.500  qmp      web1 POWERDOWN
12.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
12.005  process  web1 exited 0
13.000  expect   web1 poweroff by host, host-shutdown, graceful, left gone
13.000  expect   web1 not started
