# A daemon that kills for memory acts for the host.
 5.000  trace    web1 signal SIGKILL pid=77 comm=earlyoom uid=0 exe=/usr/bin/earlyoom user=root
 5.001  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by host, oom-kill, not graceful, certain, actor earlyoom, rule oom-daemon
