# A button that was pressed in a shutdown which was called off later was the host's; the guest obeys somebody else's.
 5.000  host     web1 going-down
 6.000  host     web1 stays-up
30.000  vmpower  web1 request system_powerdown pid=812 comm=vmpower user=anna
30.001  qmp      web1 POWERDOWN
32.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
32.005  process  web1 exited 0
33.000  expect   web1 poweroff by operator, power-button, graceful, certain, actor vmpower
