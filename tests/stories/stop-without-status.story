# A pause is told after the settle time even if the VM's status is never heard of.
 5.000  qmp      web1 STOP
 9.999  expect   web1 nothing
11.000  expect   web1 pause by operator, qmp-stop, left paused
