# The cgroup's counter, read before the trace, does not hide the victim's mark.
 5.000  process  web1 oom-kill count=1
 5.001  trace    web1 oom-kill
 5.100  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by host, oom-kill, not graceful, certain, rule oom-victim
