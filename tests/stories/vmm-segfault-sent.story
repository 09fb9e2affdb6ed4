# A SIGSEGV that somebody sent is his doing, not the VMM's.
 5.000  trace    web1 signal SIGSEGV pid=990 comm=kill user=anna
 5.001  process  web1 killed SIGSEGV
 6.000  expect   web1 destroy by operator, signal, not graceful, actor kill
