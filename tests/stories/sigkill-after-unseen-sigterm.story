# Who sent the second signal is not taken for the sender of the first.
 5.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
 8.000  trace    web1 signal SIGKILL pid=991 comm=second user=bert
 8.001  process  web1 killed SIGKILL
 9.000  expect   web1 destroy by operator, signal, rule signal-asked
