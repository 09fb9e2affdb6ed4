# A VMM that is gone just after somebody's SIGTERM, and how was not seen, was most likely ended by that.
 5.000  trace    web1 signal SIGTERM pid=990 comm=sh
 5.300  process  web1 vanished
 6.000  expect   web1 destroy by operator, signal, not graceful, left gone, actor sh, likely, rule signal-exit
