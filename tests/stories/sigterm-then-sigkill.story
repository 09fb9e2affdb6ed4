# The first of two signals destroyed the VM.
 5.000  trace    web1 signal SIGTERM pid=990 comm=first user=anna
 5.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
 8.000  trace    web1 signal SIGKILL pid=991 comm=second user=bert
 8.001  process  web1 killed SIGKILL
 9.000  expect   web1 destroy by operator, signal, certain, actor first
 9.000  expect   web1 1 verdict
