# Who stops a VM and ends it right after is heard of by the kernel before QEMU has told of the stop.
 1.000  qmp      web1 running
 5.000  trace    web1 signal SIGTERM pid=990 comm=kill user=anna
 5.001  qmp      web1 STOP
 5.002  qmp      web1 paused
 5.002  expect   web1 pause by operator, qmp-stop
 5.003  qmp      web1 SHUTDOWN guest=false reason=host-signal
 5.004  process  web1 exited 0
 9.000  expect   web1 destroy by operator, signal, certain, actor kill, rule signal-asked
 9.000  expect   web1 2 verdicts
