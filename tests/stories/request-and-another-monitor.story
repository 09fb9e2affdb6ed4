# What went through vmpower is by who asked for it, whoever else is connected.
 4.990  vmpower  web1 request stop pid=600 comm=vmpower user=root
 5.000  process  web1 monitor-client event=stop monitor=/run/a.qmp pid=501 comm=qmp-shell user=anna
 5.000  qmp      web1 STOP
 5.001  qmp      web1 status paused
 5.100  expect   web1 pause by operator, qmp-stop, actor vmpower
