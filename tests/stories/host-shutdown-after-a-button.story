# A button that somebody pressed before the host went down is his, though the guest takes its time.
 5.000  vmpower  web1 request system_powerdown pid=812 comm=vmpower user=anna
 5.001  qmp      web1 POWERDOWN
 6.000  host     web1 going-down poweroff pid=1200 comm=systemctl user=bert
 9.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 9.005  process  web1 exited 0
10.000  expect   web1 poweroff by operator, power-button, graceful, actor vmpower
