# A VMM that is stopped takes a SIGTERM when it is continued: that ends it, whoever continued it.
 4.999  trace    web1 signal SIGSTOP pid=990 comm=kill user=anna
 5.000  process  web1 stopped SIGSTOP
 5.000  expect   web1 pause by operator, signal, graceful unknown, left paused, actor kill
 9.000  trace    web1 signal SIGTERM pid=992 comm=sh user=bert
59.999  trace    web1 signal SIGCONT pid=991 comm=fg user=anna
60.000  process  web1 continued
60.000  expect   web1 resume by operator, signal, graceful unknown, left running, actor fg
60.010  process  web1 exited 0
61.000  expect   web1 destroy by operator, signal, left gone, likely, actor sh, rule signal-exit
61.000  expect   web1 3 verdicts
