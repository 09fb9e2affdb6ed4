# A kill is told by the kernel sooner than QEMU has told of the reboot before it: who sent it is known all the same.
 1.000  qmp      web1 running
 5.000  trace    web1 signal SIGKILL pid=990 comm=kill user=anna
 5.001  qmp      web1 RESET guest=true reason=guest-reset
 5.001  expect   web1 reboot by guest, guest-reset, actor nobody
 5.002  process  web1 killed SIGKILL
 9.000  expect   web1 destroy by operator, signal, certain, actor kill, rule signal-by-someone
 9.000  expect   web1 2 verdicts
 9.000  expect   web1 0 revisions
