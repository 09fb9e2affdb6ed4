# A quit is the operator's; who he is nobody saw.
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.005  process  web1 exited 0
 6.000  expect   web1 destroy by operator, qmp-quit, not graceful, left gone, certain
 6.000  expect   web1 not started
