# Anybody may call himself earlyoom: a user who does is an operator; of whom only that is known, and that he is root, most likely it is.
 5.000  trace    web1 signal SIGKILL pid=77 comm=earlyoom uid=1000 exe=/usr/bin/bash
 5.001  process  web1 killed SIGKILL
 5.000  trace    web2 signal SIGKILL pid=78 comm=earlyoom uid=0
 5.001  process  web2 killed SIGKILL
 6.000  expect   web1 destroy by operator, signal, certain, actor earlyoom
 6.000  expect   web2 destroy by host, oom-kill, likely, actor earlyoom, rule oom-daemon
