# Whoever asked vmpower for the reset is the actor.
 4.990  vmpower  web1 request system_reset pid=501 comm=vmpower user=anna
 5.000  qmp      web1 RESET guest=false reason=host-qmp-system-reset
 6.000  expect   web1 reboot by operator, qmp-reset, not graceful, actor vmpower
