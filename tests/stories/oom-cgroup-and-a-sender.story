# A sender who was seen outranks a cgroup's counter.
 5.000  process  web1 oom-kill count=1
 5.050  trace    web1 signal SIGKILL pid=990 comm=kill user=anna
 5.100  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by operator, signal, certain, actor kill
