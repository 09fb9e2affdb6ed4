# A signal that a VMM has handled long before did not end it: another of the same number did.
 5.000  trace    web1 signal SIGTERM pid=990 comm=first user=anna
20.000  trace    web1 signal SIGTERM pid=991 comm=second user=bert
20.001  process  web1 killed SIGTERM
21.000  expect   web1 destroy by operator, signal, certain, actor second, rule signal-by-someone
