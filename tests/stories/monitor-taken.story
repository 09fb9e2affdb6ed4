# A monitor that somebody else holds tells nothing; the process still does.
 0.000  qmp      web1 monitor-taken
 5.000  trace    web1 signal SIGKILL pid=990 comm=kill user=anna
 5.001  process  web1 killed SIGKILL
 5.001  expect   web1 destroy by operator, signal, actor kill
