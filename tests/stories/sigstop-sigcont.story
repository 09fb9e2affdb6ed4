# A VMM that is stopped and continued by signals is paused and resumed.
 4.999  trace    web1 signal SIGSTOP pid=990 comm=kill user=anna
 5.000  process  web1 stopped SIGSTOP
 5.000  expect   web1 pause by operator, signal, graceful unknown, left paused, actor kill
59.999  trace    web1 signal SIGCONT pid=991 comm=fg user=anna
60.000  process  web1 continued
60.000  expect   web1 resume by operator, signal, graceful unknown, left running, actor fg
60.000  expect   web1 2 verdicts
