# A signal that ends a VMM when it is continued was sent while it was stopped, whichever it was.
 4.999  trace    web1 signal SIGSTOP pid=990 comm=kill user=anna
 5.000  process  web1 stopped SIGSTOP
 9.000  trace    web1 signal SIGUSR1 pid=992 comm=sh user=bert
59.999  trace    web1 signal SIGCONT pid=991 comm=fg user=anna
60.000  process  web1 continued
60.010  process  web1 killed SIGUSR1
61.000  expect   web1 destroy by operator, signal, certain, actor sh, rule signal-by-someone
61.000  expect   web1 3 verdicts
