# Whoever asked for the power button is the actor, however long the guest took.
 4.999  vmpower  web1 request system_powerdown pid=501 comm=vmpower user=anna
 5.000  qmp      web1 POWERDOWN
95.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
95.005  process  web1 exited 0
96.000  expect   web1 poweroff by operator, power-button, certain, actor vmpower
