# What was on its way to a monitor that was closed has done nothing, if the VM is there when it is opened again: another did it.
 1.000  qmp      web1 status running
 4.990  vmpower  web1 request quit pid=501 comm=anna
 5.000  vmpower  web1 gap "nobody looked after it for a while"
 5.010  qmp      web1 monitor-opened
 5.011  qmp      web1 status running
 7.000  process  web1 monitor-client event=shutdown monitor=/run/a.qmp pid=502 comm=bob user=bob
 7.000  qmp      web1 SHUTDOWN guest=false reason=host-qmp-quit
 7.010  process  web1 exited 0
 8.000  expect   web1 destroy by operator, qmp-quit, actor bob
 8.000  expect   web1 1 verdict
