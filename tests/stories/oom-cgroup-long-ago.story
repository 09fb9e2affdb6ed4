# An OOM kill in the VMM's cgroup an hour before does not explain a kill.
 5.000  process  web1 oom-kill count=1
 1h     process  web1 killed SIGKILL
 2h     expect   web1 destroy by operator, signal, likely, rule kill-unseen
