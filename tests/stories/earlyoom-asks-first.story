# A daemon that frees memory asks with SIGTERM first.
 5.000  trace    web1 signal SIGTERM pid=77 comm=earlyoom uid=0 exe=/usr/bin/earlyoom user=root
 5.001  qmp      web1 SHUTDOWN guest=false reason=host-signal
 5.010  process  web1 exited 0
 6.000  expect   web1 destroy by host, oom-kill, not graceful, actor earlyoom, rule oom-daemon
