# A VMM that cleans up after a signal and sends it to itself then was ended by whoever sent it first.
 5.000  trace    web1 signal SIGTERM pid=990 comm=kill user=anna
 8.000  trace    web1 signal SIGTERM own=true
 8.001  process  web1 killed SIGTERM
 9.000  expect   web1 destroy by operator, signal, certain, actor kill, rule signal-by-someone
