# Each stop has its own sender.
 4.999  trace    web1 signal SIGSTOP pid=990 comm=first user=anna
 5.000  process  web1 stopped SIGSTOP
60.000  process  web1 continued
89.999  trace    web1 signal SIGSTOP pid=991 comm=second user=bert
90.000  process  web1 stopped SIGSTOP
90.000  expect   web1 pause by operator, signal, actor second
