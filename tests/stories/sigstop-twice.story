# Each stop has its own sender.
 4.999  trace    web1 signal SIGSTOP pid=990 comm=first user=anna
 5.000  process  web1 stopped SIGSTOP
60.000  process  web1 continued
89.999  trace    web1 signal SIGSTOP pid=991 comm=second user=bert
90.000  process  web1 stopped SIGSTOP
90.000  expect   web1 pause by operator, signal, actor second
# … and so has each continuation; whom nobody saw send his is nobody.
 4.999  trace    web2 signal SIGSTOP pid=990 comm=first user=anna
 5.000  process  web2 stopped SIGSTOP
 5.999  trace    web2 signal SIGCONT pid=991 comm=second user=bert
 6.000  process  web2 continued
 6.000  expect   web2 resume by operator, signal, actor second
 7.000  process  web2 stopped SIGSTOP
 7.000  expect   web2 pause by operator, signal, actor nobody
 8.000  process  web2 continued
 8.000  expect   web2 resume by operator, signal, actor nobody
