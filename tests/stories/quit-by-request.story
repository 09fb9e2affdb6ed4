# A quit that came through vmpower has an actor.
 4.990  vmpower  web1 request quit pid=501 comm=virt-tool user=anna
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.005  process  web1 exited 0
 6.000  expect   web1 destroy by operator, qmp-quit, not graceful, actor virt-tool
