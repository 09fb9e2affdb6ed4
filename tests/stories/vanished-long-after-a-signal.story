# A signal that has done nothing for a minute explains nothing.
 5.000  trace    web1 signal SIGHUP pid=990 comm=sh
65.000  process  web1 vanished
66.000  expect   web1 unknown by unknown, unseen, left gone, rule vanished
