# A signal whose sender nobody saw is an operator's all the same: QEMU says so itself.
 5.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
 5.005  process  web1 exited 0
 6.000  expect   web1 destroy by operator, signal, not graceful, certain
