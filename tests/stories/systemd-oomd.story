# A kill by systemd-oomd is the host's.
 5.000  trace    web1 signal SIGKILL pid=78 comm=systemd-oomd uid=998 exe=/usr/lib/systemd/systemd-oomd user=systemd-oom
 5.001  process  web1 killed SIGKILL
 6.000  expect   web1 destroy by host, oom-kill, not graceful, actor systemd-oomd
