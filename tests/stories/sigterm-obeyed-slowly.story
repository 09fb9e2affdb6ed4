# A VMM that takes its time to end was ended by the first who asked, not by the second who could not wait.
 5.000  trace    web1 signal SIGTERM pid=990 comm=first user=anna
 9.000  trace    web1 signal SIGTERM pid=991 comm=second user=bert
12.000  process  web1 exited 0
13.000  expect   web1 destroy by operator, signal, likely, actor first, rule signal-exit
