# Who alone is connected to another monitor of the VM when it is told to quit has told it, most likely.
 5.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 5.000  process  web1 monitor-client event=shutdown monitor=/run/web1.qmp pid=501 comm=qmp-shell user=anna
 5.005  process  web1 exited 0
 6.000  expect   web1 destroy by operator, qmp-quit, not graceful, certain, actor qmp-shell
 6.000  expect   web1 0 revisions
