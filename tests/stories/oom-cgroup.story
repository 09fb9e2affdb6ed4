# Without the trace, a rising counter of the VMM's cgroup makes an OOM kill likely.
 5.100  process  web1 killed SIGKILL
 5.101  process  web1 oom-kill count=1
 6.000  expect   web1 destroy by host, oom-kill, not graceful, left gone, likely, rule oom-cgroup
