# Somebody asks the VMM to end, and it says so; that another kills it while it does makes him not the one.
 1.000  qmp      web1 status running
 5.000  trace    web1 signal SIGTERM pid=990 comm=kill user=anna
 5.0005 trace    web1 signal SIGKILL pid=991 comm=pkill user=bob
 5.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
 5.002  process  web1 killed SIGKILL
 9.000  expect   web1 destroy by operator, signal, certain, actor kill, rule signal-asked
 9.000  expect   web1 1 verdict
