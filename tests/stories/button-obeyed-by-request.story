# Whoever asked vmpower to press the power button is the actor.
 4.999  vmpower  web1 request system_powerdown pid=501 comm=vmpower user=anna
 5.000  qmp      web1 POWERDOWN
 7.000  qmp      web1 SHUTDOWN guest=true reason=guest-shutdown
 7.005  process  web1 exited 0
 8.000  expect   web1 poweroff by operator, power-button, graceful, certain, actor vmpower
