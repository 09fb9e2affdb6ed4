# A kill has a sender where the trace saw it.
 0.000  qmp      web1 running
 5.000  trace    web1 signal SIGKILL pid=990 comm=kill user=anna
 5.001  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by operator, signal, not graceful, left gone, certain, actor kill
