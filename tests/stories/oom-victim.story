# The kernel's OOM killer is known by the mark on its victim, not by the kill that follows.
 5.000  trace    web1 oom-kill
 5.000  trace    web1 signal SIGKILL
 5.100  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by host, oom-kill, not graceful, left gone, certain, rule oom-victim
