# The kernel's OOM killer takes a device model: the host did it, and the kernel itself is the sender of that signal.
 1.000  xen      web1 device-model pid=77
 5.000  trace    web1 oom-kill 1
 5.000  trace    web1 signal SIGKILL pid=77 comm=qemu-system-i38
 5.010  process  web1 device-model-killed SIGKILL
 5.010  expect   web1 failure by host, oom-kill, not graceful, certain, left running, actor nobody
# By its cgroup's counter alone.
 5.000  process  web2 oom-kill 1
 5.000  process  web2 device-model-killed SIGKILL
 5.000  expect   web2 failure by host, oom-kill, likely, rule xen-device-model-oom-cgroup
# By a daemon that does it before the kernel must.
 5.000  trace    web3 signal SIGTERM pid=7 comm=earlyoom uid=0 exe=/usr/bin/earlyoom
 5.100  process  web3 device-model-exited 0
 5.100  expect   web3 failure by host, oom-kill, certain, actor earlyoom
