# The kernel's OOM killer is told of before the reboot that was before it.
 1.000  qmp      web1 running
 5.000  trace    web1 signal SIGKILL
 5.000  trace    web1 oom-kill
 5.001  qmp      web1 RESET guest=true reason=guest-reset
 5.002  process  web1 killed SIGKILL
 9.000  expect   web1 destroy by host, oom-kill, certain, rule oom-victim
 9.000  expect   web1 2 verdicts
