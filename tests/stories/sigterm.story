# A signal that ends QEMU in order has a sender: the trace's, or the one that QEMU names itself.
 5.000  trace    web1 signal SIGTERM pid=990 comm=kill user=anna
 5.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
 5.002  stderr   web1 signal SIGTERM pid=990 comm=kill
 5.005  process  web1 exited 0
 6.000  expect   web1 destroy by operator, signal, not graceful, left gone, certain, actor kill, rule signal-asked
